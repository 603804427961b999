"""A way to the gateway that carries the frames of many analyses."""

from typing import NamedTuple, Optional, Protocol

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

    def renew(self, place: Place) -> None:
        """Begins anew after a refusal for now, unless the gateway does so by itself."""

    def unsubscribe(self, place: Place) -> None: ...

    def authenticate(self, token: str) -> bool:
        """Goes on with another token. False if only a new link can."""

    def close(self) -> None: ...


class Transport(Protocol):
    """Opens links of one kind. The task of a link ends with it."""

    name: TransportName

    def open(self, asked: Asked, owner: Owner) -> Link: ...


def ended_by(fault: Exception) -> Ended:
    """The end that a fault makes: a link that broke, or that leads to no gateway."""
    if isinstance(fault, Ended):
        return fault
    if isinstance(fault, (OSError, EOFError)):
        return Ended(LINK_BROKEN, "the link broke")
    return Ended(LINK_BROKEN, f"no gateway answers there: {type(fault).__name__}: {fault}")
