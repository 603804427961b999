"""A link from its opening to its end."""

import asyncio
import time
from datetime import datetime, timezone
from typing import Optional, Protocol

from .watch_address import Ended
from .watch_types import Frame


class Hearer(Protocol):
    def opened(self) -> None: ...

    def took(self, analysis_id: Optional[str], frame: Frame) -> None: ...

    def refused(self, analysis_id: str, code: str) -> None: ...


class Session:
    """The owner of one link. `end` resolves with the reason, or with None if a new link is to take its place."""

    def __init__(self, hearer: Optional[Hearer] = None) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.established: "asyncio.Future[Frame]" = loop.create_future()
        self.end: "asyncio.Future[Optional[Ended]]" = loop.create_future()
        self._hearer = hearer
        self._said, self._opened_at = 0.0, 0.0

    async def opens_within(self, seconds: float) -> bool:
        await asyncio.wait((self.established, self.end), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self.established.done()

    def opened(self, established: Frame) -> None:
        if self.end.done() or self.established.done():
            return
        self._said, self._opened_at = _time_of(established), self._loop.time()
        self.established.set_result(established)
        if self._hearer is not None:
            self._hearer.opened()

    def took(self, analysis_id: Optional[str], frame: Frame) -> None:
        if self._hearer is not None and not self.end.done():
            self._hearer.took(analysis_id, frame)

    def refused(self, analysis_id: str, code: str) -> None:
        if self._hearer is not None and not self.end.done():
            self._hearer.refused(analysis_id, code)

    def ended(self, end: Optional[Ended]) -> None:
        if not self.end.done():
            self.end.set_result(end)

    @property
    def now(self) -> float:
        """The time of the gateway, in seconds since 1970, by what it said when the link was established: a clock here may be set meanwhile."""
        return self._said + self._loop.time() - self._opened_at


def _time_of(established: Frame) -> float:
    try:
        said = datetime.strptime(str(established.get("timestamp"))[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return time.time()
    return said.replace(tzinfo=timezone.utc).timestamp()
