"""How far a worker says that its analysis is."""

from typing import Any, Dict, NamedTuple, Optional, Protocol

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


class Whole(Protocol):
    """Adds the progress of this worker to that of others on the same analysis."""

    def add(self, own: Optional[float], is_due: bool = False) -> object:
        """Called before the progress is told, by the worker's thread and, if a status is due, by the one that sends. May block."""

    def overall(self, own: float) -> float:
        """The progress to tell."""


def readable(status: Status) -> Status:
    """Without numbers that are none; a stage may be a member of an Enum, and a message of any type."""
    stage = status.stage if type(status.stage) in (str, type(None)) else str(plain(status.stage))
    numbers: Dict[str, Any] = {name: finite(getattr(status, name)) for name in ("progress", "current", "total")}
    texts: Dict[str, Any] = {name: _readable_text(getattr(status, name)) for name in ("message", "unit")}
    return status._replace(stage=stage, **texts, **numbers)


def progress_of(status: Status) -> Optional[float]:
    """0 to 1, by its counts if it says none; None if it says neither."""
    if status.progress is None and status.total and status.current is not None:
        return min(1.0, status.current / status.total)
    return status.progress


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
