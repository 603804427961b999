"""The events that the reporter publishes."""

import json
import unittest

from ..telltale import STAGES, Cancelled, Reporter, estimate_completion, overall_progress


class Heard:
    """Takes the place of Redis: keeps every event that is published."""

    def __init__(self):
        self.events = []

    def publish(self, channel, event):
        self.events.append((channel, json.loads(event)))
        return 1


class Telling(unittest.TestCase):
    def setUp(self):
        self.heard = Heard()
        self.reporter = Reporter(self.heard, "an-id", "a-task")

    def test_a_new_stage_is_told_at_once_and_a_flood_is_not(self):
        for frame in range(1000):
            self.reporter.status("frame_extraction", frame / 1000, f"frame {frame}")
        self.reporter.status("feature_extraction", 0, "next")
        self.assertEqual([event["message"] for _, event in self.heard.events], ["frame 0", "next"])
        self.assertEqual({channel for channel, _ in self.heard.events}, {"analysis:an-id"})

    def test_progress_never_falls(self):
        for stage, done in [("frame_extraction", 0.9), ("uploading", 0.1), ("post_processing", 7)]:
            self.reporter.status(stage, done, "on it")
        told = [event["progress"] for _, event in self.heard.events]
        self.assertEqual(told, sorted(told))
        self.assertLessEqual(told[-1], 1)

    def test_nan_is_refused_before_it_is_sent(self):
        with self.assertRaises(ValueError):
            self.reporter.result(confidence_score=float("nan"))

    def test_a_request_to_cancel_ends_the_work_and_is_told_once(self):
        asked = []
        self.heard.get = lambda key: asked.append(key) or (b"{}" if len(asked) > 1 else None)
        self.reporter.status("frame_extraction", 0.5, "on it")
        self.reporter.status("frame_extraction", 0.6, "too soon to ask again")
        self.reporter._last_asked = 0
        with self.assertRaises(Cancelled):
            self.reporter.status("feature_extraction", 0, "next")
        self.reporter.cancelled()
        self.assertEqual(asked, ["telltale:cancel:an-id"] * 2)
        self.assertEqual([event["current_stage"] for _, event in self.heard.events], ["frame_extraction", "cancelled"])

    def test_stages_share_out_the_whole(self):
        self.assertEqual(overall_progress("initializing", 0), 0)
        self.assertEqual(overall_progress("completed", 1), 1)
        self.assertEqual(overall_progress("uploading", 1), STAGES["frame_extraction"])

    def test_an_estimate_needs_a_rate(self):
        self.assertIsNone(estimate_completion([(0.0, 0.1), (0.1, 0.2)]))
        self.assertIsNone(estimate_completion([(0.0, 0.1), (9.0, 0.1)]))
        self.assertIsNotNone(estimate_completion([(0.0, 0.1), (2.0, 0.5)]))


if __name__ == "__main__":
    unittest.main()
