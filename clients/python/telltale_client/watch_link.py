"""A way to the gateway that carries the frames of many analyses, and the kind that takes a request for each of them."""

import asyncio
from typing import Awaitable, Callable, Dict, NamedTuple, Optional, Protocol

from .watch_address import Address, Ended
from .watch_plan import LINK_BROKEN
from .watch_types import Frame, TransportName

HEARTBEAT_SECONDS = 15.0
HEARTBEAT_TIMEOUT = 45.0


class Place(Protocol):
    """An analysis to be watched from `position` on; None: from its state."""

    analysis_id: str
    position: Optional[str]


class Owner(Protocol):
    """Hears of a link; nothing more after `close`."""

    def opened(self, established: Frame) -> None: ...

    def took(self, analysis_id: Optional[str], frame: Frame) -> None:
        """A frame of one analysis, or a notice for all of them."""

    def refused(self, analysis_id: str, code: str) -> None:
        """The gateway refused one analysis; the others go on."""

    def ended(self, end: Ended) -> None: ...


class Asked(NamedTuple):
    """For a link."""

    address: Address
    token: str
    conflate: str


class Link(Protocol):
    def subscribe(self, place: Place) -> None:
        """Begins, or begins anew, at the position that the place has once the link is open."""

    def unsubscribe(self, place: Place) -> None: ...

    def authenticate(self, token: str) -> bool:
        """Goes on with another token. False if only a new link can."""

    def close(self) -> None: ...


class Transport(Protocol):
    """Opens links of one kind. The task of a link ends with it."""

    name: TransportName

    def open(self, asked: Asked, owner: Owner) -> Link: ...


class Watching:
    """One analysis on a link of requests."""

    def __init__(self, link: "LinkOfRequests", place: Place) -> None:
        self._link = link
        self.analysis_id, self.position = place.analysis_id, place.position

    @property
    def asked(self) -> Asked:
        """With the token that is good now."""
        return self._link.asked

    def took(self, frame: Frame) -> None:
        self._link.opened(frame)
        # A frame of the protocol itself, as `heartbeat`, is of no analysis.
        if frame["event_type"] == "notice" or frame.get("analysis_id") == self.analysis_id:
            self._link.owner.took(self.analysis_id, frame)


class LinkOfRequests:
    """`watch` makes the requests of one analysis until it is cancelled or raises Ended. If those of one end, the link has ended."""

    def __init__(
        self, asked: Asked, owner: Owner, watch: Callable[[Watching], Awaitable[None]], takes_tokens: bool
    ) -> None:
        self.asked, self.owner = asked, owner
        self._watch, self._takes_tokens = watch, takes_tokens
        self._tasks: Dict[str, "asyncio.Task[None]"] = {}
        self._is_open = False

    def subscribe(self, place: Place) -> None:
        self.unsubscribe(place)
        self._tasks[place.analysis_id] = asyncio.ensure_future(self._run(Watching(self, place)))

    def unsubscribe(self, place: Place) -> None:
        task = self._tasks.pop(place.analysis_id, None)
        if task is not None:
            task.cancel()

    def authenticate(self, token: str) -> bool:
        if self._takes_tokens:
            self.asked = self.asked._replace(token=token)
        return self._takes_tokens

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def opened(self, frame: Frame) -> None:
        if not self._is_open:
            self._is_open = True
            self.owner.opened(frame)

    async def _run(self, watching: Watching) -> None:
        try:
            await self._watch(watching)
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            if self._tasks.get(watching.analysis_id) is asyncio.current_task():
                self._ended(watching.analysis_id, ended_by(fault))

    def _ended(self, analysis_id: str, end: Ended) -> None:
        if end.code not in (4003, 4004):
            return self.owner.ended(end)
        del self._tasks[analysis_id]
        self.opened({})
        self.owner.refused(analysis_id, end.reason)


def ended_by(fault: Exception) -> Ended:
    """The end that a fault makes: a link that broke, or that leads to no gateway."""
    if isinstance(fault, Ended):
        return fault
    if isinstance(fault, (OSError, EOFError)):
        return Ended(LINK_BROKEN, "the link broke")
    return Ended(LINK_BROKEN, f"no gateway answers there: {type(fault).__name__}: {fault}")
