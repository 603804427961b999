"""Requests to a gateway, on asyncio alone: HTTP/1.1."""

import asyncio
import json
from typing import Any, AsyncIterator, Dict, Optional

from .proxies import proxy_to
from .watch_address import Address, Ended, Streams, connect
from .watch_plan import LINK_BROKEN
from .watch_tasks import within

ANSWER_SECONDS = 20.0
CHUNK = 65_536
CLOSE_CODES = {400: 4004, 401: 4001, 403: 4003, 410: 4010, 429: 4029, 503: 1013}


class Response:
    """An answer whose body is read as it comes. It is to be closed."""

    def __init__(self, streams: Streams, status: int, headers: Dict[str, str]) -> None:
        self._reader, self._writer = streams
        self.status, self.headers = status, headers

    async def chunks(self) -> AsyncIterator[bytes]:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while True:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):
                    raise EOFError("the answer broke off")
                left = int(line.split(b";")[0], 16)
                if left == 0:
                    return
                async for part in self._parts(left):
                    yield part
                await self._reader.readexactly(2)
        elif "content-length" in self.headers:
            async for part in self._parts(int(self.headers["content-length"])):
                yield part
        else:
            while True:
                part = await self._reader.read(CHUNK)
                if not part:
                    return
                yield part

    async def _parts(self, left: int) -> AsyncIterator[bytes]:
        while left > 0:
            part = await self._reader.read(min(left, CHUNK))
            if not part:
                raise EOFError("the answer broke off")
            left -= len(part)
            yield part

    async def json(self) -> Any:
        """Raises ValueError if the body is none."""
        return json.loads(b"".join([part async for part in self.chunks()]))

    def close(self) -> None:
        self._writer.transport.abort()

    def cut_when_silent(self, seconds: float) -> "Silence":
        return Silence(self._writer, seconds)


class Silence:
    """Cuts a link on which nothing was heard for so long, and then raises Ended in place of the end that its reader finds."""

    def __init__(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        self._writer, self.seconds = writer, seconds
        self._loop = asyncio.get_running_loop()
        self._is_cut = False

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    def __enter__(self) -> "Silence":
        self.heard()
        self._timer = self._loop.call_later(self.seconds, self._look)
        return self

    def __exit__(self, kind: object, fault: object, where: object) -> None:
        self._timer.cancel()
        if self._is_cut and isinstance(fault, (OSError, EOFError)):
            raise Ended(LINK_BROKEN, "the link went silent")

    def _look(self) -> None:
        left = self._heard_at + self.seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._is_cut = True
            self._writer.transport.abort()


async def request(
    address: Address,
    token: str,
    path: str,
    *,
    accept: str = "*/*",
    body: Optional[bytes] = None,
    seconds: float = ANSWER_SECONDS,
) -> Response:
    """Gets a path, or posts to it if there is a body. Raises Ended for any answer but a good one."""
    headers = {"Accept": accept, "Authorization": f"Bearer {token}", "Connection": "close"}
    if body is not None:
        headers["Content-Type"], headers["Content-Length"] = "application/json", str(len(body))
    streams = await connect(address, tunnel=False)
    by_name = ""  # a proxy that reads the request is told whose it is
    proxy = None if address.secure else proxy_to(address.secure, address.host, address.port)
    if proxy is not None:
        headers.update(proxy.headers)
        by_name = f"http://{address.named}"
    method = "GET" if body is None else "POST"
    response = await exchange(address, streams, method, f"{by_name}{address.path}{path}", headers, body, seconds)
    if 200 <= response.status < 300:
        return response
    try:
        raise await _refusal(response)
    finally:
        response.close()


async def exchange(
    address: Address,
    streams: Streams,
    method: str,
    path: str,
    headers: Dict[str, str],
    body: Optional[bytes] = None,
    seconds: float = ANSWER_SECONDS,
) -> Response:
    """Sends a request and reads the head of its answer. Raises Ended if there is none."""
    reader, writer = streams
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address.named}", *(f"{name}: {headers[name]}" for name in headers)]
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))
        head = await within(seconds, reader.readuntil(b"\r\n\r\n"))
        first, *rest = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        fields = (line.partition(":") for line in rest if line)
        return Response(streams, status, {name.strip().lower(): value.strip() for name, _, value in fields})
    except asyncio.TimeoutError:
        writer.transport.abort()
        raise Ended(LINK_BROKEN, "no answer in time") from None
    except (OSError, EOFError, asyncio.LimitOverrunError, LookupError, ValueError) as fault:
        writer.transport.abort()
        raise Ended(LINK_BROKEN, f"no answer from {address.host}: {type(fault).__name__}") from fault
    except BaseException:
        writer.transport.abort()
        raise


async def _refusal(response: Response) -> Ended:
    try:
        answer = await within(ANSWER_SECONDS, response.json())
    except (OSError, EOFError, ValueError, asyncio.TimeoutError):
        answer = None
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, str):
        # An answer that is no problem of the gateway comes from something on the way.
        return Ended(LINK_BROKEN, f"HTTP {response.status}")
    seconds = response.headers.get("retry-after", "")
    hint = f" retry_after_ms={int(seconds) * 1000}" if seconds.isdigit() and len(seconds) < 10 else ""
    return Ended(CLOSE_CODES.get(response.status, LINK_BROKEN), code + hint, code)
