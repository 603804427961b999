"""Reads the arguments of `watch` and `awatch`."""

import re
import uuid
from typing import Any, Optional, Union

from .settings import setting, token_of_environment
from .watch_address import Address, address_of
from .watch_connection import Destination
from .watch_core import Conflate, Until, WatchOptions
from .watch_token import TOKEN, TokenSource

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def watch_options(
    analysis_id: Union[str, uuid.UUID],
    url: Optional[str],
    token: Optional[TokenSource],
    until: Until,
    conflate: Conflate,
) -> WatchOptions:
    """Raises ValueError for arguments that cannot be, and for want of an address or a token."""
    if until not in (None, "terminal"):
        raise ValueError('until is "terminal" or None')
    if conflate not in ("none", "status"):
        raise ValueError('conflate is "none" or "status"')
    return WatchOptions(Destination(_address(url), _token(token), conflate), _id(analysis_id), until)


def _id(given: Any) -> str:
    text = str(given).strip().lower() if isinstance(given, (str, uuid.UUID)) else ""
    if not ID.fullmatch(text):
        raise ValueError(f"analysis_id is the UUID of an analysis, and not {given!r}")
    return text


def _address(given: Any) -> Address:
    if given is not None and not isinstance(given, str):
        raise ValueError(f"url is text, and not {type(given).__name__}")
    try:
        url = given or setting("TELLTALE_URL")
    except (OSError, ValueError) as fault:
        raise ValueError(f"TELLTALE_URL_FILE cannot be read: {fault}") from fault
    if not url:
        raise ValueError("neither url nor TELLTALE_URL says where the gateway is")
    return address_of(url)


def _token(given: Any) -> TokenSource:
    source = given or token_of_environment()
    if not source:
        raise ValueError("neither token nor TELLTALE_TOKEN has a token")
    if callable(source):
        return source
    if not isinstance(source, str):
        raise ValueError(f"token is text or a function, and not {type(source).__name__}")
    if not TOKEN.fullmatch(source):
        raise ValueError("token has a character that no token has, perhaps a space or the end of a line")
    return source
