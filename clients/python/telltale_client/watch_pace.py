"""Sends frames no faster than a gateway takes them from one socket."""

import asyncio
from collections import deque
from typing import Callable, Deque, Optional

# A gateway takes 2,000 at once and 100 a second, pings and pongs included, and refuses a client for good that sends more.
AT_ONCE = 1_800
EACH_SECONDS = 1 / 90


class PacedFrames:
    """In order. Those that come too fast wait for their turn."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: Deque[str] = deque()
        self._timer: Optional[asyncio.TimerHandle] = None
        # When those that were sent would all have been sent at a steady pace.
        self._level = self._loop.time()

    def offer(self, frame: str) -> None:
        self._waiting.append(frame)
        if self._timer is None:
            self._flush()

    def stop(self) -> None:
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        self._timer = None
        while self._waiting:
            now = self._loop.time()
            pause = self._level - now - AT_ONCE * EACH_SECONDS
            if pause > 0:
                self._timer = self._loop.call_later(pause, self._flush)
                return
            self._level = max(self._level, now) + EACH_SECONDS
            self._send(self._waiting.popleft())
