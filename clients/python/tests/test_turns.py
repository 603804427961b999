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
        self.asked, self.opened = threading.Event(), threading.Event()
        self.sent = []

    def send(self, source, events, key):
        self.asked.set()
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
        before, *lanes = [Lane(str(uuid.uuid4()), None) for _ in range(3)]
        first, second = (lane.analysis_id for lane in lanes)

        def tell(lane, *stages):
            for stage in stages:
                event = timed("status_update", lane.analysis_id, None, {"current_stage": stage, "progress": 0.5})
                delivery.status(lane, lambda: event)
            delivery.close(lane)

        tell(before, "one")
        self.assertTrue(way.asked.wait(30))  # the thread has begun, and takes nothing of the others before they have told all
        for lane in lanes:
            tell(lane, "one", "two", "three")
        way.opened.set()
        for lane in lanes:
            self.assertTrue(delivery.wait(lane, 30))
        self.assertEqual(way.sent, [before.analysis_id, *[first, second] * 3])


if __name__ == "__main__":
    unittest.main()
