"""One WebSocket for all analyses."""

import asyncio
import json
from typing import Dict, Optional

from .watch_http import Silence
from .watch_link import HEARTBEAT_SECONDS, HEARTBEAT_TIMEOUT, Asked, Link, Owner, Place, ended_by
from .watch_pace import PacedFrames
from .watch_socket import Socket, open_socket
from .watch_types import Frame, TransportName


class WebSocket:
    name: TransportName = "websocket"

    def open(self, asked: Asked, owner: Owner) -> Link:
        return LinkBySocket(asked, owner)


class LinkBySocket:
    def __init__(self, asked: Asked, owner: Owner) -> None:
        self._asked, self._owner = asked, owner
        self._socket: Optional[Socket] = None
        self._is_open = False
        # Those that wait for the socket to open.
        self._early: Dict[str, Place] = {}
        # How many answers to subscriptions are due. A frame that comes before the last of them belongs to an earlier subscription.
        self._due: Dict[str, int] = {}
        self._paced = PacedFrames(self._send_text)
        self._task = asyncio.ensure_future(self._run())

    def subscribe(self, place: Place) -> None:
        if not self._is_open:
            self._early[place.analysis_id] = place
            return
        self._due[place.analysis_id] = self._due.get(place.analysis_id, 0) + 1
        self._offer(type="subscribe", analysis_id=place.analysis_id, replay="state", last_event_id=place.position)

    def renew(self, place: Place) -> None:
        self.subscribe(place)

    def unsubscribe(self, place: Place) -> None:
        if self._early.pop(place.analysis_id, None) is None and self._is_open:
            self._offer(type="unsubscribe", analysis_id=place.analysis_id)

    def authenticate(self, token: str) -> bool:
        self._send(type="authenticate", token=token)
        return True

    def close(self) -> None:
        self._task.cancel()

    def _send(self, **frame: object) -> None:
        self._send_text(json.dumps(frame))

    def _offer(self, **frame: object) -> None:
        self._paced.offer(json.dumps(frame))

    def _send_text(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)

    async def _run(self) -> None:
        try:
            await self._read()
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            self._owner.ended(ended_by(fault))

    async def _read(self) -> None:
        path = f"/ws?markers=1&conflate={self._asked.conflate}"
        # Never in the address: proxies log it.
        socket = await open_socket(self._asked.address, path, f"telltale.v1, bearer.{self._asked.token}")
        self._socket = socket
        pinging: "Optional[asyncio.Task[None]]" = None
        try:
            with socket.cut_when_silent(HEARTBEAT_TIMEOUT) as silence:
                while True:
                    frame = json.loads(await socket.read(silence))
                    if frame["event_type"] == "connection_established":
                        pinging = pinging or asyncio.ensure_future(self._ping(_seconds(frame, silence)))
                        self._opened(frame)
                    else:
                        self._took(frame)
        finally:
            self._socket = None
            self._paced.stop()
            if pinging is not None:
                pinging.cancel()
            socket.close()

    def _opened(self, established: Frame) -> None:
        self._is_open = True
        self._owner.opened(established)
        early, self._early = self._early, {}
        for place in early.values():
            self.subscribe(place)

    def _took(self, frame: Frame) -> None:
        kind, analysis_id = frame["event_type"], frame.get("analysis_id")
        if kind == "notice":
            return self._owner.took(None, frame)
        if not isinstance(analysis_id, str):
            return
        due = self._due.get(analysis_id, 0)
        if due > 0:
            if kind not in ("subscribed", "subscription_refused"):
                return
            if due > 1:
                self._due[analysis_id] = due - 1
                return
            del self._due[analysis_id]
        if kind == "subscription_refused":
            self._owner.refused(analysis_id, frame["code"])
        else:
            self._owner.took(analysis_id, frame)

    async def _ping(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self._send(type="ping")


def _seconds(established: Frame, silence: Silence) -> float:
    """How often to ping. The gateway says after how long it, too, counts as gone."""
    silence.seconds = float(established.get("heartbeat_timeout_seconds") or HEARTBEAT_TIMEOUT)
    return float(established.get("heartbeat_interval_seconds") or HEARTBEAT_SECONDS)
