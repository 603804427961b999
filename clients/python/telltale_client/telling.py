"""Makes the statuses and the end of one analysis, and hands them to its lane."""

import sys
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .delivery import Delivery
from .encoding import plain, to_json
from .events import ENDING_STAGES, Event, timed
from .extra_fields import OF_A_STATUS, OF_AN_END, Rules, left_out
from .held_log import HeldLog
from .lane import RESULTS, Lane
from .loop import Loop, Rate
from .schema import EventRefused, check
from .status import Status, Whole, message_of, progress_of, readable
from .under_run import UnderRun

log = HeldLog()

FIRST_STAGE = "initializing"
MOST_STAGES = 50


class Telling:
    """All that is told of an analysis in this process. Without a delivery nothing is sent.

    A `command` is told when the first event is told, and when the end is stored. Nothing here raises, but for EventRefused if `checks` says that each event is judged before.
    """

    def __init__(
        self,
        lane: Lane,
        delivery: Optional[Delivery],
        task_id: str,
        stage: str = FIRST_STAGE,
        command: Optional[UnderRun] = None,
    ) -> None:
        self.lane = lane
        self.delivery = delivery
        self.checks = False
        self.has_result = True  # else its result and its completion are another task's to tell
        self.when_told: Optional[Callable[[str, float], None]] = None  # called with the stage and the progress of each status
        self.whole: Optional[Whole] = None
        self.frames: Tuple[int, int] = (0, 0)  # done and in all, of the last loop over frames
        self._task_id = task_id
        self._stage, self._progress = stage, 0.0
        self._stages: Tuple[str, ...] = (stage,)  # as they were told
        self._counts: Dict[str, Any] = {}
        self._rate = Rate()
        self._loops: List[Loop] = []
        self._when_opened: Optional[Callable[[], None]] = None
        if command is not None:
            self._when_opened, lane.when_ended = command.opened, command.ended

    def status(self, status: Status) -> None:
        """After the end a status is left out, since it would open the analysis again."""
        if self.whole is not None:
            self.whole.add(progress_of(readable(status)))
        stage = plain(status.stage)
        if stage == "completed" and not self.has_result:
            stage, status = None, status._replace(stage=None)  # others go on with the analysis
        if stage in ENDING_STAGES:
            self._end(stage, lambda: self._event(status))
        else:
            self._offer(lambda: self._event(status), lambda to, make: to.status(self.lane, make))

    def end(self, event_type: str, fields: Dict[str, Any]) -> None:
        """By a result or an error. The first end counts: one that follows is left out, with a line in the log if it is an error."""
        lane = self.lane
        if event_type in RESULTS and not self.has_result:
            log.warning("a result of %s is left out: the last of the tasks that share the analysis tells it", lane.analysis_id)
            return
        before = lane.ended
        told = self._end(event_type, lambda: timed(event_type, lane.analysis_id, lane.attempt_id, self._own(fields, OF_AN_END)))
        if not told and event_type == "error" and before in (*RESULTS, "completed"):
            code, message = fields.get("error_code"), fields.get("error_message")
            log.warning("%s had ended by its %s: an error was left out: %s: %s", lane.analysis_id, before, code, message)

    def end_stage(self, stage: str, message: str) -> None:
        """By a status; only `completed` may follow a result. `queued` ends what this run has to tell."""

        def event() -> Event:
            made = self._event(Status(1.0 if stage == "completed" else None, stage, message))
            made.pop("estimated_completion", None)
            return made

        if stage == "completed" and self.lane.cancel_requested and self.lane.ended in (None, *RESULTS):
            log.warning("%s was to be cancelled, and completed: nothing in it asked before it was done", self.lane.analysis_id)
        self._end(stage, event)

    @property
    def at(self) -> Tuple[str, float]:
        """The stage and the progress that were told last."""
        return self._stage, self._overall()

    def begin_at(self, stage: str, progress: float) -> None:
        """Goes on from what another task has told."""
        self._stage, self._progress = stage, progress if self.whole is None else 0.0

    def reopen(self) -> None:
        """The run goes on although it was told that it waits."""
        self.lane.ended = None
        self.watch()

    def release(self) -> None:
        """Sends what waits for its time at once."""
        self._send(lambda to: to.release(self.lane))

    def take_back(self) -> None:
        """Sends no more of what waits."""
        self._send(lambda to: to.take_back(self.lane))

    def is_over(self, how: str) -> None:
        """Another task of the same attempt has told how it ends, so that this one tells no more."""
        self._send(lambda to: to.is_over(self.lane, how))

    def open_loop(self, loop: Loop) -> None:
        loop.read()
        self.status(self._of(loop))
        self._loops.append(loop)
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
        running = self.lane.ended is None
        sample = self._sample if running and self._loops else None
        self._send(lambda to: to.watch(self.lane, running, sample))

    def close(self) -> None:
        self._loops.clear()
        self._send(lambda to: to.close(self.lane))

    def _end(self, name: str, make: Callable[[], Event]) -> bool:
        """Answers whether it is told; True also if nothing is sent at all."""
        told = [True]

        def end(to: Delivery, checked: Callable[[], Event]) -> None:
            told[0] = to.end(self.lane, name, checked)

        self._offer(make, end)
        self.watch()
        return told[0]

    def _offer(self, make: Callable[[], Event], call: Callable[[Delivery, Callable[[], Event]], None]) -> None:
        def checked() -> Event:
            before = self._stage, self._stages, self._progress, self._counts
            event = make()
            try:
                if self.checks and self.lane.ended is None:
                    check(to_json(event))
            except EventRefused:
                self._stage, self._stages, self._progress, self._counts = before  # the next status must not be refused for this one
                raise
            return event

        if self.delivery is None and self.checks:
            checked()
        self._send(lambda to: call(to, checked))

    def _send(self, call: Callable[[Delivery], None]) -> None:
        # When Python is about to end, it has stopped the thread that sends, perhaps while that had the lock.
        if self.delivery is None or sys.is_finalizing():
            return
        opened, self._when_opened = self._when_opened, None
        try:
            if opened is not None:
                opened()
            call(self.delivery)
        except EventRefused:
            raise
        except Exception:
            log.exception("something about %s could not be told", self.lane.analysis_id)

    def _sample(self) -> Optional[Event]:
        """Called by the thread that sends: the status of the innermost loop, if it went on."""
        loops = self._loops[-1:]
        if not loops or loops[0].told == loops[0].current:
            return None
        return self._event(self._of(loops[0]))

    def _of(self, loop: Loop) -> Status:
        loop.told = loop.current
        if loop.unit == "frames":
            self.frames = (loop.told, max(loop.told, int(loop.total or 0)))
        return Status(loop.progress(), loop.stage, loop.message, loop.told, loop.total, loop.unit)

    def _without_refused(self, status: Status) -> Status:
        """A stage that the gateway refused is the one before it from then on: what else is told must not be lost with it."""
        refused = self.lane.refused_stages
        if self._stage in refused:
            self._stage = next((stage for stage in reversed(self._stages) if stage not in refused), self._stage)
        return status._replace(stage=None) if status.stage in refused else status

    def _with_counts(self, status: Status) -> Status:
        """Counts that are left out are as before, until another stage begins."""
        if status.stage is not None and status.stage != self._stage:
            self._counts = {}
            self._stages = (*self._stages[1 - MOST_STAGES :], status.stage)
        self._stage = status.stage or self._stage
        told = {"current": status.current, "total": status.total, "unit": status.unit}
        if told["current"] is not None or told["total"] is not None:
            self._counts = told
        elif status.progress is not None:
            self._counts = {}
        return status._replace(**self._counts)

    def share(self, whole: Whole) -> None:
        """From now on the progress is a part of the whole."""
        self.whole, self.lane.refresh = whole, lambda: whole.add(self._progress, is_due=True)
        self.lane.refreshed = lambda event: {**event, "progress": round(self._overall(), 6)}

    def _overall(self) -> float:
        return self._progress if self.whole is None else self.whole.overall(self._progress)

    def _event(self, status: Status) -> Event:
        status = self._with_counts(self._without_refused(readable(status)))
        progress = progress_of(status)
        told = self._progress if progress is None else progress
        if 0 <= told <= 1:
            self._progress = told  # another one is refused, and must not take later events with it
            told = told if status.stage == "completed" else self._overall()
        if self.when_told is not None and status.stage not in ENDING_STAGES:
            self.when_told(*self.at)
        fields = {
            "task_id": self._task_id,
            "progress": round(told, 6),
            "current_stage": self._stage,
            "message": status.message or message_of(self._stage, status),
            **{name: value for name, value in self._counts.items() if value is not None},
        }
        estimate = self._rate.estimate(self._overall(), time.monotonic())
        if estimate is not None:
            fields["estimated_completion"] = estimate
        return timed("status_update", self.lane.analysis_id, self.lane.attempt_id, {**fields, **self._own(status.extra)})

    def _own(self, fields: Mapping[str, Any], rules: Rules = OF_A_STATUS) -> Dict[str, Any]:
        """The fields of the worker's own, without those that would take the place of the event's."""
        reasons = left_out(fields, rules)
        for name, reason in reasons.items():
            self.lane.tell_fault("a field of an event of %s is left out: %s", f"`{name}`: {reason}")
        return {name: value for name, value in fields.items() if name not in reasons}
