"""Asks for tokens, and knows when to ask for the next one."""

import asyncio
import base64
import inspect
import json
import re
from typing import Any, Awaitable, Callable, Optional, Union

from .watch_tasks import in_thread, raise_in_loop, within

# A function is asked before each connection, before its last token ends, and after the gateway refused one.
TokenSource = Union[str, Callable[[], Union[str, Awaitable[str]]]]

# A backend that does not answer must not hold the watch for good.
TOKEN_SECONDS = 10.0
# The characters of a header and of a subprotocol.
TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]+")


class NoToken(Exception):
    """The source raised, answered no token, or did not answer in time."""


async def ask_token(source: TokenSource) -> str:
    """Raises NoToken. A function that is not asynchronous runs in a thread of its own, so that it may block."""
    try:
        token = source if isinstance(source, str) else await within(TOKEN_SECONDS, _call(source))
    except asyncio.TimeoutError:
        raise NoToken("no token: no answer in time") from None
    except Exception as fault:
        raise NoToken(f"no token: {type(fault).__name__}: {fault}") from fault
    if not isinstance(token, str):
        raise NoToken(f"no token: the function answers {type(token).__name__}, and not str")
    if not TOKEN.fullmatch(token):
        raise NoToken("no token: the answer is none")
    return token


async def _call(source: Callable[[], Any]) -> Any:
    try:
        answer = source() if inspect.iscoroutinefunction(source) else await in_thread(source)
        return await answer if inspect.isawaitable(answer) else answer
    except (KeyboardInterrupt, SystemExit) as fault:
        raise_in_loop(fault)
        raise NoToken(f"no token: {type(fault).__name__}") from fault


def renewal_in(source: TokenSource, token: str, now: float) -> Optional[float]:
    """Seconds after which to ask for the next token, before this one ends; None if nobody can say, or if there is only one.

    `now` is in seconds since 1970, by the gateway's clock.
    """
    if isinstance(source, str):
        return None
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        left = float(claims["exp"]) - now
    except (LookupError, TypeError, ValueError):
        return None  # opaque tokens are the gateway's business
    return max(2.0, min(left - 30, left * 0.8, 86_400.0)) if left == left else None
