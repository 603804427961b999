"""Sends what waits, in a thread of its own, so that no analysis ever waits for a gateway or fails for want of one."""

import logging
import random
import threading
import time
from typing import Callable, List, Optional

from .events import Event
from .lane import BEAT_SECONDS, Batch, Lane
from .transport import Away, Refused, Transport

log = logging.getLogger("telltale_client")

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
PATIENCE_SECONDS = 30.0


class Delivery:
    """The lanes of all analyses with one destination, the thread that serves them, and its connection.

    Safe from any thread, and in a child that was forked: the child begins with an empty queue and a connection of its own.
    """

    def __init__(self, connect: Callable[[], Transport], at_start: Callable[[], None] = lambda: None) -> None:
        """`at_start` is called when the thread has started, in a forked child again."""
        self._connect = connect
        self._at_start = at_start
        self._transport = connect()
        self._of_parents: List[Transport] = []
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._thread: Optional[threading.Thread] = None
        self._lanes: List[Lane] = []
        self._resume_at = 0.0
        self._failures = 0

    def after_fork(self) -> None:
        for lane in self._lanes:
            lane.forget()
        # The parent's thread may have been reading: in this process its locks are never released, so nothing may close it.
        self._of_parents.append(self._transport)
        self._transport = self._connect()
        self._begin()

    def status(self, lane: Lane, event: Event) -> None:
        with self._changed:
            lane.status(event, time.monotonic())
            self._serve(lane)

    def append(self, lane: Lane, event: Event) -> None:
        with self._changed:
            lane.append(event, time.monotonic())
            self._serve(lane)

    def watch(self, lane: Lane, beating: bool, sample: Optional[Callable[[], Optional[Event]]]) -> None:
        """From now on the thread beats for the lane, and asks `sample` for the status of a running loop."""
        with self._changed:
            lane.sample = None if lane.refused else sample
            if beating and not lane.beating:
                lane.poll_at = time.monotonic() + self._transport.poll_seconds
            lane.beating = beating and not lane.refused
            self._serve(lane)

    def close(self, lane: Lane) -> None:
        with self._changed:
            lane.close(time.monotonic())
            lane.gives_up_at = lane.gives_up_at or time.monotonic() + PATIENCE_SECONDS
            self._serve(lane)

    def wait(self, lane: Lane, seconds: float) -> bool:
        """Until everything is with the gateway; False if that took too long. The rest is sent later if the process lives."""
        with self._changed:
            return self._changed.wait_for(lambda: lane.empty, max(0.0, seconds))

    def when_empty(self, lane: Lane, callback: Callable[[], None]) -> None:
        """Calls back, from another thread, when everything is with the gateway."""
        with self._changed:
            lane.when_empty.append(callback)
            self._changed.notify_all()

    def flush(self, deadline: float) -> None:
        """At the end of the process: waits for each lane as long as nobody has waited for it already."""
        for lane in list(self._lanes):
            with self._changed:
                lane.release(time.monotonic())
                self._changed.notify_all()
            self.wait(lane, min(deadline, lane.gives_up_at or deadline) - time.monotonic())
        left = sum(0 if lane.empty else 1 for lane in self._lanes)
        if left:
            log.warning("the end of the process left events of %d analyses unsent", left)

    def _serve(self, lane: Lane) -> None:
        if lane not in self._lanes:
            self._lanes.append(lane)
        if self._thread is None or not self._thread.is_alive():
            try:
                self._thread = threading.Thread(target=self._run, name="telltale", daemon=True)
                self._thread.start()
                self._at_start()
            except RuntimeError as fault:  # the interpreter is about to end
                self._thread = None
                log.warning("events of %s cannot be sent any more: %s", lane.analysis_id, fault)
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._tidy()
                now = time.monotonic()
                for lane in self._lanes:
                    _collect(lane, now)
                due = self._due(now)
                if due is None:
                    self._changed.wait(self._pause(now))
                    continue
                # The others come first the next time.
                self._lanes.remove(due)
                self._lanes.append(due)
                batch = due.next_batch(self._transport.largest_batch)
            self._ask(due, batch)

    def _due(self, now: float) -> Optional[Lane]:
        if now < self._resume_at:
            return None
        waiting = (lane for lane in self._lanes if lane.has_waiting)
        beating = (lane for lane in self._lanes if lane.beating and lane.poll_at <= now)
        return next(waiting, None) or next(beating, None)

    def _pause(self, now: float) -> Optional[float]:
        """Seconds until something is due; None if only a call can change that."""
        times = [lane.due_at() for lane in self._lanes]
        if now < self._resume_at:
            times.append(self._resume_at)
        else:
            times += [lane.poll_at for lane in self._lanes if lane.beating]
        soonest = min(times, default=float("inf"))
        return None if soonest == float("inf") else max(0.01, soonest - now)

    def _tidy(self) -> None:
        for lane in [lane for lane in self._lanes if lane.empty]:
            callbacks, lane.when_empty = lane.when_empty, []
            for callback in callbacks:
                callback()
            if lane.closed:
                self._lanes.remove(lane)
                if lane.dropped:
                    log.warning("%d events of %s were dropped", lane.dropped, lane.analysis_id)
                    lane.dropped = 0
        self._changed.notify_all()

    def _ask(self, lane: Lane, batch: Optional[Batch]) -> None:
        """One call to the other side, without the lock."""
        try:
            if batch is None:
                cancelled = self._transport.poll(lane.analysis_id)
            else:
                cancelled = self._transport.send(lane.analysis_id, [entry.text for entry in batch.entries], batch.key)
        except Away as away:
            self._is_away(away)
        except Refused as refused:
            with self._changed:
                self._is_refused(lane, refused)
        except Exception:
            log.exception("events of %s could not be sent", lane.analysis_id)
            self._is_away(Away("fault of this client"))
        else:
            self._is_answered(lane, batch, cancelled)

    def _is_answered(self, lane: Lane, batch: Optional[Batch], cancelled: Optional[bool]) -> None:
        if self._failures >= 3:
            log.warning("the gateway is back")
        self._failures = 0
        with self._changed:
            now = time.monotonic()
            lane.poll_at = now + self._transport.poll_seconds
            lane.cancel_requested = lane.cancel_requested or cancelled is True
            if batch is not None and lane.batch is batch:
                lane.batch = None
            if batch is None and not self._transport.poll_is_beat and now - lane.status_sent_at >= BEAT_SECONDS:
                lane.repeat_status(now)

    def _is_away(self, away: Away) -> None:
        self._failures += 1
        if self._failures == 3:
            log.warning("the gateway is away: events wait (%s)", away)
        step = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        self._resume_at = time.monotonic() + max(away.retry_after, step * random.uniform(0.5, 1))

    def _is_refused(self, lane: Lane, refused: Refused) -> None:
        batch = lane.batch
        if batch is None:
            return
        if refused.for_good:
            log.warning("nothing more is told of %s: %s (%s)", lane.analysis_id, refused, refused.code)
            lane.stop()
            return
        place = refused.event if len(batch.entries) > 1 else 0
        if place is None or not 0 <= place < len(batch.entries):
            lane.one_by_one = len(batch.entries)
            lane.take_back(batch.entries)
            return
        entry = batch.entries[place]
        fault = f"{entry.event_type}: {refused.issues[0] if refused.issues else refused}"
        if fault not in lane.faults_told:
            lane.faults_told.add(fault)
            log.warning("an event of %s was refused: %s", lane.analysis_id, fault)
        lane.dropped += 1
        lane.take_back(batch.entries[:place] + lane.in_place_of(entry, refused) + batch.entries[place + 1 :])


def _collect(lane: Lane, now: float) -> None:
    try:
        lane.collect(now)
    except Exception:
        log.exception("the progress of %s could not be told", lane.analysis_id)
        lane.sample = None
