"""Connections to a gateway, by TLS and proxies as the environment has them."""

import asyncio
import functools
import http.client
import os
import re
import socket
import ssl
from typing import Any, Dict, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from .proxies import proxy_to
from .watch_plan import LINK_BROKEN
from .watch_tasks import in_thread, within

CONNECT_SECONDS = 10.0
HOST = re.compile(r"[A-Za-z0-9._~%:-]+")
# The characters of a path that stand for themselves; "%" begins one that is encoded already.
PATH = "/%:@!$&'()*+,;=~"

Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Ended(Exception):
    """A connection is over. `code` is a close code, 1006 for a link that broke; `problem` the gateway's own code, as `not_allowed`.

    `is_final`: no other connection would help, whatever the code.
    """

    def __init__(self, code: int, reason: str, problem: Optional[str] = None, is_final: bool = False) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason, self.problem, self.is_final = code, reason, problem, is_final


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
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError("url begins with http:// or https:// and names a host")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("url has a scheme, a host, and perhaps a port and a path: no user, no query and no fragment")
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
        port = parts.port
    except ValueError as fault:
        raise ValueError(f"url has a host or a port that cannot be: {fault}") from fault
    if port == 0 or not HOST.fullmatch(host):
        raise ValueError("url has a host or a port that cannot be")
    secure = parts.scheme in ("https", "wss")
    return Address(secure, host, port or (443 if secure else 80), quote(parts.path.rstrip("/"), safe=PATH))


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
            streams = await within(CONNECT_SECONDS, opening)
            _open.add(streams[1])
            return streams
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


_open: "WeakSet[asyncio.StreamWriter]" = WeakSet()


def _after_fork() -> None:
    # A child that ends or frees its copy of a connection would write to the parent's, and one that runs on would keep it open.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for writer in list(_open):
        line = writer.get_extra_info("socket")
        if line is not None and line.fileno() >= 0:
            os.dup2(nowhere, line.fileno(), inheritable=False)
    os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
