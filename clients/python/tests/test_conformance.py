"""The rules of a client that watches, as `conformance/*.yaml` has them for every client."""

import asyncio
import json
import subprocess
import time
import unittest
import urllib.request
from unittest import mock

from telltale_client import CancelRefused, WatchRefused
from telltale_client.watch_async import AsyncWatch
from telltale_client.watch_core import TRANSPORTS
from telltale_client.watch_options import watch_options

from .real_servers import ROOT, needed, program
from .watched import called

LONGEST_STEP = 1.0
TURNS = 5


class StandingTime(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still but for what is skipped."""

    def __init__(self):
        self._now = 0.0
        self.waits = 0  # for answers that take time of ours, not of its own
        super().__init__()

    def time(self):
        return self._now

    async def skip(self, seconds):
        seconds += 1e-6  # times of day are less exact than those of the loop
        while seconds > 0:
            self._now += min(seconds, LONGEST_STEP)
            seconds -= LONGEST_STEP
            for _ in range(TURNS):
                await asyncio.sleep(0)
            while self.waits:
                await asyncio.sleep(0)


class Client:
    """The watch of one case, and all that it told since the last report."""

    def __init__(self, command, token):
        transports = tuple(one for name in command["transports"] for one in TRANSPORTS if one.name == name)
        options = watch_options(command["analysis_id"], command["url"], token, command["until"], "none")
        self.watching = AsyncWatch(options._replace(transports=transports))
        self._events, self._over, self._cancel = [], None, None
        self._tasks = [asyncio.ensure_future(self._read())]

    def cancel(self, reason):
        self._tasks.append(asyncio.ensure_future(self._ask(reason)))

    async def close(self):
        self.watching.close()
        await asyncio.wait(self._tasks)

    def report(self):
        events, self._events = self._events, []
        snapshot = self.watching.snapshot._asdict()
        connection = snapshot["connection"]._asdict()
        if connection["status"] == "waiting":
            connection["retry_in_seconds"] = connection["retry_at"] - time.time()
        snapshot["connection"] = connection
        return {"snapshot": snapshot, "events": events, "over": self._over, "cancel": self._cancel}

    async def _read(self):
        try:
            async for event in self.watching:
                self._events.append(event)
            self._over = self.watching.snapshot.connection.status
        except WatchRefused as refused:
            self._over = {"refused": refused.code}

    async def _ask(self, reason):
        try:
            await self.watching.cancel(reason)
            self._cancel = "taken"
        except CancelRefused as refused:
            self._cancel = {"refused": refused.code}


@needed("bun", program("bun"))
class ConformanceOfTheWatch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = [program("bun"), "run", "conformance/server.ts"]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(server.stdout.close)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        cls.url = server.stdout.readline().strip()

    def test_holds_in_every_case(self):
        offers = exchange(f"{self.url}/cases")
        self.assertGreater(len(offers), 20)
        for offer in offers:
            with self.subTest(case=offer["case"], transports=offer["transports"]):
                self.assertIsNone(self.run_case(offer))

    def run_case(self, offer):
        """Why it failed; None if it passed."""
        loop, began = StandingTime(), time.time()
        # A port of this case may have been another gateway's.
        forgotten = mock.patch.dict("telltale_client.watch_choice._remembered", clear=True)
        try:
            with forgotten, mock.patch("time.time", lambda: began + loop.time()):
                return loop.run_until_complete(self.play(offer, loop))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def play(self, offer, loop):
        body = {"case": offer["case"], "transports": offer["transports"]}
        run = f"{self.url}/runs/{(await called(exchange, f'{self.url}/runs', body))['run']}"
        client = None

        async def token():
            loop.waits += 1
            try:
                return (await called(exchange, f"{run}/token", None))["token"]
            finally:
                loop.waits -= 1

        while True:
            command = await called(exchange, f"{run}/next", client.report() if client else None)
            if command["do"] == "watch":
                client = Client(command, token)
            elif command["do"] == "skip":
                await loop.skip(command["seconds"])
            elif command["do"] == "cancel":
                client.cancel(command["reason"])
            elif command["do"] == "close":
                client.watching.close()
            elif command["do"] == "retry_now":
                client.watching.retry_now()
            elif command["do"] == "done":
                await client.close()
                return None if command["passed"] else command["why"]


NOTHING = object()


def exchange(url, body=NOTHING):
    """Posts the body, if there is one, and answers what the server says."""
    text = None if body is NOTHING else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, text), timeout=60) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    unittest.main()
