"""Passes on to the analysis what a task of Celery says of itself: its states, and the value that it returns."""

import logging
import sys
from typing import Any, Callable, Dict, Mapping, Optional, Union
from weakref import WeakSet

from .analysis import Analysis, Cancelled, current_run
from .celery_running import Running
from .encoding import to_json
from .loop import finite
from .schema import EventRefused, check
from .status import Status

log = logging.getLogger("telltale_client")

# Whether the value that a task returns is its result, or a function that makes the result of it, None for none.
ResultOption = Union[bool, Callable[[Any], Any]]
COUNTS = ("progress", "current", "total")
# Their tasks have told a progress of more than 1, so that a smaller one is of a hundred too.
_of_a_hundred: "WeakSet[Analysis]" = WeakSet()


def tell_returned(analysis: Analysis, value: Any, option: ResultOption) -> None:
    """Tells the value as the result. One that has a verdict among its keys is told as one, and None not at all.

    The task has succeeded: a value that a gateway would refuse, as a verdict without a number, is told as plain data, else left out.
    """
    try:
        result = option(value) if callable(option) else value if option else None
        if result is None:
            return
        if isinstance(result, dict) and "is_fake" in result and "confidence_score" in result and not {"self", "data"} & result.keys():
            verdict = {str(name): part for name, part in result.items()}
            fault = _fault_of(analysis, "result_update", {"frames_processed": 0, "processing_time_ms": 0, "total_frames": 0, **verdict})
            if fault is None:
                analysis.result(**verdict)
                return
            log.warning("the value of the task of %s is told as data, since it is no verdict: %s", analysis.id, fault)
        fault = _fault_of(analysis, "result", {"data": result})
        if fault is None:
            analysis.result(data=result)
        else:
            log.warning("the value of the task of %s is left out: %s", analysis.id, fault)
    except Exception:
        log.exception("the value of the task of %s could not be told", analysis.id)


def _fault_of(analysis: Analysis, event_type: str, fields: Dict[str, Any]) -> Optional[str]:
    """Why a gateway would refuse it; None if it would not."""
    try:
        check(to_json({**fields, "event_type": event_type, "analysis_id": analysis.id}))
    except EventRefused as refused:
        return "; ".join(map(str, refused.issues[:3]))
    return None


def pass_progress_on(task: Any) -> None:
    """`update_state` of this task goes on to the analysis as well. Done once for each task."""
    if "update_state" in vars(task):
        return
    original = task.update_state

    def update_state(task_id: Any = None, state: Any = None, meta: Any = None, **more: Any) -> Any:
        answer = original(task_id, state, meta, **more)
        analysis = current_run.get()
        if analysis is not None and isinstance(meta, Mapping) and task_id in (None, task.request.id):
            _safely_tell(analysis, state, meta)
            if state != "FAILURE":
                analysis.raise_if_cancelled()
        return answer

    task.update_state = update_state


def know_retries(task: Any, running: Callable[[str], Optional[Running]]) -> None:
    """`retry` of this task notes its exception before it sends the next try. Done once for each task."""
    if "retry" in vars(task):
        return
    original = task.retry

    def retry(args: Any = None, kwargs: Any = None, exc: Any = None, *more: Any, **options: Any) -> Any:
        found = running(task.request.id)
        if found is not None:
            found.cause = exc if exc is not None else sys.exc_info()[1]
        return original(args, kwargs, exc, *more, **options)

    task.retry = retry


def keep_as_revoked(task: Any) -> None:
    """The final state of a task that obeyed a request to cancel: Celery keeps none for Ignore, so that whoever gets its result would wait for ever."""
    request = task.request
    if not request.is_eager:
        ignores = getattr(request, "ignore_result", None) or task.ignore_result
        task.backend.mark_as_revoked(request.id, "the analysis was cancelled", request, store_result=not ignores)


def _safely_tell(analysis: Analysis, state: Any, meta: Mapping[Any, Any]) -> None:
    """Raises for an event that a gateway would refuse, if the worker checks its events, and nothing else."""
    try:
        if state == "FAILURE":
            # The task raises Ignore next, and Celery leaves the state as it is.
            analysis.error(str(meta.get("exc_type") or "task_failed"), str(meta.get("exc_message") or "The task has failed"))
        else:
            analysis._telling.status(_status_of(analysis, meta))
    except (Cancelled, EventRefused):
        raise
    except Exception:
        log.exception("a state of the task of %s could not be told", analysis.id)


def _status_of(analysis: Analysis, meta: Mapping[Any, Any]) -> Status:
    """The status that `meta` tells in the words of `Analysis.report`; `current_stage` and `description` are other names for two of them."""
    said = {str(name): value for name, value in meta.items()}
    own_stage, description = said.pop("current_stage", None), said.pop("description", None)
    counts = {name: _number(analysis, name, said.pop(name, None)) for name in COUNTS}
    stage, message, unit = said.pop("stage", None) or own_stage, said.pop("message", None), said.pop("unit", None)
    if description is not None and message is None:
        message = description
    return Status(
        _fraction(analysis, counts["progress"]),
        stage,
        None if message is None else str(message) or None,
        counts["current"],
        counts["total"],
        None if unit is None else str(unit),
        said,
    )


def _number(analysis: Analysis, name: str, value: Any) -> Optional[float]:
    """A number may be text, as one that was read from a file."""
    if isinstance(value, str):
        number = finite(_parsed(value))
    else:
        number = finite(value) if value is not None else None
    if number is None and value is not None:
        analysis._telling.lane.tell_fault("a state of the task of %s has no number: %s", f"`{name}` is {value!r:.100}")
    return number


def _parsed(text: str) -> Optional[float]:
    try:
        number = float(text)
        return int(number) if number.is_integer() else number
    except ValueError:
        return None


def _fraction(analysis: Analysis, progress: Optional[float]) -> Optional[float]:
    """A progress of 2 or more is of a hundred, and so are those of the same run that follow it."""
    if progress is None:
        return None
    if not 0 <= progress <= 100:
        analysis._telling.lane.tell_fault("a progress of %s is left out: %s", f"{progress:g} is neither of 1 nor of 100")
        return None
    if progress >= 2:  # 1.0000001 is a fraction that was added up
        _of_a_hundred.add(analysis)
    return progress / 100 if analysis in _of_a_hundred else min(1, progress)
