"""Tests that watch analyses on a gateway of their own."""

import asyncio
import json
import time
import unittest
import urllib.error
import urllib.request
import uuid

from telltale_client import watch
from telltale_client.watch_async import AsyncWatch
from telltale_client.watch_core import TRANSPORTS
from telltale_client.watch_options import watch_options

from .real_servers import PATIENCE_SECONDS, Gateway


def status(stage="uploading", **fields):
    return {"event_type": "status_update", "task_id": "1", "progress": 0.5, "current_stage": stage, "message": "m", **fields}


VERDICT = {
    "event_type": "result_update",
    "confidence_score": 0.9,
    "frames_processed": 1,
    "total_frames": 1,
    "is_fake": False,
    "processing_time_ms": 1,
}


class WithGateway(unittest.TestCase):
    ENV = {"WATCH_DEFAULT": "allow", "STALL_AFTER_SECONDS": "1"}

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(**cls.ENV)
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.id = str(uuid.uuid4())

    def publish(self, *events, to=None):
        return self.post("events", list(events), to or self.id)

    def post(self, path, body, to):
        """The status of the answer."""
        request = self.gateway._request(f"/v1/analyses/{to}/{path}", json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def watch(self, **options):
        watching = watch(self.id, **{"url": self.gateway.url, "token": self.gateway.token(""), **options})
        self.addCleanup(watching.close)
        return watching

    def awatch(self, analysis_id=None, transports=TRANSPORTS, until=None, url=None, token=None):
        source = token or self.gateway.token("")
        options = watch_options(analysis_id or self.id, url or self.gateway.url, source, until, "none")
        return AsyncWatch(options._replace(transports=transports))

    def play(self, coroutine):
        """Runs it, and sees that nothing is left of it."""

        async def played():
            await asyncio.wait_for(coroutine, 2 * PATIENCE_SECONDS)
            await eventually(lambda: len(asyncio.all_tasks()) == 1, asyncio.all_tasks)

        asyncio.run(played())


async def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(what() if callable(what) else what)
        await asyncio.sleep(0.01)


async def called(function, *args, **named):
    return await asyncio.get_running_loop().run_in_executor(None, lambda: function(*args, **named))
