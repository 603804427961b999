"""Rules of a watch that need no gateway."""

import asyncio
import base64
import json
import os
import random
import sys
import unittest
import uuid
from unittest import mock

from telltale_client import awatch
from telltale_client.watch_address import address_of
from telltale_client.watch_options import watch_options
from telltale_client.watch_pace import PacedFrames
from telltale_client.watch_plan import backoff, retry_after
from telltale_client.watch_frames import Frames
from telltale_client.watch_session import Session
from telltale_client.watch_tasks import within
from telltale_client.watch_token import NoToken, ask_token, renewal_in

from .test_conformance import StandingTime
from .watched import eventually


def token_until(seconds):
    payload = base64.urlsafe_b64encode(json.dumps({"exp": seconds}).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


class ComingBack(unittest.TestCase):
    def setUp(self):
        self.chance = mock.patch.object(random, "random", lambda: 0.5)
        self.chance.start()
        self.addCleanup(self.chance.stop)

    def test_is_for_a_random_part_of_a_time_that_doubles(self):
        self.assertEqual([backoff(failures) for failures in range(7)], [0.25, 0.5, 1, 2, 4, 7.5, 7.5])
        self.assertEqual(retry_after(1006, "", 20, 0), 2)
        self.assertEqual(retry_after(1013, "", 20, 0), 7.5)

    def test_is_when_the_gateway_says_but_within_five_minutes(self):
        self.assertEqual(retry_after(1001, "going away retry_after_ms=2500", 3, 0), 2.5)
        self.assertEqual(retry_after(1013, "retry_after_ms=9999999", 0, 0), 300)

    def test_is_at_once_for_a_token_that_ran_out_and_not_for_good_after_three_fresh_ones(self):
        self.assertEqual(retry_after(4001, "", 0, 0), 0)
        self.assertEqual([retry_after(4001, "", 0, refusals) for refusals in (1, 2, 3)], [8.8, 55, None])

    def test_is_never_after_a_refusal_but_that_nobody_declared_the_viewers(self):
        for code in (1009, 4003, 4004, 4400):
            self.assertIsNone(retry_after(code, "not_allowed", 0, 0))
        self.assertEqual(retry_after(4003, "not_declared", 0, 0), 0.25)
        self.assertEqual([retry_after(4010, "position_gone", failures, 0) for failures in range(3)], [0, 0.5, 1])


class AToken(unittest.TestCase):
    def test_is_asked_for_before_it_ends(self):
        def source():
            return ""

        self.assertEqual(renewal_in(source, token_until(1000), 0), 800)
        self.assertEqual(renewal_in(source, token_until(100), 0), 70)
        self.assertEqual(renewal_in(source, token_until(1), 0), 2)
        self.assertIsNone(renewal_in(source, "opaque", 0))
        self.assertIsNone(renewal_in(token_until(100), token_until(100), 0))

    def test_ends_by_the_clock_of_the_gateway_if_the_one_here_is_set(self):
        async def two_hours_ahead():
            session = Session()
            session.opened({"event_type": "connection_established", "timestamp": "2026-01-01T00:00:00.5Z"})
            with mock.patch("time.time", lambda: 1_800_000_000.0):
                return session.now

        self.assertAlmostEqual(asyncio.run(two_hours_ahead()), 1_767_225_600, delta=30)

    def test_that_is_none_is_no_token_and_is_not_shown(self):
        def raises():
            raise ValueError("no backend")

        for source in (raises, lambda: sys.exit(), lambda: None, lambda: "two words", lambda: "line\nbreak"):
            with self.assertRaises(NoToken) as fault:
                asyncio.run(ask_token(source))
            self.assertNotIn("words", str(fault.exception))

    def test_comes_from_a_text_a_function_or_an_awaitable(self):
        async def later():
            return "b"

        answers = [asyncio.run(ask_token(source)) for source in ("a", lambda: "a", later, lambda: later())]
        self.assertEqual(answers, ["a", "a", "b", "b"])


    def test_of_another_type_than_text_is_told_as_the_reason_to_wait(self):
        async def later():
            return {"token": "t"}

        async def waits(source):
            async with awatch(uuid.uuid4(), url="http://127.0.0.1:9", token=source) as watching:
                await eventually(lambda: watching.snapshot.connection.status == "waiting", "it waits")
                return watching.snapshot.connection.reason

        for source, kind in ((lambda: None, "NoneType"), (lambda: b"t", "bytes"), (later, "dict")):
            with self.subTest(kind):
                self.assertEqual(asyncio.run(waits(source)), f"no token: the function answers {kind}, and not str")


class TheArguments(unittest.TestCase):
    GOOD = {"analysis_id": uuid.UUID(int=7), "url": "http://gateway", "token": "t", "until": None, "conflate": "none"}

    def test_that_cannot_be_are_refused_at_once_and_by_name(self):
        for name, bad in {
            "analysis_id": [None, "", "  ", 7, b"x", "video-7", uuid.UUID(int=7).hex, f"{uuid.UUID(int=7)}@e-1"],
            "url": [7, b"http://gateway", "gateway:8000", "ftp://gateway", "http://", "http://a b", "http://g:x", "http://g:0",
                    "http://g:70000", "http://g?token=t", "http://g/#x", "http://me:secret@g"],
            "token": [7, b"t", ["t"], "two words", "t\n", "t\u00fc"],
            "until": ["end", True, 1],
            "conflate": [None, "all", True],
        }.items():
            for value in bad:
                with self.subTest(name, value=value), mock.patch.dict(os.environ, clear=True):
                    with self.assertRaises(ValueError) as fault:
                        watch_options(**{**self.GOOD, name: value})
                    self.assertIn(name, str(fault.exception))
                    self.assertNotIn("secret", str(fault.exception))

    def test_that_name_an_address_by_a_file_that_is_not_there_are_refused(self):
        with mock.patch.dict(os.environ, {"TELLTALE_URL_FILE": "/nowhere/at/all"}), self.assertRaises(ValueError):
            watch_options(**{**self.GOOD, "url": None})

    def test_name_addresses_and_ids_as_people_write_them(self):
        options = watch_options(**{**self.GOOD, "url": " https://m\u00fcller.example/gr\u00fc\u00df/%20 ", "analysis_id": f" {uuid.UUID(int=171)} ".upper()})
        self.assertEqual(options.where.address, (True, "xn--mller-kva.example", 443, "/gr%C3%BC%C3%9F/%20"))
        self.assertEqual(options.analysis_id, str(uuid.UUID(int=171)))


class AnEventStream(unittest.TestCase):
    def test_is_read_however_its_bytes_are_cut(self):
        text = (
            ": alive\nretry: 1000\n\nid: 1\nevent: status_update\ndata: {\"message\":\"gr\u00fc\u00df\"}\n\n"
            "event: new_kind\r\ndata: {\r\ndata: \"a\": 1}\r\n\r\nevent: lost\n\n"
        ).encode()
        expected = [{"event_type": "status_update", "message": "gr\u00fc\u00df"}, {"event_type": "new_kind", "a": 1}]
        for size in (1, 2, 3, 7, len(text)):
            frames = Frames()
            chunks = [text[at : at + size] for at in range(0, len(text), size)]
            self.assertEqual([frame for chunk in chunks for frame in frames.of(chunk)], expected)


class AnAddress(unittest.TestCase):
    def test_is_read_with_its_port_and_path(self):
        self.assertEqual(tuple(address_of("https://telltale.example/below/")), (True, "telltale.example", 443, "/below"))
        self.assertEqual(address_of("ws://[::1]:8000").named, "[::1]:8000")
        for text in ("telltale.example", "redis://telltale.example", "http://"):
            with self.assertRaises(ValueError):
                address_of(text)


class FramesOfAClient(unittest.TestCase):
    def test_are_as_many_as_a_gateway_takes_and_keep_their_order(self):
        async def many():
            sent = []
            paced = PacedFrames(sent.append)
            for number in range(5_000):
                paced.offer(str(number))
            counts = [len(sent)]
            for _ in range(3):
                await loop.skip(10)
                counts.append(len(sent))
            paced.stop()
            await loop.skip(60)
            self.assertEqual(len(sent), counts[-1])
            self.assertEqual(sent, [str(number) for number in range(len(sent))])
            return counts

        loop = StandingTime()
        try:
            first, *more = loop.run_until_complete(many())
        finally:
            loop.close()
        self.assertTrue(1_500 <= first <= 1_900, first)
        for seconds, count in zip((10, 20, 30), more):
            self.assertAlmostEqual(count, first + 90 * seconds, delta=100)


class AnAwait(unittest.TestCase):
    def test_that_is_cancelled_when_its_answer_is_there_is_cancelled(self):
        async def cancelled_late():
            answer = asyncio.get_running_loop().create_future()
            waiting = asyncio.ensure_future(within(10, answer))
            await asyncio.sleep(0)
            answer.set_result(1)
            await asyncio.sleep(0)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting

        asyncio.run(cancelled_late())


if __name__ == "__main__":
    unittest.main()
