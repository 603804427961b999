import threading
import unittest
import uuid

from telltale_client.delivery import Delivery
from telltale_client.events import timed
from telltale_client.lane import Lane


class OneByOne:
    """Takes one event a call, the first when it is opened."""

    poll_seconds = 60.0
    poll_is_beat = answers = True
    largest_batch = 1

    def __init__(self):
        self.opened = threading.Event()
        self.sent = []

    def send(self, source, events, key):
        self.opened.wait(30)
        self.sent.append(source.analysis_id)
        return None

    def poll(self, source):
        return None

    def forget_cancel(self, source):
        pass

    def close(self):
        pass


class AnalysesOfOneProcess(unittest.TestCase):
    def test_are_served_in_turns(self):
        way = OneByOne()
        delivery = Delivery(lambda: way)
        lanes = [Lane(str(uuid.uuid4()), None) for _ in range(2)]
        first, second = (lane.analysis_id for lane in lanes)
        for lane in lanes:
            for stage in ("one", "two", "three"):
                event = timed("status_update", lane.analysis_id, None, {"current_stage": stage, "progress": 0.5})
                delivery.status(lane, lambda event=event: event)
            delivery.close(lane)
        way.opened.set()
        for lane in lanes:
            self.assertTrue(delivery.wait(lane, 30))
        self.assertEqual(way.sent, [first, second] * 3)


if __name__ == "__main__":
    unittest.main()
