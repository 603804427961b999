"""The statuses of one analysis that wait for their time: ten a second at most, whatever stages they are of."""

from collections import deque
from typing import Deque, Dict

from .events import Event

MOST_A_SECOND = 10
# Between two of one stage. Nobody reads faster than this.
SHORTEST_PAUSE = 0.1
# They are not told again by a status that leaves them out.
OF_ITS_TIME = ("current", "total", "unit", "estimated_completion")
# If more stages wait, the first of them does not: its status would come seconds late.
MOST_STAGES = 32


class HeldStatuses:
    """The last status of each stage. Times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self._of_stages: Dict[str, Event] = {}
        self._sent_at: Deque[float] = deque(maxlen=MOST_A_SECOND)
        self._sent_stage = ""

    def __len__(self) -> int:
        return len(self._of_stages)

    def hold(self, event: Event) -> None:
        """Replaces the one of its stage, and comes after those of other stages. Fields of the worker's own are told by it as well."""
        before = self._of_stages.pop(event["current_stage"], {})
        kept = {name: value for name, value in before.items() if name not in OF_ITS_TIME}
        self._of_stages[event["current_stage"]] = {**kept, **event}

    def due_at(self) -> float:
        """When the first may be sent; infinity if there is none."""
        stage = next(iter(self._of_stages), None)
        if stage is None:
            return float("inf")
        if len(self) > MOST_STAGES or not self._sent_at:
            return float("-inf")
        a_second = self._sent_at[0] + 1 if len(self._sent_at) == MOST_A_SECOND else float("-inf")
        return max(a_second, self.pause_ends_at) if stage == self._sent_stage else a_second

    @property
    def pause_ends_at(self) -> float:
        """When another status of the stage that was sent last may follow it."""
        return self._sent_at[-1] + SHORTEST_PAUSE if self._sent_at else float("-inf")

    def take(self) -> Event:
        """The first, which is held no longer."""
        return self._of_stages.pop(next(iter(self._of_stages)))

    def sent(self, event: Event, now: float) -> None:
        self._sent_at.append(now)
        self._sent_stage = event["current_stage"]

    def clear(self) -> None:
        self._of_stages.clear()
