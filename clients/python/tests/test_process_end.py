import os
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

from .fake_gateway import FakeGateway
from .test_analysis import summary

PACKAGE = Path(__file__).parent.parent
PATIENCE_SECONDS = 60
BEGIN = "import os, signal, sys, threading, time\nfrom telltale_client import Analysis\nID = os.environ['ID']\n"


class TheEndOfAProcess(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = str(uuid.uuid4())
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_script(self, script, path=None):
        """Kills it, and fails, if it does not end."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "TELLTALE_URL": self.gateway.url, "ID": self.id}
        command = [sys.executable, "-B", *([path] if path else ["-c", BEGIN + script])]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def told(self):
        return summary(self.gateway.of(self.id))

    def test_ends_an_analysis_that_a_suspended_generator_holds(self):
        run = self.run_script("""
def frames():
    with Analysis(ID) as a:
        yield from a.track(range(3), stage="uploading")
reader = frames()
next(reader)
""")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.told(), ["initializing", "uploading", "worker_ended"])

    def test_ends_an_analysis_of_a_thread_that_is_not_waited_for(self):
        run = self.run_script("""
opened = threading.Event()
def work():
    with Analysis(ID) as a:
        for _ in a.track(iter(int, 1), stage="uploading"):
            opened.set()
            time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()
opened.wait()
""")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.told(), ["initializing", "uploading", "worker_ended"])

    def test_waits_for_nothing_once_no_thread_can_send(self):
        run = self.run_script("""
class Worker:
    def __init__(self):
        self.analysis = Analysis(ID).start()
        self.loop = self.analysis.track(range(3), stage="uploading")
        next(self.loop)
    def __del__(self):
        self.loop.close()
        self.analysis.finish()
        print(self.analysis.wait())
worker = Worker()
""")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "False\n", ""))

    def test_sends_what_a_child_of_a_plain_fork_has_told(self):
        run = self.run_script("""
child = os.fork()
if child == 0:
    a = Analysis(ID).start()
    a.result(data=1)
    a.finish()
    sys.exit(0)
os.waitpid(child, 0)
""")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.told(), ["initializing", "result", "completed"])

    def test_sends_what_children_of_any_start_method_have_told(self):
        script = Path(self.folder.name) / "main.py"
        script.write_text(BEGIN + """
import multiprocessing

def work(a):
    a.report(stage="uploading", progress=0.5)
    Analysis(ID, part=True).report(stage="model_inference", progress=0.6)
    with a:
        pass  # the process that began it ends it

if __name__ == "__main__":
    with Analysis(ID, attempt_id="one") as a:
        child = multiprocessing.get_context("forkserver").Process(target=work, args=(a,))
        child.start()
        child.join()
        print(child.exitcode)
""")
        run = self.run_script(None, str(script))
        self.assertEqual((run.stdout, run.stderr), ("0\n", ""))
        self.assertEqual(self.told(), ["initializing", "uploading", "model_inference", "completed"])
        attempts = [event.get("attempt_id") for event in self.gateway.of(self.id)]
        self.assertEqual(attempts, ["one", "one", None, "one"])

    def test_is_not_held_up_by_a_gateway_that_is_away_once_its_user_has_interrupted_the_wait(self):
        self.gateway.answer = lambda path, events, key: (503, {})
        run = self.run_script("""
import traceback
from telltale_client.deliveries import flush_all

def interrupt(number, frame):
    if any(call.name == "wait" for call in traceback.extract_stack(frame)):
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
try:
    with Analysis(ID):
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
except KeyboardInterrupt:
    began = time.monotonic()
    flush_all()
    print(time.monotonic() - began < 20)
""")
        self.assertEqual(run.stdout, "True\n", run.stderr)


if __name__ == "__main__":
    unittest.main()
