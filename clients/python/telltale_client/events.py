"""Makes the events of the contract from what a worker says."""

import os
import traceback
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Sequence

from .encoding import text_of
from .transport import Issue

Event = Dict[str, Any]

FRAMES_SHOWN = 8
LONGEST_TEXT = 2000
ENDING_STAGES = ("completed", "failed", "cancelled")


def timed(event_type: str, analysis_id: str, attempt_id: Optional[str], fields: Dict[str, Any]) -> Event:
    """An event with the time of the call: one that has to wait did not happen later for it."""
    event: Event = {
        "event_type": event_type,
        "analysis_id": analysis_id,
        "timestamp": datetime.now(timezone.utc).isoformat(),
    }
    if attempt_id is not None:
        event["attempt_id"] = attempt_id
    return {**event, **fields}


def error_fields(fault: BaseException) -> Dict[str, Any]:
    """An exception as error_code, error_message and error_details.

    The code is the name of its type, or its attribute `error_code`; an attribute `error_details` (a dict) is told beside the
    traceback. Files are named without their folders. Never raises: it would take the place of the worker's own exception.
    """
    code, details = _attribute(fault, "error_code"), _attribute(fault, "error_details")
    if isinstance(fault, SystemExit):
        message = f"The worker left with exit code {text_of(fault.code)}"
    else:
        message = text_of(fault).strip()
    return {
        "error_code": code if isinstance(code, str) and code.strip() else type(fault).__name__,
        "error_message": message[:LONGEST_TEXT] or type(fault).__name__,
        "error_details": {
            **(details if isinstance(details, dict) else {}),
            "type": f"{type(fault).__module__}.{type(fault).__qualname__}",
            "traceback": short_traceback(fault),
        },
    }


def _attribute(fault: BaseException, name: str) -> Any:
    try:
        return getattr(fault, name, None)
    except Exception:
        return None  # one that cannot be read is as good as none


def short_traceback(fault: BaseException) -> List[str]:
    frames = traceback.extract_tb(fault.__traceback__)[-FRAMES_SHOWN:]
    return [f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]


def refused_end(event_type: str, issues: Sequence[Issue], reason: str) -> Dict[str, Any]:
    """The fields of the error that takes the place of a refused terminal event, as the gateway makes it on other ways."""
    first = str(issues[0]) if issues else reason
    return {
        "error_code": "event_refused",
        "error_message": f"The worker's {event_type} was refused: {first}"[:LONGEST_TEXT],
        "error_details": {
            "event_type": event_type,
            "issues": [{"path": list(issue.path), "message": issue.message} for issue in issues[:10]],
        },
    }


def is_end(event: Event) -> bool:
    return event["event_type"] != "status_update" or event.get("current_stage") in ENDING_STAGES
