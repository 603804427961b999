"""How the stages of the worker become the progress of its analysis."""

import unittest

from ..steps import STAGES, Steps, overall_progress


class Heard:
    """Takes the place of an Analysis: keeps the progress that is reported."""

    def __init__(self):
        self.progress = []
        self.cancelled = False

    def raise_if_cancelled(self):
        if self.cancelled:
            raise InterruptedError

    def report(self, progress, *_):
        self.progress.append(progress)


class Telling(unittest.TestCase):
    def test_progress_never_falls(self):
        heard = Heard()
        steps = Steps(heard)
        for stage, done in [("frame_extraction", 0.9), ("uploading", 0.1), ("post_processing", 7)]:
            steps.status(stage, done, "on it")
        self.assertEqual(heard.progress, sorted(heard.progress))
        self.assertLessEqual(heard.progress[-1], 1)

    def test_a_request_to_cancel_ends_the_work_at_the_next_step(self):
        heard = Heard()
        heard.cancelled = True
        with self.assertRaises(InterruptedError):
            Steps(heard).status("frame_extraction", 0.5, "on it")
        self.assertEqual(heard.progress, [])

    def test_stages_share_out_the_whole(self):
        self.assertEqual(overall_progress("initializing", 0), 0)
        self.assertEqual(overall_progress("completed", 1), 1)
        self.assertEqual(overall_progress("uploading", 1), STAGES["frame_extraction"])


if __name__ == "__main__":
    unittest.main()
