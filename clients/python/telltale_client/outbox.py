"""The encoded events of one analysis that wait to be sent: in order, and bounded."""

import itertools
import json
import logging
import uuid
from collections import deque
from typing import Callable, Deque, List, NamedTuple, Optional, Set

from .backoff import Backoff
from .events import Event, refused_end, timed
from .held_log import HeldLog
from .transport import Refused, Source

log = HeldLog()

MOST_WAITING = 1000
MOST_CHARACTERS_WAITING = 32 * 1024 * 1024
# A request may have 1 MiB.
BATCH_BYTES = 512 * 1024
MOST_FAULTS_TOLD = 20

_numbers = itertools.count()


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


class Outbox:
    """Guarded by the lock of its delivery."""

    def __init__(self, analysis_id: str, attempt_id: Optional[str], encode: Callable[[Event], str]) -> None:
        self.number = next(_numbers)  # in the order in which they were made
        self.analysis_id = analysis_id
        self.attempt_id = attempt_id
        self.source = Source(analysis_id, attempt_id)
        # The stage or the type of the event that ended what this run has to tell.
        self.ended: Optional[str] = None
        self.batch: Optional[Batch] = None
        self.dropped = 0
        self.stopped = False  # nothing more is taken
        # While its token is not taken; `patience` is how long whoever leaves waits for that, in seconds.
        self.denied = Backoff()
        self.patience = float("inf")
        self._encode = encode
        self._waiting: Deque[Entry] = deque()
        self._size = 0  # characters of those that wait
        self._one_by_one = 0  # so many are sent by themselves, to find the one that is refused
        self._end_stored = False
        self.when_ended: Callable[[], None] = lambda: None  # called when an end is stored
        self.refused_stages: Set[str] = set()
        self._faults_told: Set[str] = set()

    @property
    def has_waiting(self) -> bool:
        return self.batch is not None or bool(self._waiting)

    def next_batch(self, largest: int) -> Optional[Batch]:
        if self.batch is None and self._waiting:
            entries = [self._take(0)]
            size = len(entries[0].text.encode())
            most = 1 if self._one_by_one > 0 else largest
            while self._waiting and len(entries) < most:
                size += len(self._waiting[0].text.encode())
                if size > BATCH_BYTES:
                    break
                entries.append(self._take(0))
            self._one_by_one = max(0, self._one_by_one - 1)
            self.batch = Batch(entries, str(uuid.uuid4()))
        return self.batch

    def stored(self, batch: Batch) -> None:
        if self.batch is batch:
            self.batch = None
        if any(entry.ends for entry in batch.entries):
            self._end_stored = True
            self.when_ended()

    def refuse(self, refused: Refused) -> None:
        """Leaves out the event of the batch that was refused, with a line in the log; the others are sent without it."""
        entries = self.batch.entries if self.batch else []
        if refused.for_good:
            log.warning("nothing more is told of %s: %s (%s)", self.analysis_id, refused, refused.code)
            self.stop()
            return
        place = refused.event if len(entries) > 1 else 0
        if place is None or not 0 <= place < len(entries):
            # Nobody knows which one is at fault.
            self._one_by_one = len(entries)
            self._take_back(entries)
            return
        entry = entries[place]
        stage = json.loads(entry.text).get("current_stage")
        if refused.code == "attempt_ended" and entry.event_type == "status_update" and stage not in ("completed", "failed"):
            # Nobody misses it: another task of the run, or the gateway, had told the end. One that is cancelled has more such tasks.
            self.tell_fault("%s had ended: %s", "a status that came after the end is left out", logging.INFO)
        else:
            why = refused.issues[0] if refused.issues else f"{refused} ({refused.code})"
            self.tell_fault("an event of %s was refused: %s", f"{entry.event_type}: {why}")
            self.dropped += 1
        if not entry.ends and any(issue.path[-1:] == ("current_stage",) for issue in refused.issues):
            self.refused_stages.add(str(stage))
        if not entry.ends or entry.substitute or self._end_stored or refused.for_its_run:
            self._take_back(entries[:place] + entries[place + 1 :])
            return
        # An error ends the wait of those who watch, and what follows would hide it.
        self.ended = "error"
        self.clear()
        self._take_back([*entries[:place], self._substitute(entry.event_type, refused)])

    def stop(self) -> None:
        """Drops what waits, and takes nothing from now on."""
        self.stopped = True
        self.dropped += len(self._waiting) + len(self.batch.entries if self.batch else ())
        self.clear()

    def clear(self) -> None:
        self.batch = None
        self._waiting.clear()
        self._size = 0

    def tell_fault(self, line: str, fault: str, level: int = logging.WARNING) -> None:
        """A line in the log about the analysis, once for each fault: a loop repeats the same one."""
        if fault not in self._faults_told and len(self._faults_told) < MOST_FAULTS_TOLD:
            self._faults_told.add(fault)
            log.log(level, line, self.analysis_id, fault)

    def _append(self, entry: Entry) -> None:
        if self.stopped:
            self.dropped += 1
            return
        size = len(entry.text)
        while len(self._waiting) >= MOST_WAITING or self._waiting and self._size + size > MOST_CHARACTERS_WAITING:
            place = next((i for i, waiting in enumerate(self._waiting) if not waiting.ends), None)
            if place is None:
                break
            self._take(place)
            self.dropped += 1
        self._waiting.append(entry)
        self._size += size

    def _take(self, place: int) -> Entry:
        entry = self._waiting[place]
        del self._waiting[place]
        self._size -= len(entry.text)
        return entry

    def _substitute(self, event_type: str, refused: Refused) -> Entry:
        event = timed("error", self.analysis_id, self.attempt_id, refused_end(event_type, refused.issues, str(refused)))
        return Entry(self._encode(event), "error", ends=True, substitute=True)

    def _take_back(self, entries: List[Entry]) -> None:
        """In place of the batch these are sent next, under keys of their own."""
        self.batch = None
        self._waiting.extendleft(reversed(entries))
        self._size += sum(len(entry.text) for entry in entries)
