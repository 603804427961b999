"""Celery: `setup(app)`, one line, and every task of the application tells how it goes.

The child process tells that a task began, its progress, its end and its retries. The parent process tells the end of a child that
could say nothing: killed, out of memory, over its time limit, or revoked.
"""

import logging
import os
import sys
from collections import OrderedDict
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from billiard import current_process
from celery import signals

from .analysis import Analysis, Cancelled, current_run, id_of
from .celery_publishing import Publishing
from .celery_queued import Queued
from .celery_running import CancelledTask, Running
from .celery_runs import IdFunction, Run, Runs, keywords_of, usual_id
from .celery_shared import EndWatch, SharedMemory
from .celery_states import ResultOption, keep_as_revoked, know_retries, pass_progress_on, tell_returned
from .deliveries import flush_all
from .last_told import LastTold

log = logging.getLogger("telltale_client")

# The name under which the parent process tells a child the attempt that it runs.
ATTEMPT = "telltale_attempt"
# The parent forgets the oldest of more unfinished tasks.
MOST_KNOWN = 10_000


def setup(
    app: Any, analysis_id: Optional[IdFunction] = None, result: ResultOption = False, queued: bool = True, **options: Any
) -> "CelerySetup":
    """Tells how the tasks of the application go. Called once, after `app` is made.

    The analysis is the task's keyword argument `analysis_id`, else the task's id; a function says otherwise, and None leaves a
    task out. An id that is no UUID is made one by `Analysis.id_for`. With `result` the value that a task returns is told as its
    result, or what the function makes of it; whoever may watch the analysis sees it. A process that sends a task tells first that it
    is queued, and waits for the gateway for that, a second at most; not if `queued` is False. `options` are `url`, `token`, `stage` and
    `check` of `Analysis`.
    """
    return CelerySetup(app, analysis_id or usual_id, result, queued, options).connect()


def current_analysis() -> Optional[Analysis]:
    """The analysis of the task that runs; None outside one."""
    return current_run.get()


class CelerySetup:
    """The receivers of the signals, for as long as the application lives."""

    def __init__(self, app: Any, analysis_id: IdFunction, result: ResultOption, queued: bool, options: Dict[str, Any]) -> None:
        self._app = app
        self._queued = Queued(app, self._analysis_of) if queued else None
        self._result = result
        self._options = options
        self._runs = Runs(app, analysis_id)
        self._memory = SharedMemory(app)
        self._ends = EndWatch(self._memory)
        # The process that receives the tasks; None before the first.
        self._receiver: Optional[int] = None
        # In the parent, of each task that it received.
        self._received: "OrderedDict[str, Run]" = OrderedDict()
        self._last_told = LastTold()
        # In the child.
        self._running: Dict[str, Running] = {}

    def connect(self) -> "CelerySetup":
        receivers: List[Tuple[Any, Callable[..., None]]] = [
            (signals.task_received, self._task_received),
            (signals.task_prerun, self._task_begins),
            (signals.task_failure, self._task_failed),
            (signals.task_revoked, self._task_revoked),
            (signals.task_postrun, self._task_ended),
            (signals.worker_process_shutdown, self._process_ends),
        ]
        for signal, receiver in receivers:
            signal.connect(_safely(receiver), weak=False)
        if self._queued is not None:
            self._queued.connect()
        Publishing(self._runs, self._memory, self._running.get, self._queued).connect()
        return self

    def _task_received(self, request: Any = None, **_: Any) -> None:
        """In the parent: names the run, so that the child knows it too. A task that is received again is another run."""
        self._receiver = os.getpid()
        _, keywords, embedded = request._payload
        message = {**request.request_dict, **(embedded or {})}
        run = self._runs.of(request.task, request.id, keywords or {}, message)
        if run is None:
            return
        request.request_dict[ATTEMPT] = run.attempt_id
        self._received[request.id] = run
        while len(self._received) > MOST_KNOWN:
            self._received.popitem(last=False)

    def _task_begins(self, task_id: str = "", task: Any = None, kwargs: Any = None, **_: Any) -> None:
        if task.app is not self._app:
            return
        message = vars(task.request)
        run = self._runs.of(task, task_id, kwargs or {}, message)
        if run is None:
            return
        run = run._replace(attempt_id=message.get(ATTEMPT) or run.attempt_id)
        running = self._new(run, message.get("retries") or 0)
        self._running[task_id] = running
        running.token = current_run.set(running.analysis)
        place = getattr(current_process(), "index", None)
        if place is not None and os.getpid() != self._receiver:
            running.analysis._telling.when_told = partial(self._last_told.write, place, task_id)
        pass_progress_on(task)
        know_retries(task, self._running.get)
        running.begin(self._ends)

    def _task_failed(
        self, sender: Any = None, task_id: str = "", exception: Any = None, kwargs: Any = None, **_: Any
    ) -> None:
        """In the child for an exception of the task; in the parent if the child could tell nothing."""
        if sender.app is not self._app:
            return
        running = self._running.get(task_id) or self._not_running(sender, task_id, kwargs or {}, {})
        if running is not None:
            running.fail(exception)

    def _task_revoked(self, sender: Any = None, request: Any = None, expired: bool = False, **_: Any) -> None:
        """In the parent, which has killed the child if the task ran."""
        if sender.app is not self._app:
            return
        running = self._not_running(sender, request.id, keywords_of(request), vars(request))
        if running is None:
            return
        if expired:
            running.error("task_expired", "The task waited for longer than it may")
        else:
            running.cancel()
        running.analysis.close()

    def _task_ended(self, task_id: str = "", task: Any = None, state: Any = None, retval: Any = None, **_: Any) -> None:
        running = self._running.pop(task_id, None)
        if running is None:
            return
        try:
            current_run.reset(running.token)
        except ValueError:
            current_run.set(None)  # it was set in another context, as greenlets have
        self._ends.remove(running.run.attempt_id, running.is_over)
        try:
            self._tell_end(running, state, retval)
        finally:
            running.analysis.close()
        if running.shared:
            # Nothing of it should come after the end, which another task tells.
            running.analysis.wait()
        if state == "IGNORED" and isinstance(retval, Cancelled):
            keep_as_revoked(task)

    def _tell_end(self, running: Running, state: Any, retval: Any) -> None:
        analysis = running.analysis
        if state != "RETRY":
            running.does_not_wait()
        if state == "SUCCESS":
            if running.succeed():
                if running.tells_its_value:
                    tell_returned(analysis, retval, self._result)
                running.complete()
        elif state == "RETRY":
            running.waits("The task is tried again")
        elif running.replaced:
            running.waits("The task is replaced by another one")
        elif state == "IGNORED" and isinstance(retval, Cancelled):
            running.cancel()
        elif state == "IGNORED":
            # It says that nothing is wrong. Nothing that should come after it is run.
            running.stop()
        elif state == "REJECTED" and getattr(retval, "requeue", False):
            running.waits("The task was rejected and waits again")
        elif state == "REJECTED":
            running.error("task_rejected", f"The task was rejected: {getattr(retval, 'reason', None) or 'no reason was given'}")
        elif state is None and self._receiver == os.getpid():
            # SystemExit in a thread, which ends no process whose parent could say so.
            running.leave(sys.exc_info()[1])

    def _process_ends(self, **_: Any) -> None:
        flush_all()

    def _not_running(self, task: Any, task_id: str, keywords: Dict[str, Any], message: Mapping[str, Any]) -> Optional[Running]:
        """The run of a task that ends in this process although it does not run there."""
        run = self._received.pop(task_id, None) or self._runs.of(task, task_id, keywords, message)
        if run is None or run.cancelled:
            return None
        running, at = self._new(run), self._last_told.find(task_id)
        if at is not None:
            running.analysis._telling.whole = None  # it is of the whole already
            running.analysis._telling.begin_at(*at)
        elif running.whole is not None:
            running.whole.add(0.0)
        return running

    def _new(self, run: Run, retries: int = 0) -> Running:
        return Running(run, self._analysis_of(run), self._memory, retries)

    def _analysis_of(self, run: Run) -> Analysis:
        return Analysis(
            id_of(run.analysis),
            attempt_id=run.attempt_id,
            task_id=run.task_id,
            part=run.shared,
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
