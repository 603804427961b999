"""Sends what waits, in a thread of its own, so that no analysis ever waits for a gateway or fails for want of one."""

import sys
import threading
import time
from typing import Callable, List, Optional

from .backoff import Backoff
from .events import Event
from .held_log import HeldLog, LockWithLog, lines_wait
from .lane import BEAT_SECONDS, Lane
from .outbox import Batch
from .schema import check
from .transport import Away, Denied, Refused, Transport
from .turns import Watcher, next_due, pause

log = HeldLog()

PATIENCE_SECONDS = 30.0
DENIED_SECONDS = 5.0  # so long whoever leaves waits if the token is not taken and cannot become another one
# By then a gateway has taken the first event: it does not tell of a request that was for an earlier run.
FIRST_POLL_SECONDS = 1.0


class Delivery:
    """The lanes of all analyses with one destination, the thread that serves them, and its connection.

    Safe from any thread, and in a child that was forked: the child begins with an empty queue and a connection of its own.
    """

    def __init__(self, connect: Callable[[], Transport], at_start: Callable[[], None] = lambda: None) -> None:
        """`at_start` is called when the thread has started, in a forked child again."""
        self._connect, self._at_start = connect, at_start
        self._transport = connect()
        self._of_parents: List[Transport] = []
        self._begin()

    def _begin(self) -> None:
        self._changed = LockWithLog()
        self._thread: Optional[threading.Thread] = None
        self._lanes: List[Lane] = []
        self._watchers: List[Watcher] = []
        self._away = Backoff()
        self.waited_in_vain = False  # a caller that left waited for the gateway, and it has not been there since

    def after_fork(self) -> None:
        for lane in self._lanes:
            lane.forget()
        # The parent's thread may have been reading: in this process its locks are never released, so nothing may close it.
        self._of_parents.append(self._transport)
        self._transport = self._connect()
        self._begin()

    def status(self, lane: Lane, make: Callable[[], Event]) -> None:
        """`make` is called with the lock. After the end the status is left out."""
        with self._changed:
            event = make()
            if lane.ended is None:
                lane.status(event, time.monotonic())
                self._serve(lane)

    def end(self, lane: Lane, name: str, make: Callable[[], Event]) -> bool:
        """Answers whether the end is told: the first one counts."""
        with self._changed:
            event = make()
            judged = not self._transport.answers and event["event_type"] != "status_update"
            told = lane.end(name, event, time.monotonic(), check if judged else None)
            self._serve(lane)
            return told

    def watch(self, lane: Lane, beating: bool, sample: Optional[Callable[[], Optional[Event]]]) -> None:
        """From now on the thread beats for the lane, and asks `sample` for the status of a running loop."""
        with self._changed:
            lane.sample = None if lane.stopped else sample
            if beating and not lane.beating:
                lane.poll_at = time.monotonic() + min(FIRST_POLL_SECONDS, self._transport.poll_seconds)
            lane.beating = beating and not lane.stopped
            self._serve(lane)

    def is_over(self, lane: Lane, how: str) -> None:
        with self._changed:
            lane.is_over(how)
            self._changed.notify_all()

    def release(self, lane: Lane) -> None:
        with self._changed:
            lane.release(time.monotonic())
            self._serve(lane)

    def take_back(self, lane: Lane) -> None:
        """Drops what waits. A request that is on its way may still arrive."""
        with self._changed:
            lane.clear()
            lane.close(time.monotonic())

    def close(self, lane: Lane) -> None:
        with self._changed:
            lane.close(time.monotonic())
            lane.gives_up_at = lane.gives_up_at or time.monotonic() + PATIENCE_SECONDS
            self._serve(lane)

    def wait(self, lane: Lane, seconds: float) -> bool:
        """Until everything is with the gateway; False if that took too long. The rest is sent later if the process lives."""
        if sys.is_finalizing():
            return False  # Python has stopped the thread by then, perhaps while it had the lock
        began = time.monotonic()
        with self._changed:
            try:
                while not lane.empty:
                    left = began + min(seconds, lane.patience) - time.monotonic()
                    # The thread itself comes here if it frees a generator that holds an analysis.
                    if left <= 0 or self._thread in (None, threading.current_thread()):
                        self.waited_in_vain = self.waited_in_vain or self._away.failures > 0
                        if lane.patience < seconds:
                            lane.gives_up_at = time.monotonic()
                        return False
                    self._changed.wait(left)
            except BaseException:  # as KeyboardInterrupt: the end of the process does not wait either
                lane.gives_up_at = time.monotonic()
                raise
            return True

    def when_settled(self, lane: Lane, callback: Callable[[], None]) -> None:
        """Calls back, from another thread, when everything is with the gateway or there is no use in waiting longer."""
        with self._changed:
            self._watchers.append(Watcher(lane, time.monotonic(), callback))
            self._serve(lane)

    def flush(self, deadline: float) -> None:
        """At the end of the process: waits for each lane as long as nobody has waited for it already."""
        for lane in list(self._lanes):
            with self._changed:
                lane.release(time.monotonic())
                self._changed.notify_all()
            lane.gives_up_at = min(deadline, lane.gives_up_at or deadline)
            self.wait(lane, lane.gives_up_at - time.monotonic())
        left = sum(0 if lane.empty else 1 for lane in self._lanes)
        if left:
            log.warning("the end of the process left events of %d analyses unsent", left)

    def _serve(self, lane: Lane) -> None:
        if lane not in self._lanes:
            self._lanes.append(lane)
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name="telltale", daemon=True)
            try:
                thread.start()
            except RuntimeError as fault:  # the interpreter is about to end, or there are too many threads
                self._thread = None
                lane.tell_fault("events of %s cannot be sent: %s", str(fault))
            else:
                self._thread = thread
                self._at_start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                stale = [lane.refresh for lane in self._lanes if lane.is_stale(time.monotonic())]
            for refresh in filter(None, stale):
                refresh()
            with self._changed:
                self._tidy()
                now = time.monotonic()
                for lane in self._lanes:
                    lane.collect(now)
                due = next_due(self._lanes, now) if now >= self._away.resume_at else None
                if due is None:
                    if not lines_wait():
                        self._changed.wait(pause(self._lanes, now, self._away.resume_at))
                    continue
                self._lanes.remove(due)
                self._lanes.append(due)  # the others come first the next time
                batch = due.next_batch(self._transport.largest_batch)
            self._ask(due, batch)

    def _tidy(self) -> None:
        now = time.monotonic()
        settled = [one for one in self._watchers if one.lane.empty or now - one.since >= one.lane.patience]
        self._watchers = [one for one in self._watchers if one not in settled]
        for watcher in settled:
            watcher.callback()
        for lane in [lane for lane in self._lanes if lane.empty and lane.closed]:
            self._lanes.remove(lane)
            if lane.dropped:
                log.warning("%d events of %s were dropped", lane.dropped, lane.analysis_id)
                lane.dropped = 0
        self._changed.notify_all()

    def _ask(self, lane: Lane, batch: Optional[Batch]) -> None:
        """One call to the other side, without the lock."""
        try:
            if batch is None:
                cancelled = self._transport.poll(lane.source)
            else:
                cancelled = self._transport.send(lane.source, [entry.text for entry in batch.entries], batch.key)
        except Denied as denied:
            self._is_denied(lane, denied)
        except Away as away:
            self._is_away(away)
        except Refused as refused:
            with self._changed:
                if lane.batch is not None:
                    lane.refuse(refused)
        except Exception as fault:
            if self._away.failures == 0:
                log.exception("events of %s could not be sent", lane.analysis_id)
            self._is_away(Away(f"fault of this client: {fault!r}"))
        else:
            if batch is not None and (lane.cancel_requested or cancelled) and any(entry.ends for entry in batch.entries):
                self._transport.forget_cancel(lane.source)
            self._is_answered(lane, batch, cancelled)

    def _is_answered(self, lane: Lane, batch: Optional[Batch], cancelled: Optional[bool]) -> None:
        self._is_there()
        with self._changed:
            now = time.monotonic()
            if lane.denied.failures:
                log.warning("events of %s are sent again", lane.analysis_id)
            lane.denied.reset()
            lane.patience = float("inf")
            if batch is None or cancelled is not None:
                lane.poll_at = now + self._transport.poll_seconds
            lane.cancel_requested = lane.cancel_requested or cancelled is True
            if batch is not None:
                lane.stored(batch)
            if batch is None and not self._transport.poll_is_beat and now - lane.status_sent_at >= BEAT_SECONDS:
                lane.repeat_status(now)

    def _is_away(self, away: Away) -> None:
        self._away.failed(time.monotonic(), away.retry_after)
        if self._away.failures == 3:
            log.warning("the gateway is away: events wait (%s)", away)

    def _is_there(self) -> None:
        if self._away.failures >= 3:
            log.warning("the gateway is back")
        self._away.reset()
        self.waited_in_vain = False

    def _is_denied(self, lane: Lane, denied: Denied) -> None:
        """The gateway may take the events of other analyses meanwhile."""
        self._is_there()
        with self._changed:
            lane.patience = float("inf") if denied.may_heal else DENIED_SECONDS
            lane.denied.failed(time.monotonic())
            lane.poll_at = time.monotonic() + self._transport.poll_seconds
            if lane.denied.failures == 1:
                log.warning("events of %s wait: %s", lane.analysis_id, denied)
            self._changed.notify_all()
