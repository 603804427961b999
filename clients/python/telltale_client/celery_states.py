"""Passes on to the analysis what a task of Celery says of itself: its states, and the value that it returns."""

from typing import Any, Callable, Union

from .analysis import Analysis, current_run

# Whether the value that a task returns is its result, or a function that makes the result of it, None for none.
ResultOption = Union[bool, Callable[[Any], Any]]


def tell_returned(analysis: Analysis, value: Any, option: ResultOption) -> None:
    """Tells the value as the result. One that has a verdict among its keys is told as one, and None not at all."""
    result = option(value) if callable(option) else value if option else None
    if result is None:
        return
    is_verdict = isinstance(result, dict) and "is_fake" in result and "confidence_score" in result
    if is_verdict:
        analysis.result(**{str(name): part for name, part in result.items()})
    else:
        analysis.result(data=result)


def pass_progress_on(task: Any) -> None:
    """`update_state` of this task goes on to the analysis as well, as it is. Done once for each task."""
    if "update_state" in vars(task):
        return
    original = task.update_state

    def update_state(task_id: Any = None, state: Any = None, meta: Any = None, **more: Any) -> Any:
        answer = original(task_id, state, meta, **more)
        analysis = current_run.get()
        if analysis is not None and isinstance(meta, dict) and task_id in (None, task.request.id):
            if state == "FAILURE":
                # The task raises Ignore next, and Celery leaves the state as it is.
                analysis.error(str(meta.get("exc_type") or "task_failed"), str(meta.get("exc_message") or "The task has failed"))
                return answer
            known = {name: meta[name] for name in ("progress", "current", "total", "unit", "stage", "message") if name in meta}
            extra = {str(name): value for name, value in meta.items() if name not in known}
            if "description" in meta and "message" not in meta:
                known["message"] = str(meta["description"]) or None
            analysis.report(**{**extra, **known})
            analysis.raise_if_cancelled()
        return answer

    task.update_state = update_state
