"""Watches analyses in programs without asyncio. One thread serves all watches of the process."""

import threading
import uuid
import weakref
from types import TracebackType
from typing import Callable, Iterator, NoReturn, Optional, Type, Union, cast

from .watch_cancel import request_cancel
from .watch_core import Conflate, Over, Until, WatchCore, WatchOptions
from .watch_options import watch_options
from .watch_thread import running_thread
from .watch_token import TokenSource
from .watch_types import Snapshot, WatchedEvent


def watch(
    analysis_id: Union[str, uuid.UUID],
    *,
    url: Optional[str] = None,
    token: Optional[TokenSource] = None,
    until: Until = None,
    conflate: Conflate = "none",
) -> "Watch":
    """Watches one analysis from now on. It comes back by itself and goes on after the last event.

    - `url`: the gateway, with any path before its own; else TELLTALE_URL.
    - `token`: text, or a function, which may block or be asynchronous; else TELLTALE_TOKEN, or the text of TELLTALE_TOKEN_FILE at the time.
      Watches with the same `url` and the same token share one connection.
    - `until="terminal"`: the watch is finished once the analysis has ended. Without it, it sees an analysis that is opened again.
    - `conflate="status"`: if the link is slow, the gateway leaves statuses out in favour of newer ones. With `"none"` every event arrives.

    Raises ValueError for arguments that cannot be, and for want of an address or a token.
    """
    return Watch(watch_options(analysis_id, url, token, until, conflate))


class Watch:
    """One watch of one analysis, made by `watch`. Every method may be called from any thread of the process that made it.

    Iterating gives every event from now on, once and in order, and first the state. The iteration ends with the watch, and raises
    WatchRefused if the gateway refuses for good. A loop that is left ends a watch that has no other loop and no subscriber. So does
    the program that has no reference to the watch any more.

    A listener can neither iterate nor cancel, since both wait: that raises RuntimeError. So does everything in a forked child but
    `snapshot`, which stays as it was, and `close` and `retry_now`, which do nothing there.
    """

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._thread = running_thread()
        self._core = self._thread.call(lambda: WatchCore(options))
        weakref.finalize(self, self._core.abandon).atexit = False

    @property
    def snapshot(self) -> Snapshot:
        """The same object until something in it changes."""
        return self._core.snapshot

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after each change of the snapshot, until the answered function is called.

        It is called in the thread of all watches, and is not to block.
        """
        return self._thread.call(lambda: self._core.subscribe(listener))

    def cancel(self, reason: Optional[str] = None) -> None:
        """Asks for the end of the analysis; the token needs the scope `analysis:cancel`. Raises CancelRefused."""
        self._thread.run(lambda: request_cancel(self._options, reason))

    def retry_now(self) -> None:
        """Comes back now if the watch waits to come back."""
        self._thread.later(self._core.retry_now)

    def close(self) -> None:
        """Ends the watch, and every loop over it. Leaves no connection behind that another watch does not need."""
        self._thread.later(self._core.close)

    def __iter__(self) -> Iterator[WatchedEvent]:
        changed = threading.Event()
        queue = self._thread.call(lambda: self._core.open_queue(changed.set))
        try:
            while True:
                changed.clear()
                event = self._core.next_of(queue)
                if event is None:
                    self._thread.wait(changed)
                else:
                    yield cast(WatchedEvent, event)
        except Over:
            return
        finally:
            self._thread.later(lambda: self._core.leave(queue))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a watch belongs to the process that opened it, and cannot be copied")

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.close()
