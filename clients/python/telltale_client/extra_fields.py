"""The fields of a worker's own that a status may carry: they take the place of none that the event has already."""

from datetime import datetime
from typing import Any, Dict, Mapping, Tuple

# The event says them itself.
OF_THE_EVENT = ("event_type", "event_id", "analysis_id", "attempt_id", "progress", "current_stage", "message")
# A worker may say them. With a value of another type the gateway would refuse the whole event.
TYPES: Dict[str, Tuple[type, ...]] = {
    "task_id": (str,),
    "timestamp": (str, datetime),
    "estimated_completion": (str, datetime, type(None)),
    "error": (str, type(None)),
}


def left_out(extra: Mapping[str, Any]) -> Dict[str, str]:
    """Why a field is not passed on, for each that is not."""
    reasons = {name: "the event says it itself" for name in OF_THE_EVENT if name in extra}
    for name, types in TYPES.items():
        if name in extra and not isinstance(extra[name], types):
            reasons[name] = f"it is no {' or '.join(kind.__name__ for kind in types if kind is not type(None))}"
    return reasons
