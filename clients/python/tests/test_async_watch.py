import asyncio
import gc
import json
import pickle
import random
import time
import unittest
import urllib.request
import uuid
import weakref

from telltale_client import WatchRefused
from telltale_client.watch_core import TRANSPORTS
from telltale_client.watch_sse import EventStream, LongPoll
from telltale_client.watch_types import Closed, Live, Waiting

from .cutting_proxy import CuttingProxy
from .http_proxy import KeepingProxy
from .real_servers import PATIENCE_SECONDS, Gateway, needed, program
from .test_conformance import StandingTime
from .watched import VERDICT, WithGateway, called, eventually, status

STAGES = ["initializing", "uploading", "frame_extraction", "model_inference", "queued"]
FAILURE = {"event_type": "error", "error_code": "no_face", "error_message": "no face"}


async def pass_on(source, target):
    while data := await source.read(65_536):
        target.write(data)
    target.close()


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
        self.play(self.fold_anything(random.Random(3)))

    async def fold_anything(self, chance):
        watching = {}
        for number, analysis_id in enumerate(str(uuid.uuid4()) for _ in range(30)):
            # A request to cancel is told from those of an earlier run by its time: the clocks agree, or nobody cancels.
            is_skewed = number % 2 == 1
            for step in range(12):
                if chance.random() < 0.3 and analysis_id not in watching:
                    watching[analysis_id] = self.awatch(analysis_id)
                if chance.random() < 0.3 and not is_skewed:
                    await called(self.post, "cancel", {"reason": str(step)}, analysis_id)
                    await asyncio.sleep(0.002)  # the next event is of a later millisecond
                events = [any_event(chance, is_skewed) for _ in range(chance.randint(0, 3))]
                if events:
                    await called(self.publish, *events, to=analysis_id)
                if step % 2 and analysis_id in watching:
                    await self.sees_the_state(watching[analysis_id], analysis_id)
        for one in watching.values():
            one.close()

    async def sees_the_state(self, watching, analysis_id):
        state = await called(self.gateway.state, analysis_id)

        def sees_it():
            analysis = watching.snapshot.analysis
            asked = analysis and analysis["cancel_requested"]
            return analysis and (analysis["last_event_id"], asked) == (state["last_event_id"], state["cancel_requested"])

        await eventually(sees_it, lambda: (watching.snapshot.analysis, state))
        self.assertEqual(running(watching.snapshot.analysis), running(state))

    def test_SDK_14_shares_one_connection_with_ninety_nine_others(self):
        async def a_hundred(transport):
            with CuttingProxy(self.gateway.url) as proxy:
                ids, options = [str(uuid.uuid4()) for _ in range(100)], {"url": proxy.url, "token": self.gateway.token("")}
                watching = [self.awatch(analysis_id, transports=(transport,), **options) for analysis_id in ids]
                await eventually(lambda: all(one.snapshot.analysis for one in watching), "they are connected")
                await called(self.publish, VERDICT, to=ids[57])
                await eventually(lambda: watching[57].snapshot.analysis["result"], "the result")
                self.assertEqual(sum(one.snapshot.analysis["status"] == "unknown" for one in watching), 99)
                for one in watching:
                    one.close()
                # A request that waits is followed by another one after each news.
                self.assertLessEqual(proxy.connections, 8 if transport.name == "poll" else 1)

        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name):
                self.play(a_hundred(transport))

    def test_SDK_14_does_not_put_off_the_first_answer_to_others_that_share_its_request(self):
        for transport in (EventStream(), LongPoll()):
            with self.subTest(transport=transport.name):
                self.play(self.join_before_the_answer(transport))

    async def join_before_the_answer(self, transport):
        asked, answers = [], asyncio.Event()

        async def serve(near, to_near):
            head = await near.readuntil(b"\r\n\r\n")
            asked.append(head.count(b"analysis="))
            await answers.wait()
            far, to_far = await asyncio.open_connection("127.0.0.1", int(self.gateway.url.rsplit(":", 1)[1]))
            to_far.write(head)
            passing = asyncio.ensure_future(pass_on(far, to_near))
            await near.read()
            to_far.close()
            await passing

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        options = {"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "token": self.gateway.token("")}
        watching = []
        for number in range(1, 7):
            watching.append(self.awatch(str(uuid.uuid4()), transports=(transport,), **options))
            await eventually(lambda: len(asked) == number, "it is asked for")
        # Those beyond four requests share the last one.
        self.assertEqual(asked, [1, 1, 1, 1, 2, 3])
        answers.set()
        await eventually(lambda: all(one.snapshot.analysis for one in watching), "they are connected")
        for one in watching:
            one.close()
        server.close()

    def test_SDK_11_gives_each_event_once_and_in_order_while_others_join_and_leave(self):
        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name), CuttingProxy(self.gateway.url) as proxy:
                self.play(self.join_and_leave(transport, proxy, random.Random(7)))

    async def join_and_leave(self, transport, proxy, chance):
        ids, reading = [str(uuid.uuid4()) for _ in range(120)], {}
        token, told = self.gateway.token(""), dict.fromkeys(ids, 0)

        async def read(analysis_id, watching, seen):
            async for event in watching:
                seen.append(event)

        def join(analysis_id):
            watching, seen = self.awatch(analysis_id, transports=(transport,), url=proxy.url, token=token), []
            reading[analysis_id] = watching, seen, asyncio.ensure_future(read(analysis_id, watching, seen))

        async def leave(analysis_id):
            watching, seen, task = reading.pop(analysis_id)
            watching.close()
            await task
            self.in_order(seen)

        for analysis_id in ids[:100]:
            join(analysis_id)
        for step in range(40):
            for analysis_id in chance.sample(ids, 3):
                told[analysis_id] += 1
                await called(self.publish, status(progress=told[analysis_id] / 100), to=analysis_id)
            analysis_id = chance.choice(ids)
            if analysis_id in reading:
                await leave(analysis_id)
            else:
                join(analysis_id)
            if step == 25:
                proxy.cut()
        for analysis_id in list(reading):
            watching, seen, _ = reading[analysis_id]

            def has_all():
                analysis = watching.snapshot.analysis
                return analysis and (analysis["progress"] or 0) * 100 == told[analysis_id]

            await eventually(has_all, lambda: (watching.snapshot, told[analysis_id]))
            await leave(analysis_id)

    def in_order(self, seen):
        """The state once, and then each event after it."""
        kinds = [event["event_type"] for event in seen]
        self.assertLessEqual(kinds.count("analysis_state"), 1)
        self.assertLessEqual(kinds.count("caught_up"), 2)  # once more after the cut
        offset = 0
        for event in seen:
            if event["event_type"] == "analysis_state":
                offset = int(event["last_event_id"].split("-")[-1])
            elif "event_id" in event:
                offset += 1
                self.assertEqual(int(event["event_id"].split("-")[1]), offset)

    def test_SDK_15_tries_again_as_long_as_nobody_declared_the_viewers(self):
        gateway = Gateway(WATCH_DEFAULT="deny")
        self.addCleanup(gateway.stop)

        async def declared_late():
            watching = self.awatch(url=gateway.url, token=gateway.token(""))
            await eventually(lambda: isinstance(watching.snapshot.connection, Waiting), "it waits")
            self.assertEqual(watching.snapshot.connection.reason, "not_declared")
            await called(declare, "worker")
            await eventually(lambda: watching.snapshot.analysis, "it is connected")
            await called(declare, "bob")
            with self.assertRaises(WatchRefused) as refused:
                async for _ in watching:
                    pass
            self.assertEqual((refused.exception.code, refused.exception.reason), (4003, "not_allowed"))

        def declare(viewer):
            self.declare(gateway, self.id, viewer)

        self.play(declared_late())

    def test_SDK_15_asks_again_at_once_for_one_analysis_on_a_live_connection_if_it_is_told_to(self):
        gateway = Gateway(WATCH_DEFAULT="deny")
        self.addCleanup(gateway.stop)

        async def ask_again(transport):
            ids, token = [str(uuid.uuid4()) for _ in range(2)], gateway.token("")
            self.declare(gateway, ids[0], "worker")
            with CuttingProxy(gateway.url) as proxy:
                good, late = (self.awatch(one, url=proxy.url, token=token, transports=(transport,)) for one in ids)
                statuses = []
                late.subscribe(lambda: statuses.append(late.snapshot.connection.status))
                await at_once(lambda: good.snapshot.analysis and statuses[-1:] == ["waiting"])
                self.declare(gateway, ids[1], "worker")
                # The clock stands still: nothing else asks again.
                late.retry_now()
                self.assertEqual(statuses[-2:], ["waiting", "connecting"])
                await at_once(lambda: late.snapshot.analysis)
                self.assertEqual(late.snapshot.connection, good.snapshot.connection)
                good.close()
                late.close()
                await loop.skip(1)
                await at_once(lambda: len(asyncio.all_tasks()) == 1)

        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name):
                loop = StandingTime()
                try:
                    loop.run_until_complete(ask_again(transport))
                finally:
                    loop.close()

    def declare(self, gateway, analysis_id, viewer):
        request = gateway._request(f"/v1/analyses/{analysis_id}", json.dumps({"viewers": [viewer]}).encode())
        request.method = "PUT"
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS).close()

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
            async with self.awatch(url=gateway.url, token=gateway.token(""), transports=TRANSPORTS[:2]) as watching:
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

    def test_SDK_16_comes_back_without_news_where_only_whole_answers_get_through(self):
        async def kept():
            with KeepingProxy(self.gateway.url) as proxy:
                async with self.awatch(transports=(LongPoll(),), url=proxy.url) as watching:
                    statuses = []
                    watching.subscribe(lambda: statuses.append(watching.snapshot.connection.status))
                    await eventually(lambda: watching.snapshot.analysis and proxy.requests > 1, "it waits for news")
                    await called(proxy.cut)
                    await eventually(lambda: statuses[-1:] == ["live"] and "waiting" in statuses, lambda: statuses)
                    await called(self.publish, status())
                    await eventually(lambda: watching.snapshot.analysis["status"] == "running", "the event came")

        self.play(kept())

    def test_names_a_link_that_broke_as_the_reason_to_wait(self):
        async def broken(transport):
            with CuttingProxy(self.gateway.url) as proxy:
                reasons, watching = [], self.awatch(transports=(transport,), url=proxy.url)
                watching.subscribe(lambda: reasons.append(getattr(watching.snapshot.connection, "reason", "")))
                await eventually(lambda: watching.snapshot.analysis, "it is live")
                proxy.cut()
                await eventually(lambda: any(reasons), "it waits")
                watching.close()
                self.assertEqual([reason for reason in reasons if reason][0], "the link broke")

        for transport in TRANSPORTS[:2]:
            with self.subTest(transport=transport.name):
                self.play(broken(transport))

    def test_ends_if_the_program_cancels_every_task(self):
        async def cancelled(transport):
            watching = self.awatch(transports=(transport,))
            await eventually(lambda: watching.snapshot.analysis, "it is live")
            for task in asyncio.all_tasks() - {asyncio.current_task(), *running}:
                task.cancel()
            kinds = [event["event_type"] async for event in watching]
            self.assertEqual((kinds[:1], watching.snapshot.connection), (["analysis_state"], Closed()))

        async def play(transport):
            running.update(asyncio.all_tasks())
            await cancelled(transport)

        for transport in TRANSPORTS:
            running = set()
            with self.subTest(transport=transport.name):
                self.play(play(transport))

    def test_that_nobody_closed_leaves_nothing_of_its_loop(self):
        async def loop_of(closes):
            watching = self.awatch()
            await eventually(lambda: watching.snapshot.analysis, "it is live")
            if closes:
                watching.close()
            return weakref.ref(asyncio.get_running_loop())

        for closes in (True, False):
            loop = asyncio.run(loop_of(closes))
            gc.collect()
            self.assertIsNone(loop())

    def test_of_another_loop_cannot_be_iterated_and_none_can_be_copied(self):
        async def opened():
            return self.awatch()

        async def iterated():
            async for _ in watching:
                pass

        watching = asyncio.run(opened())
        with self.assertRaisesRegex(RuntimeError, "belongs to the loop that opened it"):
            asyncio.run(asyncio.wait_for(iterated(), PATIENCE_SECONDS))
        self.assertEqual(watching.snapshot.connection, Closed())
        for one in (watching, self.watch()):
            with self.assertRaisesRegex(TypeError, "cannot be copied"):
                pickle.dumps(one)

    def test_SDK_14_leaves_the_others_alone_when_one_is_refused_or_closed(self):
        async def three(transport):
            ids = [str(uuid.uuid4()) for _ in range(3)]
            options = {"token": self.gateway.token("", analyses=ids[:2]), "transports": (transport,)}
            good, short, bad = (self.awatch(analysis_id, **options) for analysis_id in ids)
            await eventually(lambda: bad.snapshot.connection.status == "refused", "it is refused")
            await eventually(lambda: short.snapshot.analysis, "it is connected")
            short.close()
            await called(self.publish, VERDICT, to=ids[0])
            await eventually(lambda: good.snapshot.analysis and good.snapshot.analysis["result"], "the result")
            await called(good.close)

        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name):
                self.play(three(transport))


async def at_once(condition):
    """Until the condition holds, though the clock of the loop stands still."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0)


def any_event(chance, is_skewed):
    kind = chance.randint(0, 9 if is_skewed else 29)
    extra = {"attempt_id": chance.choice("abcd")} if chance.random() < 0.3 else {}
    if is_skewed and chance.random() < 0.7:
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
    return status(chance.choice(STAGES if is_skewed else STAGES[-2:]), progress=chance.randint(0, 10) / 10, **extra)


def running(state):
    """Whether the worker is silent depends on the time at which the state was read."""
    return {**state, "status": "running"} if state["status"] == "stalled" else state


if __name__ == "__main__":
    unittest.main()
