"""One watch of one analysis, on the event loop that it was opened on. Loops over its events read it by queues."""

import asyncio
import inspect
from collections import deque
from typing import Callable, Deque, Dict, List, Literal, NamedTuple, Optional, Tuple
from weakref import WeakKeyDictionary

from .watch_connection import Destination, SharedConnection
from .watch_fold import has_ended
from .watch_link import Transport
from .watch_sse import EventStream, LongPoll
from .watch_tasks import raise_in_loop
from .watch_types import Closed, Finished, Frame, Refused, Snapshot, WatchRefused
from .watch_websocket import WebSocket

Until = Optional[Literal["terminal"]]
Conflate = Literal["none", "status"]
TRANSPORTS: Tuple[Transport, ...] = (WebSocket(), EventStream(), LongPoll())


class WatchOptions(NamedTuple):
    where: Destination
    analysis_id: str
    until: Until
    transports: Tuple[Transport, ...] = TRANSPORTS


class EventQueue(NamedTuple):
    """The events that one loop has still to see. `wake` is called after each change, on the loop of the watch."""

    waiting: Deque[Frame]
    wake: Callable[[], None]


class WatchCore:
    """Its methods but `next_of` and `abandon` are called on its loop. Its attributes may be read anywhere."""

    def __init__(self, options: WatchOptions) -> None:
        self.loop = asyncio.get_running_loop()
        self.refusal: Optional[WatchRefused] = None
        self.is_over = False
        self._is_abandoned = False
        self._until = options.until
        self._queues: List[EventQueue] = []
        self._listeners: Dict[object, Callable[[], None]] = {}
        self._connection = shared_connection(options.where, options.transports)
        self._feed = self._connection.feed_of(options.analysis_id)
        self._detach: Callable[[], None] = lambda: None
        self._detach = self._feed.attach(self._changed)
        self.snapshot = self._feed.snapshot
        self.loop.call_soon(self._changed, None)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after each change, until the answered function is called, on any thread. Raises TypeError for no plain function."""
        if not callable(listener) or inspect.iscoroutinefunction(listener):
            raise TypeError(f"a listener is a function that is not asynchronous, and not {listener!r}")
        key = object()
        self._listeners[key] = listener

        def stop() -> None:
            self._listeners.pop(key, None)
            if self._is_abandoned and not self.loop.is_closed():
                self.loop.call_soon_threadsafe(self._close_if_alone)

        return stop

    def retry_now(self) -> None:
        self._feed.retry_now()

    def close(self) -> None:
        if not self.is_over:
            self._end(self.snapshot._replace(connection=Closed()))
            self._tell()

    def open_queue(self, wake: Callable[[], None]) -> EventQueue:
        """The events from now on, and first the state, with `caught_up` if that has come already."""
        queue = EventQueue(deque(), wake)
        analysis = self.snapshot.analysis
        if analysis is not None:
            queue.waiting.append({"event_type": "analysis_state", **analysis})
            if self._feed.is_caught_up and not self.is_over:
                place = {"analysis_id": analysis["analysis_id"], "last_event_id": analysis["last_event_id"]}
                queue.waiting.append({"event_type": "caught_up", **place})
        self._queues.append(queue)
        return queue

    def leave(self, queue: EventQueue) -> None:
        """Ends a watch that has no other loop and no subscriber."""
        self._queues.remove(queue)
        self._close_if_alone()

    def abandon(self) -> None:
        """The program has no reference to the watch any more: it ends with its last loop and subscriber. On any thread."""
        self._is_abandoned = True
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._close_if_alone)

    def next_of(self, queue: EventQueue) -> Optional[Frame]:
        """The next event; None if there is none yet. Raises Over at the end of the watch, and WatchRefused. On any thread."""
        is_over = self.is_over  # nothing is added to a queue afterwards
        if self.snapshot.connection.status == "closed":
            raise Over
        if queue.waiting:
            return queue.waiting.popleft()
        if self.refusal is not None:
            raise self.refusal
        if is_over:
            raise Over
        return None

    def _close_if_alone(self) -> None:
        if not self._queues and not self._listeners:
            self.close()

    def _changed(self, event: Optional[Frame]) -> None:
        if self.is_over:
            return
        if event is not None:
            for queue in self._queues:
                queue.waiting.append(event)
        self.snapshot = snapshot = self._feed.snapshot
        connection, analysis = snapshot.connection, snapshot.analysis
        if isinstance(connection, Refused):
            self.refusal = WatchRefused(connection.code, connection.reason)
            self._end(snapshot)
        elif isinstance(connection, Closed):
            self._end(snapshot)
        elif self._until and self._feed.is_caught_up and analysis is not None and has_ended(analysis):
            self._end(snapshot._replace(connection=Finished()))
        self._tell()

    def _end(self, last: Snapshot) -> None:
        self.snapshot, self.is_over = last, True
        self._detach()

    def _tell(self) -> None:
        for queue in self._queues:
            queue.wake()
        for key, listener in list(self._listeners.items()):
            if key not in self._listeners:
                continue  # another one has ended it
            try:
                listener()
            except Exception as fault:
                self.loop.call_exception_handler({"message": "a listener of a watch raised", "exception": fault})
            except BaseException as fault:
                raise_in_loop(fault)


class Over(Exception):
    """The watch has ended, and a loop over it with it."""


def shared_connection(where: Destination, transports: Tuple[Transport, ...]) -> SharedConnection:
    """The one that all watches of this loop, address and token have in common."""
    shared = _shared.setdefault(asyncio.get_running_loop(), {})
    key = (where, transports)
    if key not in shared:
        shared[key] = SharedConnection(where, transports, lambda: void(shared.pop(key, None)))
    return shared[key]


_shared: "WeakKeyDictionary[asyncio.AbstractEventLoop, Dict[Tuple[Destination, Tuple[Transport, ...]], SharedConnection]]"
_shared = WeakKeyDictionary()


def void(_: object) -> None:
    pass
