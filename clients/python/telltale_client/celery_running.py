"""A task of Celery that runs in this process, and how its run ends."""

import logging
from typing import Any, Dict, Optional

from celery.exceptions import Ignore, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from .analysis import Analysis, Cancelled
from .celery_runs import Run
from .celery_shared import EndWatch, SharedMemory
from .celery_whole import PartOfWhole
from .encoding import text_of
from .events import is_leaving
from .retries import waits_for_retry
from .status import Status

log = logging.getLogger("telltale_client")

CODES = {
    SoftTimeLimitExceeded: ("time_limit_exceeded", "The task ran out of time"),
    TimeLimitExceeded: ("time_limit_exceeded", "The task ran out of time and was ended"),
    WorkerLostError: ("worker_lost", "The process that ran the task died"),
}


class CancelledTask(Cancelled, Ignore):  # type: ignore[misc]
    """Celery takes it for no failure, and `autoretry_for` does not try again."""


class Running:
    """Also made in the parent process, for a child that could not say how it ended."""

    def __init__(self, run: Run, analysis: Analysis, memory: SharedMemory, retries: int = 0) -> None:
        self.run = run
        self.analysis = analysis
        self.retries = retries
        # Whether other tasks tell of the analysis under its attempt.
        self.shared = run.shared
        # Reset when the task ends.
        self.token: Any = None
        # Whether tasks that it started are to be done before the analysis is complete.
        self.counted = run.counted
        # Another task has taken its place, by `replace`.
        self.replaced = False
        # The exception that the next try is for.
        self.cause: Optional[BaseException] = None
        self._tried_again = False
        self.whole = PartOfWhole(memory, run.whole, run.task_id) if run.whole is not None else None
        if self.whole is not None:
            analysis._telling.share(self.whole)
        self._memory = memory
        self._ends: Optional[EndWatch] = None

    @property
    def tells_its_value(self) -> bool:
        """A group has no value, as none of its tasks knows all."""
        return self.run.completes and self.run.of is None

    def is_over(self, how: str) -> None:
        self.analysis._telling.is_over(how)

    def begin(self, ends: EndWatch) -> None:
        """Tells that the task runs, if no other one has told more of the analysis already."""
        self._ends = ends
        run, telling = self.run, self.analysis._telling
        how = "cancelled" if run.cancelled else self._memory.ended([run.attempt_id]).get(run.attempt_id) if run.shared else None
        if how is not None:
            self.is_over(how)
        elif run.shared:
            ends.add(run.attempt_id, self.is_over)
        telling.has_result = self.tells_its_value and not run.counted
        at = run.mark.get("at")
        if at:
            telling.begin_at(*at)
        if self.whole is not None:
            self.whole.add(0.0)
        if telling.when_told is not None:
            telling.when_told(*telling.at)
        self.analysis.start()
        if run.shared and self._tells_its_begin():
            telling.status(Status(message="Started"))

    def _tells_its_begin(self) -> bool:
        if self.retries or not self.run.parallel:
            return True
        return not self.run.mark.get("part") and self._memory.begins(self.run.attempt_id)

    def share(self) -> bool:
        """Called before it starts a task that tells of the analysis too. Whether the two can be counted."""
        if not self.shared and self._ends is not None:
            self._ends.add(self.run.attempt_id, self.is_over)
        self.shared = True
        self.counted = self.counted or self._memory.open(self.run.attempt_id, self.run.task_id)
        return self.counted

    def tries_again(self) -> bool:
        """Tells that the task waits for its next try. Answers whether it was cancelled before, so that there is to be none."""
        why = f": {type(self.cause).__name__}: {text_of(self.cause)}" if self.cause is not None else ""
        self._tried_again = True
        is_cancelled = waits_for_retry(self.analysis, f"The task is tried again{why}")
        if is_cancelled:
            self.cancel()
        return is_cancelled

    def succeed(self) -> bool:
        """Whether the analysis is complete by this. Before it is counted all that it told is with the gateway: a status after the end would reopen it."""
        run = self.run
        if self.whole is not None:
            done = self.whole.add(1.0)
            if run.of is not None and 0 < done < run.of:
                self.analysis._telling.status(Status(1.0, message=f"{done} of {self.whole.tasks} tasks are done"))
        if self.counted or run.of is not None:
            self.analysis._telling.release()
            self.analysis.wait()
        if self.counted:
            return self._memory.done(run.attempt_id, run.task_id)
        if run.completes and run.of is not None:
            return self._memory.counted(run.attempt_id, run.task_id, run.of)
        return run.completes

    def complete(self) -> None:
        self.analysis._telling.end_stage("completed", "Completed")

    def stop(self) -> None:
        """Without an error before its end, which is where a chain ends then."""
        if self.run.counted or self.run.of is not None:
            if self.succeed():
                self.complete()
        elif not self.run.parallel:
            self.complete()

    def leave(self, fault: Any) -> None:
        """By `sys.exit` in a thread."""
        if is_leaving(fault):
            self.stop()
        else:
            self.fail(fault)

    def cancel(self) -> None:
        """The others of a shared attempt learn of it before its end is told, which is the end of the request."""
        if self.shared:
            self._memory.end(self.run.attempt_id, "cancelled")
        self.analysis._telling.end_stage("cancelled", "Cancelled")

    def fail(self, exception: Any) -> None:
        if isinstance(exception, Cancelled):
            self.cancel()
            return
        for kind, (code, message) in CODES.items():
            if isinstance(exception, kind):
                self.error(code, message, {"exception": text_of(exception)[:500]})
        self.analysis.finish(exception if isinstance(exception, BaseException) else RuntimeError(text_of(exception)))
        self._ends_the_others()

    def error(self, code: str, message: str, details: Optional[Dict[str, Any]] = None) -> None:
        self.analysis.error(code, message, details)
        self._ends_the_others()

    def waits(self, message: str) -> None:
        self.analysis._telling.end_stage("queued", message)

    def does_not_wait(self) -> None:
        """A next try was told that there will not be: it could not be sent, or the task went on."""
        if self._tried_again and self.analysis._telling.lane.ended == "queued":
            self.analysis._telling.reopen()

    def _ends_the_others(self) -> None:
        """They tell no more, as the gateway would refuse it."""
        if self.shared:
            self._memory.end(self.run.attempt_id, "failed")
