"""Connections to a gateway, by TLS and proxies as the environment has them."""

import asyncio
import functools
import http.client
import socket
import ssl
from typing import Any, Dict, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from .proxies import proxy_to
from .watch_plan import LINK_BROKEN
from .watch_tasks import in_thread, within

CONNECT_SECONDS = 10.0

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


async def connect(address: Address, tunnel: bool = True) -> Streams:
    """A connection to the gateway, through a proxy if the environment names one. Raises Ended if there is none."""
    proxy = proxy_to(address.secure, address.host)
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


def _drop(opening: "asyncio.Future[Streams]") -> None:
    """Closes a connection that came about when nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].transport.abort()


def _tunnel(proxy: Tuple[str, int], address: Address) -> socket.socket:
    line = http.client.HTTPConnection(*proxy, timeout=CONNECT_SECONDS)
    line.set_tunnel(address.host, address.port)
    line.connect()
    line.sock.setblocking(False)
    return line.sock


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
