"""Reads where events go: TELLTALE_URL and TELLTALE_TOKEN, or what the worker passes in their place."""

import logging
import os
from typing import NamedTuple, Optional
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .redis_address import SCHEMES as REDIS_SCHEMES
from .transport import Token, Transport

SCHEMES = ("http", "https", *REDIS_SCHEMES, "unix", "nats")

log = logging.getLogger("telltale_client")


class Destination(NamedTuple):
    """Where events go. Analyses with equal ones share a connection and a thread."""

    url: str
    token: Token


def destination(url: Optional[str] = None, token: Token = None) -> Optional[Destination]:
    """Where events go; None, with one line in the log, if nothing says so."""
    try:
        address = url or setting("TELLTALE_URL")
    except (OSError, ValueError) as fault:
        raise ValueError(f"TELLTALE_URL_FILE cannot be read: {fault}") from fault
    if not address:
        _warn_once()
        return None
    if urlsplit(address).scheme not in SCHEMES:
        raise ValueError(f"TELLTALE_URL begins with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    return Destination(address, token or token_of_environment())


def transport_to(where: Destination) -> Transport:
    """A way there. Raises ValueError for an address that cannot be one, ImportError for want of redis-py."""
    parts = urlsplit(where.url)
    options = dict(parse_qsl(parts.query))
    lane = options.pop("lane", "inbox")
    if lane not in ("inbox", "publish"):
        raise ValueError("lane is inbox or publish")
    address = urlunsplit(parts._replace(query=urlencode(options)))
    if parts.scheme in ("http", "https"):
        from .http_transport import HttpTransport

        return HttpTransport(address, where.token)
    if parts.scheme == "nats":
        from .nats_transport import NatsTransport

        return NatsTransport(address)
    from .redis_transport import RedisTransport

    return RedisTransport(address, durable=lane == "inbox")


def checks_events() -> bool:
    """Whether events are judged before they are sent: TELLTALE_CHECK."""
    return os.environ.get("TELLTALE_CHECK", "").strip().lower() in ("1", "true", "on", "yes")


def token_of_environment() -> Token:
    """A text is known not to change; a file is read whenever the token is asked for, so that it may be replaced."""
    return _token_now if os.environ.get("TELLTALE_TOKEN_FILE") else os.environ.get("TELLTALE_TOKEN")


def _token_now() -> str:
    return setting("TELLTALE_TOKEN") or ""


def setting(name: str) -> Optional[str]:
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name) or None
    with open(path, encoding="utf-8") as file:
        return file.read().strip() or None


_warned = False


def _warn_once() -> None:
    global _warned
    if not _warned:
        log.warning("TELLTALE_URL is not set: nothing is told of any analysis")
    _warned = True
