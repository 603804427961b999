"""One connection to a gateway for all watches of the same address and token: it comes back by itself."""

import asyncio
import time
from typing import Callable, Dict, NamedTuple, Optional, Sequence

from .watch_address import Address, Ended
from .watch_choice import BETTER_SECONDS, TransportChoice
from .watch_feed import Feed
from .watch_link import Asked, Link, Transport
from .watch_plan import LINK_BROKEN, POSITION_GONE, retry_after
from .watch_session import Session
from .watch_tasks import within
from .watch_token import NoToken, TokenSource, ask_token, renewal_in
from .watch_types import Closed, Connecting, Connection, Frame, Live, Refused, Waiting

# A gateway that accepts the connection and then says nothing is as good as none.
OPENING_SECONDS = 10.0
# A connection that lasted so long owes nothing to the failures before it.
LASTING_SECONDS = 5.0
# A connection that was not needed for so long is closed: the next watch often needs it again.
LINGER_SECONDS = 0.25


class Destination(NamedTuple):
    address: Address
    token: TokenSource
    conflate: str


class SharedConnection:
    """Opens when the first feed comes, and closes after the last. `closed` is called then."""

    def __init__(self, where: Destination, transports: Sequence[Transport], closed: Callable[[], None]) -> None:
        self._where, self._closed = where, closed
        self._choice = TransportChoice(transports, where.address)
        self._feeds: Dict[str, Feed] = {}
        self._status: Optional[Connection] = None
        self._task: "Optional[asyncio.Task[None]]" = None
        self._link: Optional[Link] = None
        self._transport = self._choice.next
        self._wake = asyncio.Event()
        self._linger: Optional[asyncio.TimerHandle] = None
        self._failures = self._token_refusals = 0
        self._is_over = False

    def feed_of(self, analysis_id: str) -> Feed:
        return self._feeds.get(analysis_id) or Feed(analysis_id, self)

    def add(self, feed: Feed) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._feeds[feed.analysis_id] = feed
        if self._task is None:
            self._failures = self._token_refusals = 0
            self._status = Connecting()
            self._task = asyncio.ensure_future(self._run())
            self._task.add_done_callback(self._ended)
        if self._status is not None:
            feed.connection_changed(self._status)
        if self._link is not None:
            self._link.subscribe(feed)

    def remove(self, feed: Feed) -> None:
        del self._feeds[feed.analysis_id]
        if self._link is not None:
            self._link.unsubscribe(feed)
        if self._feeds:
            return
        if isinstance(self._status, Live):
            self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close)
        else:
            self._close()

    def renew(self, feed: Feed, is_asked: bool) -> None:
        if self._link is not None:
            self._link.subscribe(feed) if is_asked else self._link.renew(feed)

    def retry_now(self) -> None:
        self._wake.set()

    def _close(self) -> None:
        if self._is_over:
            return  # another one may have its place
        self._is_over = True
        if self._linger is not None:
            self._linger.cancel()
        if self._task is not None:
            self._task.cancel()
        self._closed()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Ends the watches that are left if somebody else cancelled the task, as the end of a program does, or if it failed."""
        fault = None if task.cancelled() else task.exception()
        if task.cancelled():
            self._tell(Closed())
        elif fault is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "a watch failed", "exception": fault})
            self._tell(Refused(LINK_BROKEN, f"{type(fault).__name__}: {fault}"))
        if not self._feeds:
            self._close()

    def _tell(self, status: Connection) -> None:
        self._status = status
        for feed in list(self._feeds.values()):
            feed.connection_changed(status)

    async def _run(self) -> None:
        while True:
            end = await self._connect()
            if end is not None:
                pause = retry_after(end.code, end.reason, self._failures, self._token_refusals)
                if pause is None:
                    return self._tell(Refused(end.code, end.reason))
                self._failures += 1
                if end.code == POSITION_GONE:
                    for feed in self._feeds.values():
                        feed.position = None
                self._wake.clear()
                self._tell(Waiting(end.code, end.reason, time.time() + pause))
                await self._woken_within(pause)
            self._tell(Connecting())

    async def _woken_within(self, seconds: float) -> None:
        try:
            await within(seconds, self._wake.wait())
        except asyncio.TimeoutError:
            pass

    async def _connect(self) -> Optional[Ended]:
        """From the token to the end of the connection; None if another one is to take its place at once."""
        try:
            token = await ask_token(self._where.token)
        except NoToken as fault:
            return Ended(LINK_BROKEN, str(fault))
        self._transport = self._choice.next
        session = Session(self)
        asked = Asked(self._where.address, token, self._where.conflate)
        self._link = link = self._transport.open(asked, session)
        try:
            for feed in list(self._feeds.values()):
                link.subscribe(feed)
            if await session.opens_within(OPENING_SECONDS):
                return await self._through(session, asked)
            return self._unopened(session)
        finally:
            self._link = None
            session.ended(None)
            link.close()

    def _unopened(self, session: Session) -> Ended:
        end = session.end.result() if session.end.done() else None
        end = end or Ended(LINK_BROKEN, "no answer in time")
        if end.code == 4001:
            self._token_refusals += 1
        if end.code == LINK_BROKEN:
            self._choice.failed()
        return end

    async def _through(self, session: Session, asked: Asked) -> Optional[Ended]:
        loop = asyncio.get_running_loop()
        opened_at = loop.time()
        beside = [asyncio.ensure_future(self._renew_tokens(asked, session))]
        if self._transport is not self._choice.best:
            beside.append(asyncio.ensure_future(self._try_best(asked, session)))
        try:
            return await session.end
        finally:
            for task in beside:
                task.cancel()
            if loop.time() - opened_at >= LASTING_SECONDS:
                self._failures = 0

    def opened(self) -> None:
        self._token_refusals = 0
        self._choice.worked(self._transport)
        self._tell(Live(self._transport.name))

    def took(self, analysis_id: Optional[str], frame: Frame) -> None:
        feeds = self._feeds.values() if analysis_id is None else (self._feeds.get(analysis_id),)
        for feed in list(feeds):
            if feed is not None:
                feed.took(frame)

    def refused(self, analysis_id: str, code: str) -> None:
        feed = self._feeds.get(analysis_id)
        if feed is not None:
            feed.refused(code)

    async def _renew_tokens(self, asked: Asked, session: Session) -> None:
        """Asks for the next token before the last one ends."""
        token = asked.token
        while True:
            pause = renewal_in(self._where.token, token, session.now)
            if pause is None:
                return
            await asyncio.sleep(pause)
            try:
                fresh = await ask_token(self._where.token)
            except NoToken:
                continue  # it is asked for again, and in the end after the gateway refused the old one
            if fresh == token:
                continue
            if self._link is None or not self._link.authenticate(fresh):
                return session.ended(None)
            token = fresh

    async def _try_best(self, asked: Asked, session: Session) -> None:
        """Tries now and then whether the best transport gets through again."""
        pause = BETTER_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause *= 2
            trial = Session()
            link = self._choice.best.open(asked, trial)
            try:
                if await trial.opens_within(OPENING_SECONDS):
                    self._choice.forget()
                    return session.ended(None)
            finally:
                link.close()
