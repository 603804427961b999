import enum
import json
import unittest
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from telltale_client.encoding import to_json

from .real_servers import installed, needed


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Region:
    x: float
    path: Path


def encoded(value):
    return json.loads(to_json(value))


class ToJson(unittest.TestCase):
    def test_writes_what_workers_have(self):
        moment = datetime(2026, 11, 24, 3, 27, 22, 785846)
        some_id = uuid.uuid4()
        for value, expected in [
            (Decimal("0.25"), 0.25),
            (Decimal("3"), 3),
            (Decimal("NaN"), None),
            (float("nan"), None),
            (float("-inf"), None),
            (moment, "2026-11-24T03:27:22.785846+00:00"),
            (moment.replace(tzinfo=timezone.utc), "2026-11-24T03:27:22.785846+00:00"),
            (timedelta(minutes=1), 60),
            (some_id, str(some_id)),
            (Path("a") / "b", "a/b"),
            (Colour.RED, "red"),
            (Level.HIGH, 3),
            (Region(0.5, Path("c")), {"x": 0.5, "path": "c"}),
            ({1: True, None: b"bytes"}, {"1": True, "null": "bytes"}),
            ((1, {2}), [1, [2]]),
            ("half \ud800 a pair", "half ? a pair"),
            (2**70, 2**70),
        ]:
            with self.subTest(value=value):
                self.assertEqual(encoded(value), expected)

    def test_writes_anything_else_as_text_and_never_raises(self):
        class Stubborn:
            def __str__(self):
                raise RuntimeError

        class Detached:
            @property
            def tolist(self):
                raise RuntimeError

            def __str__(self):
                return "detached"

        class Torn(dict):
            def items(self):
                raise RuntimeError("changed size during iteration")

        circle = {}
        circle["self"] = [circle]
        deep = []
        for _ in range(500):
            deep = [deep]
        self.assertEqual(encoded(Stubborn()), "<Stubborn>")
        self.assertEqual(encoded({"kept": 1, "lost": Detached()}), {"kept": 1, "lost": "detached"})
        self.assertEqual(encoded([Torn(a=1), 2]), ["{'a': 1}", 2])
        self.assertEqual(encoded(2**100_000), hex(2**100_000))
        self.assertEqual(encoded(circle), {"self": [None]})
        self.assertLess(to_json(deep).split('"')[0].count("["), 64)

    @needed("numpy", installed("numpy"))
    def test_writes_numbers_of_numpy(self):
        import numpy

        for value, expected in [
            (numpy.float32(0.5), 0.5),
            (numpy.float64("nan"), None),
            (numpy.int64(7), 7),
            (numpy.bool_(True), True),
            (numpy.array([[1.0, numpy.inf]]), [[1.0, None]]),
        ]:
            with self.subTest(value=value):
                self.assertEqual(encoded(value), expected)


if __name__ == "__main__":
    unittest.main()
