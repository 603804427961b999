"""Which analysis a task of Celery belongs to, and whether its run is an attempt of its own."""

import ast
from typing import Any, Callable, Dict, NamedTuple, Optional

# Answers the id of the analysis that a task belongs to, None if to none. Arguments: the task, its id, its keywords.
IdFunction = Callable[[Any, str, Dict[str, Any]], Optional[str]]


class Run(NamedTuple):
    """One run of a task."""

    analysis: str
    # None if several tasks share the analysis, so that none of them replaces another.
    attempt_id: Optional[str]


def usual_id(task: Any, task_id: str, keywords: Dict[str, Any]) -> Optional[str]:
    return str(keywords.get("analysis_id") or task_id)


def is_member(request: Dict[str, Any], canvas: Dict[str, Any]) -> bool:
    """Whether the task is one of a chord, group or chain, or its callback."""
    later = canvas.get("chord") or canvas.get("chain") or request.get("group")
    return bool(later) or request.get("root_id") not in (None, request.get("id"))


def keywords_of(request: Any) -> Dict[str, Any]:
    """Celery keeps only how the keywords look if a task is revoked before it is received."""
    try:
        shown = ast.literal_eval(getattr(request, "kwargsrepr", None) or "{}")
    except (ValueError, SyntaxError):
        return {}
    return shown if isinstance(shown, dict) else {}
