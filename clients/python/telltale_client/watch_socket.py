"""The frames of a WebSocket (RFC 6455), as a client reads and writes them: no extension, no subprotocol but by header."""

import base64
import hashlib
import os
from typing import Tuple

from .watch_address import Address, Ended, Streams, connect
from .watch_http import Response, Silence, exchange
from .watch_plan import LINK_BROKEN

ACCEPT_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LONGEST_MESSAGE = 64 * 1024 * 1024


class Socket:
    """An open WebSocket."""

    def __init__(self, streams: Streams, response: Response) -> None:
        self._reader, self._writer = streams
        self._response = response

    def send(self, text: str) -> None:
        self._send(TEXT, text.encode("utf-8"))

    async def read(self, silence: Silence) -> str:
        """The next message. Answers pings. Raises Ended when the other side closes, EOFError if the link broke."""
        message = bytearray()
        while True:
            is_last, kind, data = await self._frame()
            silence.heard()
            if kind == PING:
                self._send(PONG, data)
            elif kind == CLOSE:
                self._send(CLOSE, data[:2])
                code = int.from_bytes(data[:2], "big") if len(data) >= 2 else LINK_BROKEN
                raise Ended(code, data[2:].decode("utf-8", "replace"))
            elif kind in (TEXT, BINARY, CONTINUATION):
                message += data
                if len(message) > LONGEST_MESSAGE:
                    raise Ended(LINK_BROKEN, "a message is too long")
                if is_last:
                    return message.decode("utf-8")

    def close(self, code: int = 1000) -> None:
        self._send(CLOSE, code.to_bytes(2, "big"))
        self._writer.close()

    def cut_when_silent(self, seconds: float) -> Silence:
        return self._response.cut_when_silent(seconds)

    async def _frame(self) -> Tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
        if second & 0x80 or first & 0x70 or length > LONGEST_MESSAGE:
            raise Ended(LINK_BROKEN, "no gateway answers there")
        return bool(first & 0x80), first & 0x0F, await self._reader.readexactly(length)

    def _send(self, kind: int, data: bytes) -> None:
        if self._writer.is_closing():
            return
        size = len(data)
        if size < 126:
            head = bytes((0x80 | kind, 0x80 | size))
        elif size < 65_536:
            head = bytes((0x80 | kind, 0x80 | 126)) + size.to_bytes(2, "big")
        else:
            head = bytes((0x80 | kind, 0x80 | 127)) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        self._writer.write(head + mask + whole.to_bytes(size, "big"))


async def open_socket(address: Address, path: str, protocols: str) -> Socket:
    """Raises Ended if there is none."""
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    streams = await connect(address)
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": protocols,
    }
    response = await exchange(address, streams, "GET", address.path + path, headers)
    accepted = base64.b64encode(hashlib.sha1((key + ACCEPT_KEY).encode("ascii")).digest()).decode("ascii")
    if response.status != 101 or response.headers.get("sec-websocket-accept") != accepted:
        response.close()
        raise Ended(LINK_BROKEN, f"HTTP {response.status}")
    return Socket(streams, response)
