"""The same for asyncio: nothing here blocks the loop."""

import asyncio
import uuid
from types import TracebackType
from typing import Any, AsyncIterable, AsyncIterator, Dict, Generator, Iterable, Iterator, Optional, Tuple, Type, Union
from typing import Generic, TypeVar

from .analysis import Analysis
from .delivery import PATIENCE_SECONDS
from .loop import length_of
from .telling import FIRST_STAGE
from .transport import Token

Item = TypeVar("Item")


class AsyncAnalysis:
    """An `Analysis` for `async with`; its arguments are those of `Analysis`.

    `report`, `result` and `error` only put an event in the queue. They may be awaited, which lets other tasks run once.
    """

    def __init__(
        self,
        analysis_id: Union[str, uuid.UUID],
        *,
        url: Optional[str] = None,
        token: Token = None,
        attempt_id: Optional[str] = None,
        task_id: Optional[str] = None,
        part: bool = False,
        stage: str = FIRST_STAGE,
        check: Optional[bool] = None,
    ) -> None:
        self._analysis = Analysis(
            analysis_id,
            url=url,
            token=token,
            attempt_id=attempt_id,
            task_id=task_id,
            part=part,
            stage=stage,
            check=check,
        )
        self.id = self._analysis.id

    id_for = staticmethod(Analysis.id_for)

    @property
    def cancelled(self) -> bool:
        return self._analysis.cancelled

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled if cancelling was asked for, as `track` does before each item."""
        self._analysis.raise_if_cancelled()

    def report(
        self,
        progress: Optional[float] = None,
        stage: Optional[str] = None,
        message: Optional[str] = None,
        current: Optional[float] = None,
        total: Optional[float] = None,
        unit: Optional[str] = None,
        **extra: Any,
    ) -> "Told":
        self._analysis.report(progress, stage, message, current, total, unit, **extra)
        return Told()

    def result(self, data: Any = None, *, summary: Optional[str] = None, **fields: Any) -> "Told":
        self._analysis.result(data, summary=summary, **fields)
        return Told()

    def error(self, code: str, message: Optional[str] = None, details: Optional[Dict[str, Any]] = None) -> "Told":
        self._analysis.error(code, message, details)
        return Told()

    def track(
        self,
        iterable: Union[Iterable[Item], AsyncIterable[Item]],
        stage: Optional[str] = None,
        unit: Optional[str] = None,
        *,
        total: Optional[float] = None,
        message: Optional[str] = None,
        span: Tuple[float, float] = (0.0, 1.0),
    ) -> "Tracked[Item]":
        """For `async for` over either kind of iterable, or `for` over one that is not asynchronous."""
        known = length_of(iterable) if total is None and isinstance(iterable, Iterable) else total
        return Tracked(self._analysis, iterable, (stage, unit, known, message, span))

    async def wait(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Until everything told so far is with the gateway; False if it took longer."""
        telling = self._analysis._telling
        if telling.delivery is None:
            return True
        loop = asyncio.get_running_loop()
        empty = loop.create_future()

        def settle() -> None:
            if not empty.done():
                empty.set_result(None)

        def from_the_thread() -> None:
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:
                pass  # the loop has ended, and nobody waits

        telling.delivery.when_settled(telling.lane, from_the_thread)
        try:
            await asyncio.wait_for(empty, seconds)
        except asyncio.TimeoutError:
            pass
        return telling.lane.empty

    async def __aenter__(self) -> "AsyncAnalysis":
        """Raises RuntimeError under another loop than asyncio's, as trio's: leaving would fail then, and take what was told with it."""
        try:
            asyncio.get_running_loop()
        except RuntimeError as fault:
            raise RuntimeError(
                "AsyncAnalysis needs asyncio. Under trio or anyio use Analysis: no call of it blocks but the end of its block"
            ) from fault
        self._analysis.__enter__()
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        waits = self._analysis.leave(fault)
        if waits and not isinstance(fault, GeneratorExit):  # a coroutine that is closed may await nothing more
            await self.wait()


class Told:
    """May be awaited, and need not be."""

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.sleep(0).__await__()


class Tracked(Generic[Item]):
    """A loop over items, of which the analysis is told."""

    def __init__(
        self,
        analysis: Analysis,
        iterable: Union[Iterable[Item], AsyncIterable[Item]],
        options: Tuple[Optional[str], Optional[str], Optional[float], Optional[str], Tuple[float, float]],
    ) -> None:
        self._analysis, self._iterable, self._options = analysis, iterable, options

    def __iter__(self) -> Iterator[Item]:
        if not isinstance(self._iterable, Iterable):
            raise TypeError("an asynchronous iterable takes `async for`")
        stage, unit, total, message, span = self._options
        return self._analysis.track(self._iterable, stage, unit, total=total, message=message, span=span)

    async def __aiter__(self) -> AsyncIterator[Item]:
        if isinstance(self._iterable, Iterable):
            for item in self:
                yield item
                await asyncio.sleep(0)
            return
        stage, unit, total, message, span = self._options
        steps = iter(self._analysis.track(iter(int, 1), stage, unit, total=total, message=message, span=span))
        try:
            async for item in self._iterable:
                next(steps)  # counts the item before, and raises Cancelled
                yield item
            next(steps, None)
        finally:
            getattr(steps, "close", lambda: None)()
