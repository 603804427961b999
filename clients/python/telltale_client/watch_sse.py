"""Event streams of up to a hundred analyses each, and the same for networks that pass on nothing but whole answers."""

import asyncio
from typing import Dict, List, Optional, Set
from urllib.parse import quote

from .watch_address import Ended
from .watch_frames import Frames
from .watch_http import ANSWER_SECONDS, Silence, request
from .watch_link import HEARTBEAT_TIMEOUT, Asked, Link, Owner, Place, ended_by
from .watch_plan import LINK_BROKEN
from .watch_types import Frame, TransportName

# The most analyses that a gateway takes on one stream.
MOST_PLACES = 100
# The refusals after which a gateway asks again by itself, on a stream that goes on.
ASKED_AGAIN = ("broker_unavailable", "access_undecided", "not_declared", "newer_format", "internal")
# So many requests of a link may wait for their first answer: a gateway takes a hundred of a user.
MOST_UNANSWERED = 4
WAIT_SECONDS = 25
# Until a link is open nobody waits for news: a gateway that has none shows so that it is there.
FIRST_WAIT_SECONDS = 1


class EventStream:
    """Streams that go on until somebody ends them."""

    name: TransportName = "sse"

    def open(self, asked: Asked, owner: Owner) -> Link:
        return LinkOfStreams(asked, owner, waits=False)


class LongPoll:
    """Streams that the gateway ends after the first news: they get through if nothing else does."""

    name: TransportName = "poll"

    def open(self, asked: Asked, owner: Owner) -> Link:
        return LinkOfStreams(asked, owner, waits=True)


class Group:
    """Analyses that share a stream. One that left is on it until it begins anew."""

    def __init__(self) -> None:
        self.places: Dict[str, Place] = {}
        self.task: "Optional[asyncio.Task[None]]" = None
        self.is_beginning = False
        # Those of which the stream has told no state yet. To begin anew before it has would put off all that share it.
        self.awaited: Set[str] = set()

    def stop(self) -> None:
        self.is_beginning = False
        if self.task is not None:
            self.task.cancel()
            self.task = None


class LinkOfStreams:
    """If one of its streams ends, the link has ended. A stream that begins anew goes on at the position of each analysis."""

    def __init__(self, asked: Asked, owner: Owner, waits: bool) -> None:
        self._asked, self._owner, self._waits = asked, owner, waits
        self._groups: List[Group] = []
        self._is_open = False

    def subscribe(self, place: Place) -> None:
        group = self._group_for(place.analysis_id)
        group.places[place.analysis_id] = place
        if not group.is_beginning:
            group.stop()
            group.is_beginning = True
            group.task = asyncio.ensure_future(self._follow(group))

    def renew(self, place: Place) -> None:
        if not any(place.analysis_id in group.places for group in self._groups):
            self.subscribe(place)

    def unsubscribe(self, place: Place) -> None:
        for group in list(self._groups):
            if group.places.pop(place.analysis_id, None) is not None and not group.places:
                self._groups.remove(group)
                group.stop()

    def authenticate(self, token: str) -> bool:
        if self._waits:
            self._asked = self._asked._replace(token=token)
        return self._waits

    def close(self) -> None:
        for group in self._groups:
            group.stop()
        self._groups.clear()

    def _group_for(self, analysis_id: str) -> Group:
        answered = [group for group in self._groups if group.is_beginning or not group.awaited]
        unanswered = [group for group in self._groups if group not in answered]
        late = unanswered[-1:] if len(unanswered) >= MOST_UNANSWERED else []
        with_room = [group for group in [*answered, *late] if len(group.places) < MOST_PLACES]
        for group in [*(group for group in self._groups if analysis_id in group.places), *with_room]:
            return group
        self._groups.append(Group())
        return self._groups[-1]

    async def _follow(self, group: Group) -> None:
        try:
            await asyncio.sleep(0)  # all that are subscribed to in one turn share the request
            group.is_beginning, group.awaited = False, set(group.places)
            while group.places:
                await self._stream(group)
                group.awaited.clear()
                if not self._waits:
                    raise EOFError
        except asyncio.CancelledError:
            raise
        except Exception as fault:
            if group.task is asyncio.current_task():
                self._owner.ended(ended_by(fault))

    async def _stream(self, group: Group) -> None:
        wait = (WAIT_SECONDS if self._is_open else FIRST_WAIT_SECONDS) if self._waits else 0
        query = f"replay=state&markers=1&conflate={self._asked.conflate}" + (f"&wait={wait}" if wait else "")
        for place in group.places.values():
            after = "" if place.position is None else f"@{quote(place.position, safe='')}"
            query += f"&analysis={quote(place.analysis_id, safe='')}{after}"
        patience = wait + ANSWER_SECONDS
        asked = self._asked
        response = await request(
            asked.address, asked.token, f"/v1/events?{query}", accept="text/event-stream", seconds=patience
        )
        try:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise Ended(LINK_BROKEN, "no gateway answers there")
            frames, me = Frames(), asyncio.current_task()
            with response.cut_when_silent(HEARTBEAT_TIMEOUT) as silence:
                async for chunk in response.chunks():
                    silence.heard()
                    for frame in frames.of(chunk):
                        if group.task is not me:
                            return  # a listener has ended this stream
                        self._took(group, frame, silence)
        finally:
            response.close()

    def _took(self, group: Group, frame: Frame, silence: Silence) -> None:
        kind, analysis_id = frame["event_type"], frame.get("analysis_id")
        if kind in ("caught_up", "subscription_refused") and isinstance(analysis_id, str):
            group.awaited.discard(analysis_id)
        if kind == "closing":
            raise _closing(frame)
        if kind == "connection_established":
            silence.seconds = float(frame.get("heartbeat_timeout_seconds") or HEARTBEAT_TIMEOUT)
        if not self._is_open:
            self._is_open = True
            self._owner.opened(frame)
        if kind == "notice":
            if group is self._groups[0]:  # each stream has them
                self._owner.took(None, frame)
        elif kind == "subscription_refused" and isinstance(analysis_id, str):
            if self._waits or frame["code"] not in ASKED_AGAIN:
                group.places.pop(analysis_id, None)
            self._owner.refused(analysis_id, frame["code"])
        elif isinstance(analysis_id, str):
            self._owner.took(analysis_id, frame)


def _closing(frame: Frame) -> Ended:
    wait = f" retry_after_ms={frame['retry_after_ms']}" if "retry_after_ms" in frame else ""
    return Ended(frame["code"], f"{frame['reason']}{wait}")
