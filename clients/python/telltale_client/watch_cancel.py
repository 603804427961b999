"""Asks for the end of a watched analysis."""

import json
from typing import Optional
from urllib.parse import quote

from .watch_address import Ended
from .watch_core import WatchOptions
from .watch_http import request
from .watch_token import NoToken, ask_token
from .watch_types import CancelRefused


async def request_cancel(options: WatchOptions, reason: Optional[str]) -> None:
    """Returns when the gateway has taken the request. Raises CancelRefused if it does not."""
    body = json.dumps({"reason": reason}).encode()
    try:
        token = await ask_token(options.where.token)
        path = f"/v1/analyses/{quote(options.analysis_id, safe='')}/cancel"
        response = await request(options.where.address, token, path, body=body)
        response.close()
    except NoToken as fault:
        raise CancelRefused("unreachable", str(fault)) from fault
    except Ended as end:
        raise CancelRefused(end.problem or "unreachable", end.reason) from end
