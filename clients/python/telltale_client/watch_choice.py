"""Chooses the first transport that gets through, and remembers it for this process."""

from typing import Dict, List, Sequence

from .watch_address import Address
from .watch_link import Transport

# So many failures in a row of a transport that has worked mean that it does not get through any more.
MOST_FAILURES = 3
# The first pause after which the best transport is tried beside a connection by another one; each further one is twice as long.
BETTER_SECONDS = 60.0

_remembered: Dict[Address, str] = {}


class TransportChoice:
    def __init__(self, transports: Sequence[Transport], address: Address) -> None:
        self._transports, self._address = transports, address
        names: List[str] = [transport.name for transport in transports]
        name = _remembered.get(address)
        self._last_worked = names.index(name) if name in names else -1
        self._index = max(0, self._last_worked)
        self._failures = 0

    @property
    def next(self) -> Transport:
        return self._transports[self._index]

    @property
    def best(self) -> Transport:
        return self._transports[0]

    def worked(self, transport: Transport) -> None:
        """A connection came about."""
        self._failures = 0
        self._last_worked = self._index = self._transports.index(transport)
        _remembered[self._address] = transport.name

    def failed(self) -> None:
        """No connection came about."""
        self._failures += 1
        if self._last_worked == self._index and self._failures < MOST_FAILURES:
            return
        self._failures = 0
        self._index = (self._index + 1) % len(self._transports)

    def forget(self) -> None:
        """The best transport gets through again."""
        self._index = self._failures = 0
