import asyncio
import unittest
import uuid

from telltale_client import AsyncAnalysis, Cancelled

from .fake_gateway import FakeGateway
from .test_analysis import summary


class AnotherLoop(unittest.TestCase):
    def test_is_refused_by_name_before_anything_is_told(self):
        with FakeGateway() as gateway:
            entering = AsyncAnalysis(uuid.uuid4(), url=gateway.url, token="t").__aenter__()
            with self.assertRaisesRegex(RuntimeError, "needs asyncio. Under trio"):
                entering.send(None)
            self.assertEqual(gateway.requests, [])


class AnAsyncAnalysis(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)

    def analysis(self, analysis_id=None):
        return AsyncAnalysis(analysis_id or uuid.uuid4(), url=self.gateway.url, token="t")

    async def test_tells_a_hundred_at_once_each_to_its_end(self):
        async def analyse():
            async with self.analysis() as a:
                async for _ in a.track(range(20), stage="frame_extraction", unit="frames"):
                    await asyncio.sleep(0)
                await a.result(data={"id": a.id})
            return a.id

        for analysis_id in await asyncio.gather(*(analyse() for _ in range(100))):
            events = self.gateway.of(analysis_id)
            self.assertEqual(summary(events), ["initializing", "frame_extraction", "result", "completed"])
            self.assertEqual(events[-2]["data"], {"id": analysis_id})

    async def test_counts_the_items_of_an_asynchronous_iterable(self):
        async def frames():
            for number in range(7):
                yield number

        async with self.analysis() as a:
            self.assertEqual([item async for item in a.track(frames(), unit="frames", total=7)], list(range(7)))
        counted = [event for event in self.gateway.of(a.id) if "current" in event]
        self.assertEqual((counted[-1]["current"], counted[-1]["total"]), (7, 7))

    async def test_raises_cancelled_in_a_loop_and_ends_as_cancelled(self):
        self.gateway.cancel_requested = True

        async def for_ever():
            while True:
                await asyncio.sleep(0)
                yield None

        with self.assertRaises(Cancelled):
            async with self.analysis() as a:
                async for _ in a.track(for_ever()):
                    pass
        self.assertEqual(summary(self.gateway.of(a.id)), ["initializing", "cancelled"])

    async def test_tells_an_exception_and_raises_it_again(self):
        with self.assertRaises(KeyError):
            async with self.analysis() as a:
                a.report(stage="uploading")
                raise KeyError("frame")
        self.assertEqual(summary(self.gateway.of(a.id)), ["initializing", "uploading", "KeyError"])


if __name__ == "__main__":
    unittest.main()
