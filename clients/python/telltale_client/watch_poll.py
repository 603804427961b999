"""Reads that wait, one after the other for each analysis: they get through if nothing else does."""

import asyncio
from typing import Any
from urllib.parse import quote

from .watch_address import Ended
from .watch_http import request
from .watch_link import Asked, Link, LinkOfRequests, Owner, Watching
from .watch_plan import LINK_BROKEN
from .watch_tasks import within
from .watch_types import TransportName

WAIT_SECONDS = 25
# A gateway that has promised an answer within WAIT_SECONDS is gone after so much more.
SPARE_SECONDS = 20.0


class LongPoll:
    name: TransportName = "poll"

    def open(self, asked: Asked, owner: Owner) -> Link:
        return LinkOfRequests(asked, owner, _poll, takes_tokens=True)


async def _poll(watching: Watching) -> None:
    position, is_caught_up = watching.position, False
    while True:
        if position is None:
            state = await _read(watching, "", 0)
            position = state["last_event_id"]
            watching.took({**state, "event_type": "analysis_state"})
        wait = WAIT_SECONDS if is_caught_up else 0
        page = await _read(watching, f"/events?after={quote(position, safe='')}&wait={wait}&limit=1000", wait)
        if page.get("resumed") is False:
            position, is_caught_up = None, False
            continue
        position = page["last_event_id"]
        for frame in [*page["events"], *page.get("frames", [])]:
            watching.took(frame)
        if not is_caught_up and not page["events"]:
            is_caught_up = True
            watching.took(
                {"event_type": "caught_up", "analysis_id": watching.analysis_id, "last_event_id": position}
            )


async def _read(watching: Watching, below: str, wait: float) -> Any:
    asked, patience = watching.asked, wait + SPARE_SECONDS
    path = quote(watching.analysis_id, safe="") + below
    response = await request(asked.address, asked.token, path, seconds=patience)
    try:
        return await within(patience, response.json())
    except asyncio.TimeoutError:
        raise Ended(LINK_BROKEN, "the link went silent") from None
    finally:
        response.close()
