"""Makes the events of the contract from what a worker says."""

import os
import traceback
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .encoding import plain, shortened, text_of, to_json
from .transport import Issue

Event = Dict[str, Any]

FRAMES_SHOWN = 8
LONGEST_TEXT = 2000
LONGEST_MESSAGE = 64_000
# Characters of JSON: a NATS server takes 1 MiB by default, and a gateway no more.
MOST_OF_DETAILS = 200_000
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
    try:
        return _thrown_fields(fault)
    except Exception:
        return said_fields(type(fault).__name__, None, None)


def said_fields(code: Any, message: Any, details: Any) -> Dict[str, Any]:
    """The fields of an error of which a worker says values of any types. Details that would make the event larger than a gateway takes are left out."""
    said = shortened(_text(code), LONGEST_TEXT)
    return {
        "error_code": said,
        "error_message": shortened((_text(message) if message is not None else "").strip(), LONGEST_MESSAGE) or said,
        "error_details": None if details is None else _bounded(details if isinstance(details, Mapping) else {"details": details}),
    }


def _text(value: Any) -> str:
    """A member of an Enum is its value."""
    known = plain(value)
    return known if isinstance(known, str) else text_of(value)


def _bounded(details: Mapping[Any, Any]) -> Dict[str, Any]:
    known = plain(details)
    kept: Dict[str, Any] = {}
    left_out: List[str] = []
    size = 0
    for name, value in (known if isinstance(known, dict) else {"details": known}).items():
        size_of_this = len(to_json(value))
        if size + size_of_this > MOST_OF_DETAILS:
            left_out.append(name)
        else:
            kept[name] = value
            size += size_of_this
    return {**kept, "left_out": left_out} if left_out else kept


def _thrown_fields(fault: BaseException) -> Dict[str, Any]:
    code, details = _attribute(fault, "error_code"), _attribute(fault, "error_details")
    message = _exit_message(fault) if isinstance(fault, SystemExit) else text_of(fault).strip()
    told: Dict[str, Any] = {"type": f"{type(fault).__module__}.{type(fault).__qualname__}", "traceback": short_traceback(fault)}
    if isinstance(details, Mapping):
        told = {**told, **{name: value for name, value in details.items() if name not in told}}
    named = isinstance(code, str) and code.strip()
    return said_fields(code if named else type(fault).__name__, shortened(message, LONGEST_TEXT) or type(fault).__name__, told)


def _exit_message(fault: SystemExit) -> str:
    """`sys.exit(text)` writes the text and leaves with code 1."""
    code = text_of(fault.code)
    return f"The worker left with exit code {int(fault.code)}" if isinstance(fault.code, int) else code


def _attribute(fault: BaseException, name: str) -> Any:
    try:
        return getattr(fault, name, None)
    except Exception:
        return None  # one that cannot be read is as good as none


def is_leaving(fault: BaseException) -> bool:
    """`sys.exit(0)`, and a generator that nobody reads on: neither says that the work has failed."""
    if isinstance(fault, SystemExit):
        return fault.code is None or isinstance(fault.code, int) and fault.code == 0
    return isinstance(fault, GeneratorExit)


def short_traceback(fault: BaseException) -> List[str]:
    frames = traceback.extract_tb(fault.__traceback__)[-FRAMES_SHOWN:]
    return [f"{os.path.basename(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]


def refused_end(event_type: str, issues: Sequence[Issue], reason: str) -> Dict[str, Any]:
    """The fields of the error that takes the place of a refused terminal event, as the gateway makes it on other ways."""
    first = str(issues[0]) if issues else reason
    return {
        "error_code": "event_refused",
        "error_message": shortened(f"The worker's {event_type} was refused: {first}", LONGEST_TEXT),
        "error_details": {
            "event_type": event_type,
            "issues": [{"path": list(issue.path), "message": issue.message} for issue in issues[:10]],
        },
    }


def is_end(event: Event) -> bool:
    return event["event_type"] != "status_update" or event.get("current_stage") in ENDING_STAGES
