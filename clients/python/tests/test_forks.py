import multiprocessing
import unittest
import uuid

from telltale_client import Analysis

from .fake_gateway import FakeGateway
from .test_analysis import summary

CHILDREN = 8
STAGES = ["initializing", "frame_extraction", "result", "completed"]


def analyse(url, analysis_id):
    with Analysis(analysis_id, url=url) as a:
        for _ in a.track(range(3), stage="frame_extraction", unit="frames"):
            pass
        a.result(data={"id": a.id})


class AForkedChild(unittest.TestCase):
    """Its parent imported the package and told something before, so that its thread was running."""

    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)

    def test_tells_an_analysis_of_its_own_to_its_end_while_one_of_its_parent_runs(self):
        ids = [str(uuid.uuid4()) for _ in range(CHILDREN)]
        with Analysis(uuid.uuid4(), url=self.gateway.url) as a:
            a.report(stage="uploading", progress=0.1)
            fork = multiprocessing.get_context("fork")
            children = [fork.Process(target=analyse, args=(self.gateway.url, analysis_id)) for analysis_id in ids]
            for child in children:
                child.start()
            for child in children:
                child.join()
        self.assertEqual([child.exitcode for child in children], [0] * CHILDREN)
        self.assertEqual(summary(self.gateway.of(a.id)), ["initializing", "uploading", "completed"])
        for analysis_id in ids:
            self.assertEqual(summary(self.gateway.of(analysis_id)), STAGES)


if __name__ == "__main__":
    unittest.main()
