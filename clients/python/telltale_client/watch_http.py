"""Requests to a gateway, on asyncio alone: HTTP/1.1, by TLS and proxies as the environment has them."""

import asyncio
import functools
import http.client
import json
import socket
import ssl
from typing import Any, AsyncIterator, Dict, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .watch_plan import LINK_BROKEN
from .watch_tasks import in_thread, within

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 20.0
CHUNK = 65_536
CLOSE_CODES = {400: 4004, 401: 4001, 403: 4003, 429: 4029, 503: 1013}

Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Ended(Exception):
    """A connection is over. `code` is a close code, 1006 for a link that broke; `problem` the gateway's own code, as `not_allowed`."""

    def __init__(self, code: int, reason: str, problem: Optional[str] = None) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason, self.problem = code, reason, problem


class Address(NamedTuple):
    """Where a gateway is; `path` comes before each path of its own."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def named(self) -> str:
        """As a Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def address_of(url: str) -> Address:
    """Raises ValueError for a text that is no address of a gateway."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError("url begins with http:// or https:// and names a host")
    secure = parts.scheme in ("https", "wss")
    return Address(secure, parts.hostname, parts.port or (443 if secure else 80), parts.path.rstrip("/"))


class Response:
    """An answer whose body is read as it comes. It is to be closed."""

    def __init__(self, streams: Streams, status: int, headers: Dict[str, str]) -> None:
        self._reader, self._writer = streams
        self.status, self.headers = status, headers

    async def chunks(self) -> AsyncIterator[bytes]:
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while True:
                left = int((await self._reader.readline()).split(b";")[0], 16)
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

    def quit_when_silent(self, seconds: float) -> "Silence":
        return Silence(self._writer, seconds)


class Silence:
    """Cuts a link on which nothing was heard for so long; whoever reads it then finds its end."""

    def __init__(self, writer: asyncio.StreamWriter, seconds: float) -> None:
        self._writer, self.seconds = writer, seconds
        self._loop = asyncio.get_running_loop()
        self.heard()
        self._timer = self._loop.call_later(seconds, self._look)

    def heard(self) -> None:
        self._heard_at = self._loop.time()

    def _look(self) -> None:
        left = self._heard_at + self.seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._writer.transport.abort()

    def stop(self) -> None:
        self._timer.cancel()


async def request(
    address: Address,
    token: str,
    path: str,
    *,
    accept: str = "*/*",
    body: Optional[bytes] = None,
    seconds: float = ANSWER_SECONDS,
) -> Response:
    """Gets a path below `/v1/analyses/`, or posts to it if there is a body. Raises Ended for any answer but a good one."""
    headers = {"Accept": accept, "Authorization": f"Bearer {token}", "Connection": "close"}
    if body is not None:
        headers["Content-Type"], headers["Content-Length"] = "application/json", str(len(body))
    streams, prefix = await _connection(address, f"/v1/analyses/{path}")
    response = await exchange(address, streams, "GET" if body is None else "POST", prefix, headers, body, seconds)
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


async def connect(address: Address, tunnel: bool = True) -> Streams:
    """A connection to the gateway, through a proxy if the environment names one. Raises Ended if there is none."""
    proxy = _proxy_of(address)
    tls = _tls() if address.secure else None
    named = address.host if address.secure else None
    try:
        if proxy is None:
            where: Dict[str, Any] = {"host": address.host, "port": address.port}
        elif tunnel or address.secure:
            where = {"sock": await in_thread(functools.partial(_tunnel, proxy, address))}
        else:
            where = {"host": proxy[0], "port": proxy[1]}
        opening = asyncio.ensure_future(asyncio.open_connection(**where, ssl=tls, server_hostname=named))
        try:
            return await within(CONNECT_SECONDS, opening)
        except BaseException:
            opening.add_done_callback(_drop)
            raise
    except asyncio.TimeoutError:
        raise Ended(LINK_BROKEN, "no answer in time") from None
    except (OSError, http.client.HTTPException, ValueError) as fault:
        raise Ended(LINK_BROKEN, f"no answer from {address.host}: {type(fault).__name__}") from fault


async def _connection(address: Address, path: str) -> Tuple[Streams, str]:
    """A connection, and the path to ask for: with the gateway's address if a proxy is to read it."""
    by_name = f"http://{address.named}" if not address.secure and _proxy_of(address) else ""
    return await connect(address, tunnel=False), f"{by_name}{address.path}{path}"


def _drop(opening: "asyncio.Future[Streams]") -> None:
    """Closes a connection that came about when nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].transport.abort()


def _proxy_of(address: Address) -> Optional[Tuple[str, int]]:
    if proxy_bypass(address.host):
        return None
    parts = urlsplit(getproxies().get("https" if address.secure else "http", ""))
    return (parts.hostname, parts.port or 80) if parts.hostname else None


def _tunnel(proxy: Tuple[str, int], address: Address) -> socket.socket:
    line = http.client.HTTPConnection(*proxy, timeout=CONNECT_SECONDS)
    line.set_tunnel(address.host, address.port)
    line.connect()
    line.sock.setblocking(False)
    return line.sock


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


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
