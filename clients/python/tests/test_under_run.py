import os
import subprocess
import sys
import unittest
import uuid
from pathlib import Path

from .real_servers import ROOT, Gateway, RedisServer, installed, needed, program, wait_until
from .test_analysis import summary

PACKAGE = Path(__file__).parent.parent
# It writes what the command would read.
PROGRAM = """
import os, signal, sys
from telltale_client import Analysis

ID, how = os.environ["TELLTALE_ANALYSIS_ID"], sys.argv[1]
with Analysis(ID) as a:
    a.report(stage="uploading", progress=0.25, message="by itself")
    print('{"event_type": "status_update", "current_stage": "model_inference", "progress": 0.8, "message": "by a line"}', flush=True)
    if how == "killed":
        a.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raises": raise KeyError("face")
    a.result(data="by itself")
"""
A_PART = """
import time
from telltale_client.tqdm import tqdm

for number in tqdm(range(3), desc="by itself"): time.sleep(0.01)
"""


@needed("bun", program("bun"))
class AProgramUnderTelltaleRun(unittest.TestCase):
    """The command publishes for programs that do not publish by themselves."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.id = str(uuid.uuid4())

    def run_program(self, text, *words, options=(), env=()):
        words = [sys.executable, "-B", "-c", text, *words]
        command = [program("bun"), "run", str(ROOT / "src/main.ts"), "run", "--analysis", self.id, *options, "--", *words]
        where = {"TELLTALE_URL": self.gateway.url, "TELLTALE_TOKEN": self.gateway.token()}
        found = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **where, **dict(env)}
        return subprocess.run(command, env=found, capture_output=True, text=True)

    def told(self):
        """All that was told but for the command's begin, which comes before the program's."""
        events = self.gateway.events(self.id)
        self.assertNotIn("by a line", [event.get("message") for event in events])
        return [name for name in summary(events) if name != "initializing"]

    def test_that_tells_its_result_is_told_of_once(self):
        run = self.run_program(PROGRAM, "finishes")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.told(), ["uploading", "result", "completed"])
        self.assertIn("by a line", run.stdout)

    def test_that_raises_is_told_of_by_its_exception_alone(self):
        self.assertEqual(self.run_program(PROGRAM, "raises").returncode, 1)
        self.assertEqual(self.told(), ["uploading", "KeyError"])

    def test_that_is_killed_before_it_tells_an_end_is_ended_by_the_command(self):
        self.assertEqual(self.run_program(PROGRAM, "killed").returncode, 137)
        self.assertEqual(self.told(), ["uploading", "worker_killed"])

    def test_has_the_name_of_the_run(self):
        self.run_program(PROGRAM, "finishes", options=["--attempt", "third"])
        self.assertEqual(self.told(), ["uploading", "result", "completed"])
        self.assertEqual({event["attempt_id"] for event in self.gateway.events(self.id)}, {"third"})

    @needed("tqdm", installed("tqdm"))
    def test_whose_bar_tells_its_progress_is_completed_by_the_command(self):
        self.assertEqual(self.run_program(A_PART).returncode, 0)
        events = self.gateway.events(self.id)
        self.assertEqual(events[-1]["current_stage"], "completed")
        self.assertEqual({event["message"] for event in events if "current" in event}, {"by itself"})

    @needed("redis-server", program("redis-server"))
    @needed("redis-py", installed("redis"))
    def test_is_told_of_once_by_way_of_redis_too(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        gateway = Gateway(REDIS_URL=redis.url)
        self.addCleanup(gateway.stop)
        self.run_program(PROGRAM, "finishes", env={"TELLTALE_URL": redis.url}.items())
        told = lambda: [name for name in summary(gateway.events(self.id)) if name != "initializing"]  # noqa: E731
        # The analysis is completed by its result already.
        wait_until(lambda: told()[-1:] == ["completed"], "its last status did not come")
        self.assertEqual(told(), ["uploading", "result", "completed"])


if __name__ == "__main__":
    unittest.main()
