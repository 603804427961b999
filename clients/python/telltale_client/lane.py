"""The events of one analysis that wait to be sent: in order, bounded, and no more than ten statuses a second."""

import logging
import uuid
from collections import deque
from typing import Callable, Deque, List, NamedTuple, Optional, Set

from .encoding import to_json
from .events import Event, is_end, refused_end, timed
from .transport import Refused

log = logging.getLogger("telltale_client")

MOST_WAITING = 1000
# A request may have 1 MiB.
BATCH_BYTES = 512 * 1024
# Nobody reads faster than this.
SHORTEST_PAUSE = 0.1
BEAT_SECONDS = 10.0


class Entry(NamedTuple):
    text: str
    event_type: str
    # An end is never dropped.
    ends: bool
    # The error that took the place of an end that was refused.
    substitute: bool = False


class Batch(NamedTuple):
    """Sent again as it is, under the same key, until it is answered."""

    entries: List[Entry]
    key: str


class Lane:
    """Guarded by the lock of its delivery. Times are those of `time.monotonic`."""

    def __init__(self, analysis_id: str, attempt_id: Optional[str], encode: Callable[[Event], str] = to_json) -> None:
        self.analysis_id = analysis_id
        self.attempt_id = attempt_id
        # Asked ten times a second for the status of the loop that runs; None if nothing has changed.
        self.sample: Optional[Callable[[], Optional[Event]]] = None
        self.batch: Optional[Batch] = None
        self.cancel_requested = False
        self.beating = False
        self.poll_at = 0.0
        self.last_status: Optional[Entry] = None
        self.status_sent_at = 0.0
        self.closed = False
        self.refused = False  # for good: nothing more is taken
        self.dropped = 0
        # When whoever left the analysis stops waiting for what is left; None while nobody waits.
        self.gives_up_at: Optional[float] = None
        self.when_empty: List[Callable[[], None]] = []
        self.one_by_one = 0  # so many are sent by themselves, to find the one that is refused
        self.faults_told: Set[str] = set()
        self._encode = encode
        self._waiting: Deque[Entry] = deque()
        self._held: Optional[Event] = None
        self._told_at = float("-inf")

    @property
    def empty(self) -> bool:
        return self.batch is None and not self._waiting and self._held is None

    @property
    def has_waiting(self) -> bool:
        return self.batch is not None or bool(self._waiting)

    def status(self, event: Event, now: float) -> None:
        """A status that comes within a tenth of a second is held, and replaced by the next one of its stage."""
        if self._held is not None and self._held["current_stage"] != event["current_stage"]:
            self.release(now)
            self._append_status(event, now)
        elif now - self._told_at >= SHORTEST_PAUSE:
            self._append_status(event, now)
        else:
            # Fields of the held one that this one leaves out are told by it.
            self._held = {**(self._held or {}), **event}

    def append(self, event: Event, now: float) -> None:
        self.release(now)
        self._append(self._entry(event))

    def collect(self, now: float) -> None:
        """Takes over what is due by its time."""
        if now - self._told_at < SHORTEST_PAUSE:
            return
        sampled = self.sample() if self.sample is not None else None
        if sampled is not None:
            self._held = None
            self._append_status(sampled, now)
        else:
            self.release(now)

    def close(self, now: float) -> None:
        """Nothing more will come."""
        self.release(now)
        self.sample, self.beating, self.closed = None, False, True

    def stop(self) -> None:
        """Drops what waits, and takes nothing from now on."""
        self.refused, self.sample, self.beating = True, None, False
        self.dropped += len(self._waiting) + len(self.batch.entries if self.batch else ())
        self._held, self.batch = None, None
        self._waiting.clear()

    def forget(self) -> None:
        """In a forked child: what waits is the parent's to send, and the parent beats."""
        self._held, self.batch, self.sample, self.beating = None, None, None, False
        self._waiting.clear()
        self.when_empty.clear()

    def next_batch(self, largest: int) -> Optional[Batch]:
        if self.batch is None and self._waiting:
            entries = [self._waiting.popleft()]
            size = len(entries[0].text.encode())
            most = 1 if self.one_by_one > 0 else largest
            while self._waiting and len(entries) < most:
                size += len(self._waiting[0].text.encode())
                if size > BATCH_BYTES:
                    break
                entries.append(self._waiting.popleft())
            self.one_by_one = max(0, self.one_by_one - 1)
            self.batch = Batch(entries, str(uuid.uuid4()))
        return self.batch

    def take_back(self, entries: List[Entry]) -> None:
        """In place of the batch, these are sent next, under a key of their own."""
        self.batch = None
        self._waiting.extendleft(reversed(entries))

    def due_at(self) -> float:
        """When something is due by its time, other than a beat."""
        times = self._held is not None or self.sample is not None
        return self._told_at + SHORTEST_PAUSE if times else float("inf")

    def in_place_of(self, entry: Entry, refused: Refused) -> List[Entry]:
        """If an end was refused, an error ends the wait of those who watch."""
        if not entry.ends or entry.substitute:
            return []
        fields = refused_end(entry.event_type, refused.issues, str(refused))
        event = timed("error", self.analysis_id, self.attempt_id, fields)
        return [Entry(self._encode(event), "error", ends=True, substitute=True)]

    def repeat_status(self, now: float) -> None:
        """On ways without a heartbeat the last status again is the sign of life."""
        if self.last_status is not None and self.empty:
            self._waiting.append(self.last_status)
            self.status_sent_at = now

    def release(self, now: float) -> None:
        """Sends what was held without waiting for its time."""
        held, self._held = self._held, None
        if held is not None:
            self._append_status(held, now)

    def _append_status(self, event: Event, now: float) -> None:
        entry = self._entry(event)
        self._told_at = self.status_sent_at = now
        self.last_status = entry
        self._append(entry)

    def _entry(self, event: Event) -> Entry:
        return Entry(self._encode(event), event["event_type"], is_end(event))

    def _append(self, entry: Entry) -> None:
        if self.refused:
            self.dropped += 1
            return
        if len(self._waiting) >= MOST_WAITING:
            place = next((i for i, waiting in enumerate(self._waiting) if not waiting.ends), None)
            if place is not None:
                del self._waiting[place]
                self.dropped += 1
        self._waiting.append(entry)
