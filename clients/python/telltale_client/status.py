"""How far a worker says that its analysis is."""

from typing import Any, Dict, NamedTuple, Optional

from .encoding import plain, text_of
from .loop import finite


class Status(NamedTuple):
    """Told by a worker; None for what it leaves out."""

    progress: Optional[float] = None
    stage: Optional[str] = None
    message: Optional[str] = None
    current: Optional[float] = None
    total: Optional[float] = None
    unit: Optional[str] = None
    extra: Dict[str, Any] = {}


def readable(status: Status) -> Status:
    """Without numbers that are none; a stage may be a member of an Enum, and a message of any type."""
    stage = status.stage if type(status.stage) in (str, type(None)) else str(plain(status.stage))
    numbers: Dict[str, Any] = {name: finite(getattr(status, name)) for name in ("progress", "current", "total")}
    texts: Dict[str, Any] = {name: _readable_text(getattr(status, name)) for name in ("message", "unit")}
    return status._replace(stage=stage, **texts, **numbers)


def _readable_text(value: Any) -> Optional[str]:
    """None for a blank one, which a gateway would refuse."""
    text = value if type(value) in (str, type(None)) else text_of(value)
    return text if text and not text.isspace() else None


def message_of(stage: str, status: Status) -> str:
    words = stage.replace("_", " ").replace("-", " ").capitalize()
    if status.current is None:
        return words
    counted = f"{status.current:g}" if status.total is None else f"{status.current:g} of {status.total:g}"
    return f"{words}: {counted} {status.unit}" if status.unit else f"{words}: {counted}"
