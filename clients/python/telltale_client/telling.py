"""Makes the statuses and the end of one analysis, and hands them to its lane."""

import logging
import math
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .delivery import Delivery
from .events import Event, timed
from .lane import Lane
from .loop import Loop, Rate

log = logging.getLogger("telltale_client")

FIRST_STAGE = "initializing"


class Status(NamedTuple):
    """Told by a worker; None for what it leaves out."""

    progress: Optional[float] = None
    stage: Optional[str] = None
    message: Optional[str] = None
    current: Optional[float] = None
    total: Optional[float] = None
    unit: Optional[str] = None
    extra: Dict[str, Any] = {}


class Telling:
    """All that is told of an analysis in this process. Nothing here raises. Without a delivery nothing is sent."""

    def __init__(self, lane: Lane, delivery: Optional[Delivery], task_id: str) -> None:
        self.lane = lane
        self.delivery = delivery
        self.ended: Optional[str] = None  # the stage or the type of the event that ended it
        self.frames: Tuple[int, int] = (0, 0)  # done and in all, of the last loop over frames
        self._task_id = task_id
        self._stage, self._progress = FIRST_STAGE, 0.0
        self._counts: Dict[str, Any] = {}
        self._rate = Rate()
        self._loops: List[Loop] = []

    def status(self, status: Status) -> None:
        if self.ended is not None:
            log.debug("%s has ended: a status was left out", self.lane.analysis_id)
            return
        self._send(lambda to: to.status(self.lane, self._event(status)))

    def end(self, event_type: str, fields: Dict[str, Any]) -> None:
        """By a result or an error. Only an error may follow a result."""
        if self.ended in (event_type, "error", "cancelled", "queued"):
            log.debug("%s has ended: its %s was left out", self.lane.analysis_id, event_type)
            return
        self.ended = event_type
        event = timed(event_type, self.lane.analysis_id, self.lane.attempt_id, fields)
        self._send(lambda to: to.append(self.lane, event))
        self.watch()

    def end_stage(self, stage: str, message: str) -> None:
        """By a status; only `completed` may follow a result. `queued` ends what this run has to tell."""
        if self.ended is not None and not (stage == "completed" and self.ended in ("result", "result_update")):
            return
        event = self._event(Status(1.0 if stage == "completed" else None, stage, message))
        event.pop("estimated_completion", None)
        self.ended = stage
        self._send(lambda to: to.append(self.lane, event))
        self.watch()

    def open_loop(self, loop: Loop) -> None:
        self._loops.append(loop)
        self.status(self._of(loop))
        self.watch()

    def close_loop(self, loop: Loop) -> None:
        """Tells the last count."""
        if loop in self._loops:
            self._loops.remove(loop)
            if loop.told != loop.current:
                self.status(self._of(loop))
            self.watch()

    def watch(self) -> None:
        """Beats until the end, and while a loop runs its count is looked at."""
        running = self.ended is None
        sample = self._sample if running and self._loops else None
        self._send(lambda to: to.watch(self.lane, running, sample))

    def close(self) -> None:
        self._loops.clear()
        self._send(lambda to: to.close(self.lane))

    def _send(self, call: Callable[[Delivery], None]) -> None:
        if self.delivery is None:
            return
        try:
            call(self.delivery)
        except Exception:
            log.exception("something about %s could not be told", self.lane.analysis_id)

    def _sample(self) -> Optional[Event]:
        """Called by the thread that sends: the status of the innermost loop, if it went on."""
        loops = self._loops[-1:]
        if not loops or loops[0].told == loops[0].current or self.ended is not None:
            return None
        return self._event(self._of(loops[0]))

    def _of(self, loop: Loop) -> Status:
        loop.told = loop.current
        if loop.unit == "frames":
            self.frames = (loop.told, max(loop.told, int(loop.total or 0)))
        return Status(loop.progress(), loop.stage, loop.message, loop.told, loop.total, loop.unit)

    def _with_counts(self, status: Status) -> Status:
        """Counts that are left out are as before, until another stage begins."""
        if status.stage not in (None, self._stage):
            self._counts = {}
        self._stage = status.stage or self._stage
        told = {"current": status.current, "total": status.total, "unit": status.unit}
        if told["current"] is not None or told["total"] is not None:
            self._counts = told
        elif status.progress is not None:
            self._counts = {}
        return status._replace(**self._counts)

    def _event(self, status: Status) -> Event:
        status = self._with_counts(status)
        progress = status.progress
        if progress is None and status.total and status.current is not None:
            progress = min(1.0, float(status.current) / float(status.total))
        if progress is not None and math.isfinite(float(progress)):
            self._progress = float(progress)
        fields = {
            "task_id": self._task_id,
            "progress": round(self._progress, 6),
            "current_stage": self._stage,
            "message": status.message or _message(self._stage, status),
            **{name: value for name, value in self._counts.items() if value is not None},
        }
        estimate = self._rate.estimate(self._progress, time.monotonic())
        if estimate is not None:
            fields["estimated_completion"] = estimate
        return timed("status_update", self.lane.analysis_id, self.lane.attempt_id, {**fields, **status.extra})


def _message(stage: str, status: Status) -> str:
    words = stage.replace("_", " ").replace("-", " ").capitalize()
    if status.current is None:
        return words
    counted = f"{status.current:g}" if status.total is None else f"{status.current:g} of {status.total:g}"
    return f"{words}: {counted} {status.unit}" if status.unit else f"{words}: {counted}"
