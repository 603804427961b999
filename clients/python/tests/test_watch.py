import asyncio
import json
import random
import socket
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid

from telltale_client import CancelRefused, WatchRefused, awatch, watch
from telltale_client.watch_async import AsyncWatch
from telltale_client.watch_options import watch_options
from telltale_client.watch_poll import LongPoll
from telltale_client.watch_sse import EventStream
from telltale_client.watch_types import Closed, Finished, Live, Waiting

from .cutting_proxy import CuttingProxy
from .real_servers import PATIENCE_SECONDS, Gateway, needed, program, wait_until

TRANSPORTS = (EventStream(), LongPoll())
STAGES = ["initializing", "uploading", "frame_extraction", "model_inference", "queued"]


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
FAILURE = {"event_type": "error", "error_code": "no_face", "error_message": "no face"}


class WithGateway(unittest.TestCase):
    ENV = {"WATCH_DEFAULT": "allow", "STALL_AFTER_SECONDS": "1"}

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(**cls.ENV)
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.id = str(uuid.uuid4())

    def publish(self, *events, to=None, method="POST", path="events", body=None):
        """The status of the answer."""
        text = json.dumps(list(events) if body is None else body).encode()
        request = self.gateway._request(f"/v1/analyses/{to or self.id}/{path}".rstrip("/"), text)
        request.method = method
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
            await asyncio.wait_for(coroutine, PATIENCE_SECONDS)
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


@needed("bun", program("bun"))
class AWatch(WithGateway):
    def test_begins_with_the_state_gives_each_event_and_ends_with_the_analysis(self):
        self.publish(status())
        seen = []
        for event in self.watch(until="terminal"):
            seen.append(event["event_type"])
            if event["event_type"] == "caught_up":
                self.publish(status("model_inference"), VERDICT)
        self.assertEqual(seen, ["analysis_state", "caught_up", "status_update", "result_update"])

    def test_shows_the_state_that_the_gateway_has(self):
        self.publish(status())
        watching = self.watch(until="terminal")
        told = []
        stop = watching.subscribe(lambda: told.append(watching.snapshot))
        wait_until(lambda: watching.snapshot.analysis, "it is connected")
        self.publish(status("model_inference", current=1, total=4, unit="frames"), VERDICT)
        self.assertEqual(list(watching)[-1]["event_type"], "result_update")
        self.assertEqual(watching.snapshot.connection, Finished())
        self.assertEqual(watching.snapshot.analysis, self.gateway.state(self.id))
        self.assertIs(told[-1], watching.snapshot)
        stop()

    def test_is_closed_by_another_thread_while_it_waits(self):
        watching = self.watch()
        closing = threading.Thread(target=lambda: [event for event in watching])
        closing.start()
        wait_until(lambda: isinstance(watching.snapshot.connection, Live), "it is live")
        watching.close()
        closing.join(PATIENCE_SECONDS)
        self.assertFalse(closing.is_alive())
        self.assertEqual(watching.snapshot.connection, Closed())

    def test_whose_loop_is_left_is_closed(self):
        watching = self.watch()
        for _ in watching:
            break
        wait_until(lambda: watching.snapshot.connection == Closed(), "it is closed")

    def test_says_that_the_analysis_stalls_and_who_cancels_it(self):
        self.publish(status())
        watching = self.watch(token=self.gateway.token)
        wait_until(lambda: watching.snapshot.stalled, "it is stalled")
        watching.cancel("enough")
        asked = wait_until(lambda: watching.snapshot.cancel_requested, "somebody asked for the end")
        self.assertEqual((asked["user_id"], asked["reason"]), ("worker", "enough"))
        self.publish(status("cancelled"))
        wait_until(lambda: watching.snapshot.analysis["status"] == "cancelled", "it is cancelled")
        self.assertFalse(watching.snapshot.stalled)
        self.assertIsNone(watching.snapshot.cancel_requested)
        with self.assertRaises(CancelRefused) as refused:
            watching.cancel()
        self.assertEqual(refused.exception.code, "already_ended")

    def test_of_an_id_that_is_none_is_refused(self):
        with self.assertRaises(WatchRefused) as refused:
            list(watch("video-7", url=self.gateway.url, token=self.gateway.token("")))
        self.assertEqual(refused.exception.code, 4004)

    def test_without_a_gateway_waits_and_closes(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            watching = self.watch(url=f"http://127.0.0.1:{unused.getsockname()[1]}")
            connection = wait_until(
                lambda: isinstance(watching.snapshot.connection, Waiting) and watching.snapshot.connection, "it waits"
            )
            self.assertEqual(connection.code, 1006)
            self.assertIsNone(watching.snapshot.analysis)
            watching.close()
        self.assertEqual(list(watching), [])

    def test_asks_a_function_again_that_raised_and_takes_one_that_is_asynchronous(self):
        asked = []

        async def token():
            asked.append(1)
            if len(asked) == 1:
                raise OSError("no backend")
            return self.gateway.token("")

        watching = self.watch(token=token)
        wait_until(lambda: watching.snapshot.analysis, "it is connected")
        self.assertEqual(len(asked), 2)

    def test_needs_an_address_and_a_token(self):
        for url, token in [(None, "t"), ("redis://127.0.0.1", "t"), ("http://127.0.0.1", None)]:
            with self.subTest(url=url, token=token), self.assertRaises(ValueError):
                watch(self.id, url=url, token=token)
        with self.assertRaises(RuntimeError):
            awatch(self.id, url=self.gateway.url, token="t")


@needed("bun", program("bun"))
class AnAsynchronousWatch(WithGateway):
    def test_SDK_11_gives_each_event_once_and_in_order_however_often_the_link_is_cut(self):
        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name), CuttingProxy(self.gateway.url) as proxy:
                self.id = str(uuid.uuid4())
                self.publish(status(progress=0))
                self.play(self.cut_often(transport, proxy))

    async def cut_often(self, transport, proxy):
        watching = self.awatch(transports=(transport,), until="terminal", url=proxy.url, token=self.gateway.token)
        seen = []

        async def read():
            async for event in watching:
                seen.append(event)

        reading = asyncio.ensure_future(read())
        await eventually(lambda: watching.snapshot.analysis, "it is connected")
        for number in range(1, 61):
            stage = "frame_extraction" if number < 30 else "model_inference"
            await called(self.publish, status(stage, progress=number / 100))
            if number % 12 == 0:
                proxy.cut()
                watching.retry_now()
        await called(self.publish, VERDICT)
        await reading
        offsets = [int(event["event_id"].split("-")[1]) for event in seen if "event_id" in event]
        self.assertEqual(offsets, list(range(2, 63)))
        self.assertEqual([event["event_type"] for event in seen].count("analysis_state"), 1)
        self.assertEqual(watching.snapshot.analysis, await called(self.gateway.state, self.id))

    def test_SDK_11_folds_any_events_as_the_gateway_does(self):
        self.play(self.fold_anything(random.Random(20261129)))

    async def fold_anything(self, chance):
        watching = {str(uuid.uuid4()): None for _ in range(30)}
        for step in range(16):
            for analysis_id in watching:
                if watching[analysis_id] is None and chance.random() < 0.2:
                    watching[analysis_id] = self.awatch(analysis_id)
                if chance.random() < 0.1:
                    await called(self.publish, to=analysis_id, path="cancel", body={"reason": str(step)})
                events = [any_event(chance) for _ in range(chance.randint(0, 3))]
                if events:
                    await called(self.publish, *events, to=analysis_id)
        for analysis_id, one in watching.items():
            one = one or self.awatch(analysis_id)
            async with one:
                state = await called(self.gateway.state, analysis_id)
                last = state["last_event_id"]
                await eventually(lambda: one.snapshot.analysis and one.snapshot.analysis["last_event_id"] == last, last)
                if state["cancel_requested"] is not None:
                    await eventually(lambda: one.snapshot.cancel_requested is not None, "the request")
                self.assertEqual(running(one.snapshot.analysis), running(state))

    def test_SDK_15_tries_again_as_long_as_nobody_declared_the_viewers(self):
        gateway = Gateway(WATCH_DEFAULT="deny")
        self.addCleanup(gateway.stop)

        async def declared_late():
            with self.subTest():
                watching = self.awatch(url=gateway.url, token=gateway.token(""))
                await eventually(lambda: isinstance(watching.snapshot.connection, Waiting), "it waits")
                self.assertEqual(watching.snapshot.connection.reason, "not_declared")
                request = gateway._request(f"/v1/analyses/{self.id}", b'{"viewers": ["worker"]}')
                request.method = "PUT"
                await called(lambda: urllib.request.urlopen(request, timeout=30).close())
                await eventually(lambda: watching.snapshot.analysis, "it is connected")
                request = gateway._request(f"/v1/analyses/{self.id}", b'{"viewers": ["bob"]}')
                request.method = "PUT"
                await called(lambda: urllib.request.urlopen(request, timeout=30).close())
                with self.assertRaises(WatchRefused) as refused:
                    async for _ in watching:
                        pass
                self.assertEqual((refused.exception.code, refused.exception.reason), (4003, "not_allowed"))

        self.play(declared_late())

    def test_SDK_16_reads_if_no_stream_gets_through(self):
        class NoStream(EventStream):
            def open(self, asked, owner):
                return super().open(asked._replace(address=asked.address._replace(path="/nowhere")), owner)

        async def fall_back():
            async with self.awatch(transports=(NoStream(), LongPoll())) as watching:
                await eventually(lambda: watching.snapshot.analysis, "it is connected")
                self.assertEqual(watching.snapshot.connection, Live("poll"))

        self.play(fall_back())

    def test_SDK_12_begins_anew_with_the_state_if_the_history_was_lost(self):
        gateway = Gateway(WATCH_DEFAULT="allow")
        self.addCleanup(gateway.stop)

        async def lose_it():
            kinds = []
            async with self.awatch(url=gateway.url, token=gateway.token(""), transports=TRANSPORTS[:1]) as watching:
                async for event in watching:
                    kinds.append((event["event_type"], event.get("last_event_id")))
                    if event["event_type"] == "caught_up":
                        if kinds.count(("caught_up", "0")) == 2:
                            break
                        if len(kinds) == 2:
                            await called(self.post_to, gateway)
                    if event["event_type"] == "status_update":
                        await called(gateway.kill)
                        await called(gateway.start)
                        watching.retry_now()
            expected = [("analysis_state", "0"), ("caught_up", "0"), ("status_update", None)]
            self.assertEqual(kinds, [*expected, ("analysis_state", "0"), ("caught_up", "0")])

        self.play(lose_it())

    def post_to(self, gateway):
        request = gateway._request(f"/v1/analyses/{self.id}/events", json.dumps([status()]).encode())
        urllib.request.urlopen(request, timeout=30).close()

    def test_leaves_the_others_alone_when_one_is_refused_or_closed(self):
        async def three():
            token = self.gateway.token("")
            good, bad, short = (self.awatch(name, token=token) for name in (self.id, "video-7", str(uuid.uuid4())))
            await eventually(lambda: bad.snapshot.connection.status == "refused", "it is refused")
            await eventually(lambda: short.snapshot.analysis, "it is connected")
            short.close()
            await called(self.publish, VERDICT)
            await eventually(lambda: good.snapshot.analysis and good.snapshot.analysis["result"], "the result")
            await called(good.close)

        self.play(three())


def any_event(chance):
    kind = chance.randint(0, 9)
    extra = {"attempt_id": chance.choice("ab")} if chance.random() < 0.3 else {}
    if chance.random() < 0.5:
        extra["timestamp"] = f"2026-01-01T00:00:{chance.randint(10, 59)}{chance.choice(['', '.5', '.25'])}Z"
    if kind == 0:
        return {**VERDICT, **extra}
    if kind == 1:
        return {"event_type": "result", "data": [1, {"a": 0.5}], "summary": None, **extra}
    if kind == 2:
        return {**FAILURE, **extra}
    if kind == 3:
        return status(chance.choice(["completed", "failed", "cancelled"]), **extra)
    for name in ("current", "total"):
        if chance.random() < 0.3:
            extra[name] = chance.choice([0, 1.5, 7, "many", -3, True, None])
    if chance.random() < 0.2:
        extra["unit"] = chance.choice(["frames", "f" * 33, "ß" * 32, 4])
    if chance.random() < 0.2:
        extra["estimated_completion"] = "2027-01-01T00:00:00Z"
    return status(chance.choice(STAGES), progress=chance.randint(0, 10) / 10, **extra)


def running(state):
    """Whether the worker is silent depends on the time at which the state was read."""
    return {**state, "status": "running"} if state["status"] == "stalled" else state


if __name__ == "__main__":
    unittest.main()
