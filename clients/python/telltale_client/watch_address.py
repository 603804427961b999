"""Connections to a gateway, by TLS and proxies as the environment has them."""

import asyncio
import encodings.idna  # noqa: F401 - a fork while a thread imports it would leave the child's import waiting for ever
import functools
import os
import re
import socket
import ssl
from itertools import zip_longest
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from .proxies import Proxy, proxy_to
from .watch_plan import LINK_BROKEN
from .watch_tasks import in_thread, within

CONNECT_SECONDS = 10.0
# If a host has several addresses, each is tried for so long, so that there is time for one of the other kind.
PLACE_SECONDS = 4.0
IP = re.compile(r"[0-9.]+|.*:.*")
LONGEST_HEAD = 65_536
HOST = re.compile(r"[A-Za-z0-9._~%:-]+")
# The characters of a path that stand for themselves; "%" begins one that is encoded already.
PATH = "/%:@!$&'()*+,;=~"

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
    def host_named(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def named(self) -> str:
        """As a Host header has it."""
        return self.host_named if self.port == (443 if self.secure else 80) else f"{self.host_named}:{self.port}"


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
    try:
        streams = await within(CONNECT_SECONDS, _connect(address, tunnel))
    except asyncio.TimeoutError:
        raise Ended(LINK_BROKEN, "no answer in time") from None
    except (OSError, ValueError) as fault:
        raise Ended(LINK_BROKEN, f"no answer from {address.host}: {type(fault).__name__}: {fault}") from fault
    _open.add(streams[1])
    return streams


async def _connect(address: Address, tunnel: bool) -> Streams:
    proxy = proxy_to(address.secure, address.host, address.port)
    tls: Dict[str, Any] = {"ssl": _tls(), "server_hostname": address.host} if address.secure else {}
    if proxy is not None and (tunnel or address.secure):
        return await _open_one({"sock": await in_thread(functools.partial(_tunnel, proxy, address)), **tls})
    host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
    places = await _places(host, port)
    for place in places[:-1]:
        try:
            return await within(PLACE_SECONDS, _open_one({**place, **tls}))
        except (OSError, asyncio.TimeoutError):
            pass  # the next one may answer, as if only IPv4 gets through
    return await _open_one({**places[-1], **tls})


async def _places(host: str, port: int) -> List[Dict[str, Any]]:
    """The addresses of a host, those of IPv6 and IPv4 in turns."""
    if IP.fullmatch(host):
        return [{"host": host, "port": port}]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    kinds = [[info for info in found if info[0] == family] for family in dict.fromkeys(info[0] for info in found)]
    turns = [info for some in zip_longest(*kinds) for info in some if info is not None]
    return [{"host": info[4][0], "port": info[4][1], "family": info[0]} for info in turns]


async def _open_one(where: Dict[str, Any]) -> Streams:
    opening = asyncio.ensure_future(asyncio.open_connection(**where))
    try:
        return await asyncio.shield(opening)
    except BaseException:
        opening.cancel()
        opening.add_done_callback(_drop)
        raise


def _drop(opening: "asyncio.Future[Streams]") -> None:
    """Closes a connection that came about when nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].transport.abort()


def _tunnel(proxy: Proxy, address: Address) -> socket.socket:
    line = socket.create_connection((proxy.host, proxy.port), CONNECT_SECONDS)
    try:
        named = f"{address.host_named}:{address.port}"
        asked = {"Host": named, **proxy.headers}
        lines = [f"CONNECT {named} HTTP/1.1", *(f"{name}: {asked[name]}" for name in asked)]
        line.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = line.recv(1)  # anything after the head is of the tunnel
            if not byte or len(head) > LONGEST_HEAD:
                raise OSError("the proxy does not answer as one")
            head += byte
        first = head.decode("latin-1").split("\r\n")[0]
        if first.split(" ")[1:2] != ["200"]:
            raise OSError(f"the proxy answers {first}")
        line.setblocking(False)
        return line
    except BaseException:
        line.close()
        raise


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
