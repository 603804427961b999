"""Adds up the progress of the tasks of a canvas that tell of one analysis: each makes the same part of it, so that it only rises."""

import threading
import time
import uuid
from collections import deque
from typing import Any, Deque, Dict, Mapping, Optional

from .celery_shared import SharedMemory

# As often as statuses are sent.
MOST_A_SECOND = 10
# After a memory that did not answer.
PAUSE_SECONDS = 10.0

# In the marks of messages: the id of the canvas, how many `tasks` of it tell of the analysis, and the progress at its begin: the `base`.
WholeMark = Mapping[str, Any]


def new_whole(tasks: int, base: float = 0.0, named: Optional[str] = None) -> Dict[str, Any]:
    return {"id": named or uuid.uuid4().hex, "tasks": tasks, "base": base}


class PartOfWhole:
    """One task of several. Without a shared memory it knows of the others only what the mark says: how many came `before`."""

    def __init__(self, memory: SharedMemory, mark: WholeMark, task_id: str) -> None:
        self.tasks = int(mark["tasks"])
        self._memory = memory
        self._mark = mark
        self._task_id = task_id
        self._lock = threading.Lock()
        self._own: Optional[float] = None
        self._others = float(mark.get("before") or 0)
        self._asked_at: "Deque[float]" = deque(maxlen=MOST_A_SECOND)
        self._silent_until = 0.0

    def add(self, own: Optional[float], is_due: bool = False) -> int:
        """Asks the memory, ten times a second at most unless a status is due. Answers how many of the tasks are known to be done."""
        if own is None or not 0 <= own <= 1:
            return 0
        with self._lock:
            now = time.monotonic()
            is_early = not is_due and len(self._asked_at) == MOST_A_SECOND and now < self._asked_at[0] + 1
            if own < 1 and (is_early or now < self._silent_until):
                return 0
            if not is_due:
                self._asked_at.append(now)
            return self._ask(own, now)

    def _ask(self, own: float, now: float) -> int:
        if self._own is None:  # an earlier run of the task may have been further
            self._own = self._memory.progress_of(self._mark["id"], self._task_id)
        self._own = max(self._own, own)
        told = self._memory.progress(self._mark["id"], self._task_id, self._own)
        if told is None:
            self._silent_until = now + PAUSE_SECONDS
            return 0
        self._others = sum(told) - self._own
        return sum(1 for one in told if one >= 1)

    def overall(self, own: float) -> float:
        """The progress of the analysis."""
        base = float(self._mark["base"])
        done = min(1.0, (self._others + max(own, self._own or 0.0)) / self.tasks)
        return base + (1 - base) * done

    def mark_of_next(self) -> WholeMark:
        """For the task that follows this one when it is done."""
        return {**self._mark, "before": self._others + 1}
