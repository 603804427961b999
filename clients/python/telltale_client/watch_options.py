"""Reads the arguments of `watch` and `awatch`."""

import uuid
from typing import Optional, Union

from .settings import setting, token_of_environment
from .watch_address import address_of
from .watch_connection import Destination
from .watch_core import Conflate, Until, WatchOptions
from .watch_token import TokenSource


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
    address = url or setting("TELLTALE_URL")
    if not address:
        raise ValueError("neither url nor TELLTALE_URL says where the gateway is")
    source = token or token_of_environment()
    if not source:
        raise ValueError("neither token nor TELLTALE_TOKEN has a token")
    return WatchOptions(Destination(address_of(address), source, conflate), str(analysis_id).lower(), until)
