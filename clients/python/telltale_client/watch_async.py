"""Watches analyses in asyncio."""

import asyncio
import uuid
import weakref
from types import TracebackType
from typing import AsyncIterator, Callable, NoReturn, Optional, Type, Union, cast

from .watch_cancel import request_cancel
from .watch_core import Conflate, Over, Until, WatchCore, WatchOptions
from .watch_options import watch_options
from .watch_token import TokenSource
from .watch_types import Snapshot, WatchedEvent


def awatch(
    analysis_id: Union[str, uuid.UUID],
    *,
    url: Optional[str] = None,
    token: Optional[TokenSource] = None,
    until: Until = None,
    conflate: Conflate = "none",
) -> "AsyncWatch":
    """Watches one analysis from now on, for `async for`; the arguments are those of `watch`. Raises RuntimeError outside of a loop."""
    return AsyncWatch(watch_options(analysis_id, url, token, until, conflate))


class AsyncWatch:
    """One watch of one analysis, made by `awatch`.

    Iterating gives every event from now on, once and in order, and first the state. The iteration ends with the watch, and raises
    WatchRefused if the gateway refuses for good. A loop that is left ends a watch that has no other loop and no subscriber. So does
    the program that has no reference to the watch any more.
    """

    def __init__(self, options: WatchOptions) -> None:
        if _running_loop() is None:
            raise RuntimeError("awatch needs a running loop of asyncio; without one, and under trio, there is watch")
        self._options = options
        self._core = WatchCore(options)
        weakref.finalize(self, self._core.abandon).atexit = False

    @property
    def snapshot(self) -> Snapshot:
        """The same object until something in it changes. It may be read in any thread."""
        return self._core.snapshot

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after each change of the snapshot, in the loop, until the answered function is called."""
        return self._core.subscribe(listener)

    async def cancel(self, reason: Optional[str] = None) -> None:
        """Asks for the end of the analysis; the token needs the scope `analysis:cancel`. Raises CancelRefused."""
        await request_cancel(self._options, reason)

    def retry_now(self) -> None:
        """Comes back now if the watch waits to come back. From any thread."""
        self._on_loop(self._core.retry_now)

    def close(self) -> None:
        """Ends the watch, from any thread. Leaves no task and no connection behind that another watch does not need."""
        self._on_loop(self._core.close)

    async def __aiter__(self) -> AsyncIterator[WatchedEvent]:
        if _running_loop() is not self._core.loop:
            raise RuntimeError("a watch belongs to the loop that opened it")
        changed = asyncio.Event()
        queue = self._core.open_queue(changed.set)
        try:
            while True:
                changed.clear()
                event = self._core.next_of(queue)
                if event is None:
                    await changed.wait()
                else:
                    yield cast(WatchedEvent, event)
        except Over:
            return
        finally:
            self._core.leave(queue)

    async def __aenter__(self) -> "AsyncWatch":
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a watch belongs to the loop that opened it, and cannot be copied")

    def _on_loop(self, call: Callable[[], None]) -> None:
        loop = self._core.loop
        if _running_loop() is loop:
            call()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(call)


def _running_loop() -> Optional[asyncio.AbstractEventLoop]:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
