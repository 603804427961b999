"""Measures the cost of `Analysis.track` on an empty loop, beside tqdm's own and a bare loop, in one run.

    PYTHONPATH=clients/python /usr/bin/python3 bench/track-overhead.py [ITEMS]

Needs tqdm. Events go to a server of this process, so that their cost is among the figures.
"""

import io
import statistics
import sys
import time
import uuid
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent / "clients/python"))

from telltale_client import Analysis  # noqa: E402
from tests.fake_gateway import FakeGateway  # noqa: E402

ROUNDS = 7


def microseconds_an_item(iterable, items):
    began = time.perf_counter()
    for _ in iterable:
        pass
    return (time.perf_counter() - began) * 1e6 / items


def main():
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with FakeGateway() as gateway:
        rounds = {"bare loop": [], "tqdm": [], "track": []}
        for _ in range(ROUNDS):
            rounds["bare loop"].append(microseconds_an_item(range(items), items))
            rounds["tqdm"].append(microseconds_an_item(tqdm(range(items), file=io.StringIO()), items))
            with Analysis(uuid.uuid4(), url=gateway.url) as a:
                rounds["track"].append(microseconds_an_item(a.track(range(items), unit="items"), items))
    for name, figures in rounds.items():
        print(f"{name:10} {statistics.median(figures):.3f} µs an item (median of {ROUNDS} rounds of {items:,})")


if __name__ == "__main__":
    main()
