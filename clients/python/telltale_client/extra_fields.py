"""The fields of a worker's own that an event may carry: they take the place of none that the event has already."""

from datetime import datetime
from typing import Any, Dict, Mapping, NamedTuple, Tuple

OF_EVERY_EVENT = ("event_type", "event_id", "analysis_id", "attempt_id")
TIMES = (str, datetime)


class Rules(NamedTuple):
    # The event says them itself.
    own: Tuple[str, ...]
    # A worker may say them. With a value of another type the gateway would refuse the whole event.
    types: Dict[str, Tuple[type, ...]]


OF_A_STATUS = Rules(
    (*OF_EVERY_EVENT, "progress", "current_stage", "message"),
    {
        "task_id": (str,),
        "timestamp": TIMES,
        "estimated_completion": (*TIMES, type(None)),
        "error": (str, type(None)),
    },
)
OF_AN_END = Rules(OF_EVERY_EVENT, {"timestamp": TIMES})


def left_out(extra: Mapping[str, Any], rules: Rules = OF_A_STATUS) -> Dict[str, str]:
    """Why a field is not passed on, for each that is not."""
    reasons = {name: "the event says it itself" for name in rules.own if name in extra}
    for name, types in rules.types.items():
        if name in extra and not isinstance(extra[name], types):
            reasons[name] = f"it is no {' or '.join(kind.__name__ for kind in types if kind is not type(None))}"
    return reasons
