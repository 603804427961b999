"""One analysis on a shared connection, for all watches of it."""

import asyncio
import time
from typing import Callable, Dict, Optional, Protocol, cast

from .watch_fold import FOLDED, fold
from .watch_plan import backoff
from .watch_types import AnalysisState, Connecting, Connection, Frame, Refused, Snapshot, Waiting

INITIAL_SNAPSHOT = Snapshot(Connecting(), None, False, None)
# The refusals that another attempt does not cure, with the close codes that say the same.
FINAL_REFUSALS = {"not_an_analysis_id": 4004, "not_allowed": 4003}

# Called after each change, with the event that made it, if one did.
FeedListener = Callable[[Optional[Frame]], None]


class Shared(Protocol):
    """The connection, as a feed sees it."""

    def add(self, feed: "Feed") -> None: ...

    def remove(self, feed: "Feed") -> None: ...

    def renew(self, feed: "Feed", is_asked: bool) -> None:
        """Asks for it again on the connection. If `is_asked`, it does so also when the gateway would by itself."""

    def retry_now(self) -> None: ...


class Feed:
    def __init__(self, analysis_id: str, connection: Shared) -> None:
        self.analysis_id = analysis_id
        self.position: Optional[str] = None
        self.snapshot = INITIAL_SNAPSHOT
        # Whether everything that had happened when it last connected was delivered.
        self.is_caught_up = False
        self._connection = connection
        self._shared: Connection = self.snapshot.connection
        self._listeners: Dict[object, FeedListener] = {}
        self._refusals = 0
        self._retry: Optional[asyncio.TimerHandle] = None

    def attach(self, listener: FeedListener) -> Callable[[], None]:
        """Watches until the answered function is called."""
        key = object()
        self._listeners[key] = listener
        if len(self._listeners) == 1:
            self._connection.add(self)

        def detach() -> None:
            if self._listeners.pop(key, None) is not None and not self._listeners:
                self._stop_retry()
                self._connection.remove(self)

        return detach

    def connection_changed(self, connection: Connection) -> None:
        self._stop_retry()
        self.is_caught_up = False
        self._shared = connection
        self._change(connection, self.snapshot.analysis)

    def retry_now(self) -> None:
        """Asks now for what waits to be asked for: this analysis alone, or the connection."""
        if self._retry is None:
            self._connection.retry_now()
        else:
            self._ask_again(is_asked=True)

    def refused(self, code: str) -> None:
        self.is_caught_up = False
        final = FINAL_REFUSALS.get(code)
        if final is not None:
            return self._change(Refused(final, code), self.snapshot.analysis)
        is_gone = code == "position_gone"
        if is_gone:
            self.position = None
        pause = 0.0 if is_gone and self._refusals == 0 else backoff(self._refusals)
        self._refusals += 1
        self._stop_retry()
        self._retry = asyncio.get_running_loop().call_later(pause, self._ask_again)
        self._change(Waiting(4003, code, time.time() + pause), self.snapshot.analysis)

    def took(self, frame: Frame) -> None:
        kind, analysis = frame["event_type"], self.snapshot.analysis
        if kind == "notice":
            return self._change(self.snapshot.connection, analysis, frame)
        self._stop_retry()
        self._refusals = 0
        if kind in ("subscribed", "connection_established"):
            if frame.get("resumed") is False:
                self.position = None  # the state so far is void, and shown until the one comes that takes its place
            if self.snapshot.connection != self._shared:
                self._change(self._shared, analysis)
        elif kind == "analysis_state":
            self.is_caught_up = False
            state = {name: value for name, value in frame.items() if name != "event_type"}
            self.position = frame["last_event_id"]
            self._change(self._shared, cast(AnalysisState, state), frame)
        elif self.position is not None and analysis is not None:
            if kind == "caught_up":
                if self.is_caught_up:
                    return  # a stream that begins anew, for an analysis beside this one, goes on where it was
                self.is_caught_up = True
            after = self._after(analysis, frame)
            if after is not None:
                self._change(self._shared, after, frame)

    def _after(self, analysis: AnalysisState, frame: Frame) -> Optional[AnalysisState]:
        """The state after a frame; None if the frame was there before, as with a read that waits."""
        kind, event_id = frame["event_type"], frame.get("event_id")
        if isinstance(event_id, str):
            self.position = event_id
            if kind in FOLDED:
                return fold(analysis, frame)
            return cast(AnalysisState, {**analysis, "last_event_id": event_id})
        if kind == "state_changed":
            same = frame["status"] == analysis["status"]
            return None if same else cast(AnalysisState, {**analysis, "status": frame["status"]})
        if kind != "cancel_requested":
            return analysis
        asked = {name: frame.get(name) for name in ("requested_at", "user_id", "reason")}
        known = analysis["cancel_requested"]
        if known is not None and known["requested_at"] == asked["requested_at"]:
            return None
        return cast(AnalysisState, {**analysis, "cancel_requested": asked})

    def _change(
        self, connection: Connection, analysis: Optional[AnalysisState], event: Optional[Frame] = None
    ) -> None:
        stalled = analysis is not None and analysis["status"] == "stalled"
        asked = analysis["cancel_requested"] if analysis is not None else None
        self.snapshot = Snapshot(connection, analysis, stalled, asked)
        for listener in list(self._listeners.values()):
            listener(event)

    def _ask_again(self, is_asked: bool = False) -> None:
        self._stop_retry()
        self._change(Connecting(), self.snapshot.analysis)
        if self._listeners:
            self._connection.renew(self, is_asked)

    def _stop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
