"""Celery: `setup(app)`, one line, and every task of the application tells how it goes.

The child process tells that a task began, its progress, its end and its retries. The parent process tells the end of a child that
could say nothing: killed, out of memory, over its time limit, or revoked.
"""

import logging
import os
import sys
import uuid
from collections import OrderedDict
from typing import Any, Callable, Dict, List, Optional, Tuple

from celery import signals
from celery.exceptions import Ignore, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from .analysis import Analysis, Cancelled, current_run, id_of
from .celery_runs import IdFunction, Run, is_member, keywords_of, usual_id
from .celery_states import ResultOption, pass_progress_on, tell_returned
from .deliveries import flush_all

log = logging.getLogger("telltale_client")

# The name under which the parent process tells a child the attempt that it runs.
ATTEMPT = "telltale_attempt"
# The parent forgets the oldest of more unfinished tasks.
MOST_KNOWN = 10_000

CODES = {
    SoftTimeLimitExceeded: ("time_limit_exceeded", "The task ran out of time"),
    TimeLimitExceeded: ("time_limit_exceeded", "The task ran out of time and was ended"),
    WorkerLostError: ("worker_lost", "The process that ran the task died"),
}


class CancelledTask(Cancelled, Ignore):  # type: ignore[misc]
    """Celery takes it for no failure, and `autoretry_for` does not try again."""


def setup(
    app: Any, analysis_id: Optional[IdFunction] = None, result: ResultOption = False, **options: Any
) -> "CelerySetup":
    """Tells how the tasks of the application go. Called once, after `app` is made.

    The analysis is the task's keyword argument `analysis_id`, else the task's id; a function says otherwise, and None leaves a
    task out. An id that is no UUID is made one by `Analysis.id_for`. With `result` the value that a task returns is told as its
    result, or what the function makes of it; whoever may watch the analysis sees it. `options` are `url`, `token`, `stage` and
    `check` of `Analysis`.
    """
    return CelerySetup(app, analysis_id or usual_id, result, options).connect()


def current_analysis() -> Optional[Analysis]:
    """The analysis of the task that runs; None outside one."""
    return current_run.get()


class CelerySetup:
    """The receivers of the signals, for as long as the application lives."""

    def __init__(self, app: Any, analysis_id: IdFunction, result: ResultOption, options: Dict[str, Any]) -> None:
        self._app = app
        self._analysis_id = analysis_id
        self._result = result
        # The process that receives the tasks; None before the first.
        self._receiver: Optional[int] = None
        self._options = options
        # In the parent, of each task that it received.
        self._received: "OrderedDict[str, Run]" = OrderedDict()
        # In the child, of each task that runs: the analysis, and what current_run is to be reset with.
        self._running: Dict[str, Tuple[Analysis, Any]] = {}

    def connect(self) -> "CelerySetup":
        receivers: List[Tuple[Any, Callable[..., None]]] = [
            (signals.task_received, self._task_received),
            (signals.task_prerun, self._task_begins),
            (signals.task_retry, self._task_retries),
            (signals.task_failure, self._task_failed),
            (signals.task_revoked, self._task_revoked),
            (signals.task_postrun, self._task_ended),
            (signals.worker_process_shutdown, self._process_ends),
        ]
        for signal, receiver in receivers:
            signal.connect(_safely(receiver), weak=False)
        return self

    def _task_received(self, request: Any = None, **_: Any) -> None:
        """In the parent: names the run, so that the child knows it too. A task that is received again is another run."""
        self._receiver = os.getpid()
        named = self._analysis_id(request.task, request.id, request.kwargs or {})
        if named is None:
            return
        _, _, canvas = request._payload
        alone = str(named) == request.id or not is_member(request.request_dict, canvas or {})
        run = Run(str(named), uuid.uuid4().hex if alone else None)
        request.request_dict[ATTEMPT] = run.attempt_id
        self._received[request.id] = run
        while len(self._received) > MOST_KNOWN:
            self._received.popitem(last=False)

    def _task_begins(self, task_id: str = "", task: Any = None, kwargs: Any = None, **_: Any) -> None:
        if task.app is not self._app:
            return
        named = self._analysis_id(task, task_id, kwargs or {})
        if named is None:
            return
        part = str(named) != task_id and bool(task.request.chord or task.request.group or task.request.chain)
        analysis = self._analysis(task_id, Run(str(named), getattr(task.request, ATTEMPT, None)), part)
        self._running[task_id] = (analysis, current_run.set(analysis))
        pass_progress_on(task)
        analysis.start()

    def _task_retries(self, request: Any = None, reason: Any = None, **_: Any) -> None:
        found = self._running.get(request.id)
        if found is not None:
            cause = getattr(reason, "exc", None)
            why = f": {type(cause).__name__}: {cause}" if isinstance(cause, BaseException) else ""
            found[0]._telling.end_stage("queued", f"The task is tried again{why}"[:500])

    def _task_failed(
        self, sender: Any = None, task_id: str = "", exception: Any = None, kwargs: Any = None, **_: Any
    ) -> None:
        """In the child for an exception of the task; in the parent if the child could tell nothing."""
        if sender.app is not self._app:
            return
        found = self._running.get(task_id)
        if found is not None:
            _tell_failure(found[0], exception)
            return
        run = self._received.pop(task_id, None) or self._run_unreceived(sender, task_id, kwargs or {})
        if run is not None:
            _tell_failure(self._analysis(task_id, run, part=True), exception)

    def _task_revoked(self, sender: Any = None, request: Any = None, expired: bool = False, **_: Any) -> None:
        """In the parent, which has killed the child if the task ran."""
        if sender.app is not self._app:
            return
        run = self._received.pop(request.id, None) or self._run_unreceived(sender, request.id, keywords_of(request))
        if run is None:
            return
        analysis = self._analysis(request.id, run, part=True)
        if expired:
            analysis.error("task_expired", "The task waited for longer than it may")
        analysis.finish(Cancelled())

    def _task_ended(self, task_id: str = "", state: Any = None, retval: Any = None, **_: Any) -> None:
        found = self._running.pop(task_id, None)
        if found is None:
            return
        analysis, token = found
        try:
            current_run.reset(token)
        except ValueError:
            current_run.set(None)  # it was set in another context, as greenlets have
        self._tell_end(analysis, state, retval)
        if analysis._telling.lane.attempt_id is None:
            # No attempt would replace this one, so nothing of it may come after the next task's events.
            analysis.wait()

    def _tell_end(self, analysis: Analysis, state: Any, retval: Any) -> None:
        if state == "SUCCESS":
            if not analysis.is_part:
                tell_returned(analysis, retval, self._result)
            analysis.finish()
        elif state == "IGNORED":
            # It raised Cancelled; else Ignore, which says that nothing is wrong.
            analysis.finish(retval if isinstance(retval, Cancelled) else None)
        elif state == "REJECTED" and getattr(retval, "requeue", False):
            analysis._telling.end_stage("queued", "The task was rejected and waits again")
        elif state == "REJECTED":
            analysis.error("task_rejected", f"The task was rejected: {getattr(retval, 'reason', None) or 'no reason was given'}")
        elif state is None and self._receiver == os.getpid():
            # SystemExit in a thread, which ends no process whose parent could say so.
            analysis.finish(sys.exc_info()[1])
        analysis.close()

    def _process_ends(self, **_: Any) -> None:
        flush_all()

    def _run_unreceived(self, task: Any, task_id: str, keywords: Dict[str, Any]) -> Optional["Run"]:
        named = self._analysis_id(task, task_id, keywords)
        return None if named is None else Run(str(named), None)

    def _analysis(self, task_id: str, run: "Run", part: bool) -> Analysis:
        return Analysis(
            id_of(run.analysis),
            attempt_id=run.attempt_id,
            task_id=task_id,
            part=part,
            cancelled_type=CancelledTask,
            **self._options,
        )


def _safely(receiver: Callable[..., None]) -> Callable[..., None]:
    """A fault here is none of the task, and not worth ending a worker for."""

    def received(**told: Any) -> None:
        try:
            receiver(**told)
        except Exception:
            log.exception("something about a task could not be told")

    return received


def _tell_failure(analysis: Analysis, exception: Any) -> None:
    if isinstance(exception, Cancelled):
        analysis.finish(exception)
        return
    for kind, (code, message) in CODES.items():
        if isinstance(exception, kind):
            analysis.error(code, message, {"exception": str(exception)[:500]})
    fault = exception if isinstance(exception, BaseException) else RuntimeError(str(exception))
    analysis.finish(fault)
