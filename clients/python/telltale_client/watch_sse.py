"""Server-sent events, one stream for each analysis."""

import json
from typing import Iterator, List
from urllib.parse import quote

from .watch_address import Ended
from .watch_http import CHUNK, Response, Silence, request
from .watch_link import HEARTBEAT_TIMEOUT, Asked, Link, LinkOfRequests, Owner, Watching
from .watch_plan import LINK_BROKEN
from .watch_types import Frame, TransportName


class EventStream:
    name: TransportName = "sse"

    def open(self, asked: Asked, owner: Owner) -> Link:
        return LinkOfRequests(asked, owner, _stream, takes_tokens=False)


async def _stream(watching: Watching) -> None:
    asked = watching.asked
    after = "" if watching.position is None else f"&last_event_id={quote(watching.position, safe='')}"
    query = f"replay=state&markers=1&conflate={asked.conflate}{after}"
    path = f"{quote(watching.analysis_id, safe='')}/events?{query}"
    response = await request(asked.address, asked.token, path, accept="text/event-stream")
    try:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise Ended(LINK_BROKEN, "no gateway answers there")
        with response.cut_when_silent(HEARTBEAT_TIMEOUT) as silence:
            await _frames(watching, response, silence)
    finally:
        response.close()


async def _frames(watching: Watching, response: Response, silence: Silence) -> None:
    frames = Frames()
    async for chunk in response.chunks():
        silence.heard()
        for frame in frames.of(chunk):
            if frame["event_type"] == "closing":
                raise _closing(frame)
            if frame["event_type"] == "connection_established":
                silence.seconds = float(frame.get("heartbeat_timeout_seconds") or HEARTBEAT_TIMEOUT)
            watching.took(frame)
    raise EOFError


def _closing(frame: Frame) -> Ended:
    wait = f" retry_after_ms={frame['retry_after_ms']}" if "retry_after_ms" in frame else ""
    return Ended(frame["code"], f"{frame['reason']}{wait}")


class Frames:
    """Makes frames of the bytes of an event stream, however they are cut."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._type = "message"
        self._data: List[str] = []

    def of(self, chunk: bytes) -> Iterator[Frame]:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line += line
            text = self._line.decode("utf-8").rstrip("\r")
            self._line.clear()
            if text:
                self._field(text)
                continue
            if self._data:
                yield {"event_type": self._type, **json.loads("\n".join(self._data))}
            self._type, self._data = "message", []
        self._line += rest
        if len(self._line) > 1024 * CHUNK:
            raise ValueError("a line without an end")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
