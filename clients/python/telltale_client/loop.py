"""How far a loop is, and when the work will be done at its rate."""

import math
import operator
from collections import deque
from datetime import datetime, timedelta, timezone
from typing import Any, Deque, Iterable, Optional, Tuple

# Long enough to be steady, short enough to follow a change of stage.
RATE_WINDOW_SECONDS = 8.0
SHORTEST_WINDOW_SECONDS = 0.5


class Loop:
    """Written by the loop itself, one addition for each item, and read ten times a second by the thread that sends."""

    __slots__ = ("current", "total", "stage", "unit", "message", "span", "told")

    def __init__(
        self,
        total: Optional[float],
        stage: Optional[str],
        unit: Optional[str],
        message: Optional[str],
        span: Tuple[float, float],
    ) -> None:
        self.current = 0
        self.total = total
        self.stage = stage
        self.unit = unit
        self.message = message
        self.span = span
        self.told = -1  # the count of the last status

    def read(self) -> None:
        """Raises nothing for a span that is none."""
        try:
            begins, ends = map(float, self.span)
            self.span = (begins, ends)
        except Exception:
            self.span = (0.0, 1.0)

    def progress(self) -> Optional[float]:
        """Progress of the whole analysis, 0 to 1; None if nobody knows how many items there are."""
        if not self.total or finite(self.total) is None:
            return None
        begins, ends = self.span
        return begins + (ends - begins) * min(1.0, self.current / self.total)


def length_of(iterable: Iterable[Any]) -> Optional[int]:
    """How many items there will be; None if nobody knows."""
    try:
        return operator.length_hint(iterable) or None
    except Exception:
        return None


def finite(value: Any) -> Optional[float]:
    """A finite number of any kind, as Python's own; None for what is none, as NaN."""
    try:
        number = value if isinstance(value, int) else float(value)
        return number if math.isfinite(number) and not isinstance(value, (str, bytes)) else None
    except Exception:  # also one of the value's own
        return None


class Rate:
    """Estimates the time of completion from the progress of the last seconds."""

    def __init__(self) -> None:
        self._steps: Deque[Tuple[float, float]] = deque()

    def estimate(self, progress: float, now: float) -> Optional[str]:
        """A time, ISO 8601; None while no rate is known. `now` is in seconds of any clock."""
        steps = self._steps
        if steps and progress < steps[-1][1]:
            steps.clear()
        steps.append((now, progress))
        while steps[0][0] < now - RATE_WINDOW_SECONDS and len(steps) > 2:
            steps.popleft()
        began, at_first = steps[0]
        if now - began < SHORTEST_WINDOW_SECONDS or progress <= at_first or progress >= 1:
            return None
        remaining = (1 - progress) * (now - began) / (progress - at_first)
        if remaining > 365 * 86400:
            return None
        return (datetime.now(timezone.utc) + timedelta(seconds=remaining)).isoformat(timespec="seconds")
