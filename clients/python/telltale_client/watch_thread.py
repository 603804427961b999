"""The thread of a process whose event loop serves all watches that have no loop of their own."""

import asyncio
import functools
import os
import socket
import sys
import threading
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Callable, Coroutine, List, Optional, TypeVar

from .watch_tasks import in_thread

Answer = TypeVar("Answer")

# So often a caller that waits looks whether the thread is still there.
LOOK_SECONDS = 2.0


class WatchLoop(asyncio.SelectorEventLoop):
    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """In a thread that does not hold up the end of the process, as those of an executor do."""
        return await in_thread(functools.partial(socket.getaddrinfo, host, port, **options))


class WatchThread:
    """Does calls on its loop for any thread of its process. Raises RuntimeError instead of a wait that would have no end."""

    def __init__(self) -> None:
        self.loop = WatchLoop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="telltale-watches", daemon=True)
        self._thread.start()

    @property
    def is_there(self) -> bool:
        return os.getpid() == self._process and self._thread.is_alive() and not sys.is_finalizing()

    def call(self, call: Callable[[], Answer]) -> Answer:
        """The answer of a function that does not wait. A listener is on the loop already."""

        async def called() -> Answer:
            return call()

        self._look()
        return call() if self._is_current else self._outcome(called)

    def run(self, start: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """The answer of a coroutine, for which the caller waits."""
        self._may_wait()
        return self._outcome(start)

    def wait(self, changed: threading.Event) -> None:
        self._may_wait()
        while not changed.wait(LOOK_SECONDS):
            self._look()

    def later(self, call: Callable[[], None]) -> None:
        """Does nothing in a forked child, nor if the thread is gone: no watch is left there that it could end."""
        if self.is_there:
            self.loop.call_soon_threadsafe(call)

    @property
    def _is_current(self) -> bool:
        return threading.current_thread() is self._thread

    def _look(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("a watch belongs to the process that opened it")
        if not self.is_there:
            raise RuntimeError("the thread of all watches has ended")

    def _may_wait(self) -> None:
        self._look()
        if self._is_current:
            raise RuntimeError("a listener is called in the thread of all watches and cannot wait there: do it in a thread of its own")

    def _outcome(self, start: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        future = asyncio.run_coroutine_threadsafe(start(), self.loop)
        try:
            while True:
                try:
                    return future.result(LOOK_SECONDS)
                except NotYet:
                    if future.done():
                        return future.result()  # it may have come just now, or be a TimeoutError of its own
                self._look()
        except BaseException:
            future.cancel()
            raise

    def _run(self) -> None:
        while os.getpid() == self._process:
            try:
                self.loop.run_forever()
            except BaseException as fault:  # as SystemExit of a listener: the other watches go on
                self.loop.call_exception_handler({"message": "a listener of a watch raised", "exception": fault})


_lock = threading.Lock()
_thread: Optional[WatchThread] = None


def running_thread() -> WatchThread:
    """The one of this process. It starts with the first watch, and anew if it has ended. Raises RuntimeError if the process is about to end."""
    global _thread
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is about to end, and starts no thread")
    with _lock:
        if _thread is None or not _thread.is_there:
            _thread = WatchThread()
        return _thread


def _after_fork() -> None:
    # The thread is the parent's. What its loop holds stays, since to finalize it here would write to the parent's connections.
    global _lock, _thread
    _lock = threading.Lock()
    _of_parents.append(_thread)
    _thread = None


_of_parents: "List[Optional[WatchThread]]" = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
