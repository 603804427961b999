"""The events of one analysis, from when they are told until they are sent: no more than ten statuses a second, and one end."""

from typing import Callable, Optional

from .encoding import text_of, to_json
from .events import Event, is_end
from .held_log import HeldLog
from .held_statuses import SHORTEST_PAUSE, HeldStatuses
from .outbox import Entry, Outbox
from .schema import EventRefused
from .transport import Refused

log = HeldLog()

BEAT_SECONDS = 10.0
RESULTS = ("result", "result_update")
# The end that each may follow.
OTHER_HALVES = {
    "completed": RESULTS,
    "result": ("completed",),
    "result_update": ("completed",),
    "error": ("failed",),
    "failed": ("error",),
}


class Lane(Outbox):
    """Guarded by the lock of its delivery. Times are those of `time.monotonic`."""

    def __init__(self, analysis_id: str, attempt_id: Optional[str], encode: Callable[[Event], str] = to_json) -> None:
        super().__init__(analysis_id, attempt_id, encode)
        # Asked ten times a second for the status of the loop that runs; None if nothing has changed.
        self.sample: Optional[Callable[[], Optional[Event]]] = None
        # If others work on the analysis: asks how far they are, called without the lock, and brings a status up to date that was held.
        self.refresh: Optional[Callable[[], object]] = None
        self.refreshed: Callable[[Event], Event] = lambda event: event
        self.cancel_requested = False
        self.beating = False
        self.poll_at = 0.0
        self.last_status: Optional[Entry] = None
        self.status_sent_at = 0.0
        self.closed = False
        # When whoever left the analysis stops waiting for what is left; None while nobody waits.
        self.gives_up_at: Optional[float] = None
        self._held = HeldStatuses()
        self._is_whole = False  # both halves of the end were told
        self._looked_at = float("-inf")

    @property
    def empty(self) -> bool:
        return not self.has_waiting and not self._held

    def status(self, event: Event, now: float) -> None:
        """A status that comes too early is held, and replaced by the next one of its stage."""
        self._held.hold(event)
        self._release_due(now)

    def end(self, name: str, event: Event, now: float, judge: Optional[Callable[[str], None]] = None) -> bool:
        """The first end counts, and with it the other half of it. Answers whether this one is told.

        `judge` raises EventRefused for one that would be refused on a way that gives no answer.
        """
        if self.ended is not None and (self._is_whole or self.ended not in OTHER_HALVES.get(name, ())):
            return False
        self.release(now)
        try:
            entry = self._entry(event)
            if judge is not None:
                judge(entry.text)
            self._append(entry)
            # Not before: if Ctrl-C comes meanwhile, it is the end.
            self._is_whole, self.ended = self.ended is not None, name
        except EventRefused as fault:
            self.tell_fault("an event of %s would be refused: %s", f"{fault.event_type}: {fault.issues[0]}")
            self._end_by(event, Refused("invalid_event", str(fault), fault.issues))
        except Exception as fault:
            self._unwritable(event, fault)
            self._end_by(event, Refused("not_json", f"it cannot be written as JSON ({type(fault).__name__})"))
        return True

    def collect(self, now: float) -> None:
        """Takes over what is due by its time."""
        if self.sample is not None and now >= self._samples_at():
            self._looked_at = now
            sampled = self._sampled() if self.ended is None else None
            if sampled is not None:
                self._held.hold(sampled)
        self._release_due(now)

    def is_over(self, how: str) -> None:
        """The attempt has ended elsewhere. `cancelled` is a request to this run as well."""
        self.cancel_requested = self.cancel_requested or how == "cancelled"
        if self.ended is None:
            self.clear()
            self.ended, self.sample, self.beating = how, None, False

    def close(self, now: float) -> None:
        """Nothing more will come."""
        self.release(now)
        self.sample, self.beating, self.closed = None, False, True

    def stop(self) -> None:
        super().stop()
        self.sample, self.beating = None, False

    def clear(self) -> None:
        super().clear()
        self._held.clear()

    def forget(self) -> None:
        """In a forked child: what waits is the parent's to send, and the parent beats."""
        self.clear()
        self.sample, self.beating = None, False

    def is_stale(self, now: float) -> bool:
        """Whether a status is due that is to be brought up to date first."""
        return self.refresh is not None and self.due_at() <= now

    def due_at(self) -> float:
        """When something is due by its time, other than a beat."""
        return min(self._held.due_at(), self._samples_at() if self.sample is not None else float("inf"))

    def repeat_status(self, now: float) -> None:
        """On ways without a heartbeat the last status again is the sign of life."""
        if self.last_status is not None and self.empty and self.ended is None:
            self._append(self.last_status)
            self.status_sent_at = now

    def release(self, now: float) -> None:
        """Sends what was held without waiting for its time."""
        while self._held:
            self._append_status(self._held.take(), now)

    def _release_due(self, now: float) -> None:
        while self._held.due_at() <= now:
            self._append_status(self._held.take(), now)

    def _samples_at(self) -> float:
        return max(self._held.pause_ends_at, self._looked_at + SHORTEST_PAUSE)

    def _sampled(self) -> Optional[Event]:
        try:
            return self.sample() if self.sample is not None else None
        except Exception:
            log.exception("the progress of %s could not be told", self.analysis_id)
            self.sample = None
            return None

    def _end_by(self, event: Event, refused: Refused) -> None:
        self.ended = "error"
        self._append(self._substitute(event["event_type"], refused))

    def _append_status(self, event: Event, now: float) -> None:
        try:
            entry = self._entry(self.refreshed(event))
        except Exception as fault:
            self._unwritable(event, fault)
            return
        self._held.sent(event, now)
        self.status_sent_at = now
        self.last_status = entry
        self._append(entry)

    def _unwritable(self, event: Event, fault: Exception) -> None:
        self.dropped += 1
        self.tell_fault("an event of %s cannot be written as JSON: %s", f"{event['event_type']}: {type(fault).__name__}: {text_of(fault)}")

    def _entry(self, event: Event) -> Entry:
        return Entry(self._encode(event), event["event_type"], is_end(event))
