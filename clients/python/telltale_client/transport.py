"""The ways to a gateway: the contract between the delivery of events and HTTP, Redis or NATS."""

import json
from typing import Callable, List, NamedTuple, Optional, Protocol, Sequence, Tuple, Union

# A function is asked before each request.
Token = Union[str, Callable[[], str], None]


class Away(Exception):
    """Nobody took the events, or nobody said so. The same events with the same key are to be sent again."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds; 0 if nothing was said


class Denied(Away):
    """The token is not taken, or cannot be read. Another analysis may have a better one, and it may be mended meanwhile."""

    def __init__(self, reason: str, may_heal: bool) -> None:
        super().__init__(reason)
        self.may_heal = may_heal  # whether the next request may come with another token


class Refused(Exception):
    """The gateway will never take one of these events as it is; none of them was stored."""

    def __init__(self, code: str, message: str, issues: Sequence["Issue"] = (), event: Optional[int] = None) -> None:
        super().__init__(message)
        self.code = code
        self.issues: List[Issue] = list(issues)
        self.event = event  # which of the events is at fault, if that is known

    @property
    def for_good(self) -> bool:
        """Whether no later event of this run would be taken either: another run has begun."""
        return self.code == "attempt_superseded"

    @property
    def for_its_run(self) -> bool:
        """Whether the event is refused for the run that it is of, and not for what it says."""
        return self.code in ("attempt_superseded", "attempt_ended")


class Issue(NamedTuple):
    """A field at fault."""

    path: Tuple[object, ...]
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'the event'} {self.message}"


class Source(NamedTuple):
    """The run of a worker that events come from; its attempt is None if it names none."""

    analysis_id: str
    attempt_id: Optional[str] = None

    @property
    def beat(self) -> str:
        """The body of a heartbeat: one of a run that another has replaced is no sign of life."""
        return json.dumps({} if self.attempt_id is None else {"attempt_id": self.attempt_id})


class Transport(Protocol):
    """Used by one thread at a time. Everything here blocks for at most some ten seconds."""

    # How often a silent analysis is looked after: seconds.
    poll_seconds: float
    # Whether `poll` is a sign of life; else the last status is repeated for one.
    poll_is_beat: bool
    # Whether an event that is refused is answered so.
    answers: bool
    # The most events in one call of `send`.
    largest_batch: int

    def send(self, source: Source, events: Sequence[str], key: str) -> Optional[bool]:
        """Hands the events (JSON) over in order, all or none. Answers whether cancelling was asked for; None if unknown.

        Raises Away, Denied or Refused. A repetition with the same key, where the way has keys, counts once.
        """

    def poll(self, source: Source) -> Optional[bool]:
        """Asks whether cancelling was asked for. Over HTTP this is the beat as well. Raises Away or Denied."""

    def forget_cancel(self, source: Source) -> None:
        """Called if a run that was asked to end has told its end: another run of the analysis was not asked. Never raises."""

    def close(self) -> None:
        """Drops the connection. The next call makes another."""
