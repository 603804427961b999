import atexit
import math
import os
import subprocess
import sys
import unittest
import uuid
from pathlib import Path
from subprocess import DEVNULL

from .real_servers import Gateway, RedisServer, installed, needed, program, wait_until
from .test_analysis import summary

PACKAGE = Path(__file__).parent.parent


def end(worker):
    """It waits for its tasks, which a test that failed may have left behind."""
    worker.terminate()
    try:
        worker.wait(10)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


class Application:
    """A real Celery application: a worker with processes, another with threads on the queue `threads`, a gateway, and Redis.

    One for all tests of this process, since a module is imported once.
    """

    _shared = None

    @classmethod
    def shared(cls):
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def __init__(self):
        self.redis = RedisServer()
        atexit.register(self.redis.stop)
        self.gateway = Gateway(REDIS_URL=self.redis.url)
        atexit.register(self.gateway.stop)
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PACKAGE),
            "REDIS_URL": self.redis.url,
            "TELLTALE_URL": self.gateway.url,
            "TELLTALE_TOKEN": self.gateway.token(),
        }
        base = [sys.executable, "-B", "-m", "celery", "-A", "tests.celery_app", "worker", "--loglevel=error", "-c"]
        for options in (["4"], ["2", "--pool", "threads", "-Q", "threads", "-n", "threads@%h"]):
            worker = subprocess.Popen([*base, *options], cwd=PACKAGE, env=env, stdout=DEVNULL, stderr=DEVNULL)
            atexit.register(end, worker)
        os.environ.update(REDIS_URL=self.redis.url, GATEWAY_URL=self.gateway.url, GATEWAY_TOKEN=self.gateway.token())
        from . import celery_app

        self.app = celery_app
        atexit.register(celery_app.app.pool.force_close_all)
        # Results tell Redis that nobody waits for them, which they can no more when Python is about to end.
        atexit.register(celery_app.app.backend._pending_results.concrete.clear)
        wait_until(lambda: len(self.app.app.control.ping(timeout=1)) == 2, "the workers did not start")

    def run(self, name, *args, **keywords):
        """Answers the id of the task."""
        return getattr(self.app, name).apply_async(args, keywords).id

    def told(self, analysis_id):
        return summary(self.gateway.events(analysis_id))


@needed("redis-server", program("redis-server"))
@needed("celery", installed("celery"))
@needed("bun", program("bun"))
class ATask(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.application = Application.shared()

    def failure_of(self, task, *args):
        error = self.application.gateway.wait_for(self.application.run(task, *args), "failed")["error"]
        return error["error_code"], error["error_message"]

    def test_in_a_thread_has_the_ends_of_one_in_a_process(self):
        finishing, raising, exiting = (
            getattr(self.application.app, name).apply_async(queue="threads").id
            for name in ("finishes", "raises", "exits")
        )
        self.application.gateway.wait_for(finishing, "completed")
        error = self.application.gateway.wait_for(raising, "failed")["error"]
        self.assertEqual((error["error_code"], error["error_message"]), ("ValueError", "a bad frame"))
        error = self.application.gateway.wait_for(exiting, "failed")["error"]
        self.assertEqual((error["error_code"], error["error_message"]), ("SystemExit", "The worker left with exit code 3"))

    def test_that_returns_a_value_has_it_as_its_result_if_that_is_asked_for(self):
        verdict = {"is_fake": True, "confidence_score": 0.5}
        for value, told in [({"faces": 3}, "result"), (verdict, "result_update")]:
            result = self.application.gateway.wait_for(self.application.run("returns", value), "completed")["result"]
            self.assertEqual(result["event_type"], told)
            self.assertLessEqual(value.items(), (result.get("data") or result).items())

    def test_that_returns_what_is_no_result_has_succeeded_all_the_same(self):
        verdict = {"is_fake": True, "confidence_score": math.nan}
        values = [(math.nan, None), ("x" * 1_100_000, None), ([math.inf, 1], [None, 1]), (verdict, {**verdict, "confidence_score": None})]
        for value, told in values:
            with self.subTest(told):
                state = self.application.gateway.wait_for(self.application.run("returns", {"value": value}, "value"), "completed")
                self.assertEqual((state["result"] or {}).get("data"), told)
                self.assertIsNone(state["error"])

    def test_that_ends_by_its_state_or_by_reject_has_failed(self):
        self.assertEqual(self.failure_of("fails_by_its_state"), ("NoFace", "No face was found"))
        self.assertEqual(self.failure_of("is_rejected"), ("task_rejected", "The task was rejected: not here"))

    def test_that_finishes_is_completed(self):
        task_id = self.application.run("finishes")
        self.application.gateway.wait_for(task_id, "completed")
        self.assertEqual(self.application.told(task_id), ["queued", "initializing", "completed"])

    def test_that_updates_its_state_tells_that_as_it_is(self):
        task_id = self.application.run("passes_progress_on")
        self.application.gateway.wait_for(task_id, "completed")
        told = next(event for event in self.application.gateway.events(task_id) if event.get("current") == 3)
        self.assertEqual((told["total"], told["progress"], told["message"]), (4, 0.75, "Three of four"))
        self.assertEqual(told["colour"], "red")

    def states_of(self, *metas):
        """The statuses that a task tells whose states have these `meta`, without its wait, its begin and its end."""
        task_id = self.application.run("has_states", list(metas))
        self.application.gateway.wait_for(task_id, "completed")
        return self.application.gateway.events(task_id)[2:-1]

    def test_tells_a_state_whose_keys_are_those_of_an_event(self):
        keys = ("self", "event_type", "event_id", "analysis_id", "attempt_id", "timestamp", "error", "extra")
        (told,) = self.states_of({**dict.fromkeys(keys, 7), "current_stage": "uploading", "progress": 0.5, "message": 3})
        self.assertEqual((told["event_type"], told["current_stage"], told["progress"]), ("status_update", "uploading", 0.5))
        self.assertEqual((told["self"], told["extra"], told["message"]), (7, 7, "3"))

    def test_tells_a_progress_of_a_hundred_and_numbers_that_are_text(self):
        stages = ("uploading", "frame_extraction", "post_processing")
        by_hundred = self.states_of(*({"progress": at, "stage": stage} for at, stage in zip((30, 1, "45.5"), stages)))
        self.assertEqual([told["progress"] for told in by_hundred], [0.3, 0.01, 0.455])
        (counted,) = self.states_of({"current": "3", "total": "4", "unit": "parts"})
        self.assertEqual((counted["current"], counted["total"], counted["progress"]), (3, 4, 0.75))

    def test_leaves_out_a_number_that_is_none_and_tells_the_rest(self):
        (told,) = self.states_of({"progress": -1, "current": "many", "total": 4, "message": "On it"})
        self.assertEqual((told["message"], told["total"], told.get("current")), ("On it", 4, None))

    def test_that_opens_its_analysis_tells_one_run_of_it(self):
        analysis_id = str(uuid.uuid4())
        self.application.run("tells_a_verdict", analysis_id=analysis_id)
        self.application.gateway.wait_for(analysis_id, "completed")
        expected = ["queued", "initializing", "frame_extraction", "result_update", "completed"]
        wait_until(lambda: self.application.told(analysis_id) == expected, lambda: self.application.told(analysis_id))
        self.assertEqual(len({event["attempt_id"] for event in self.application.gateway.events(analysis_id)}), 1)

    def test_that_raises_has_failed_with_its_exception(self):
        self.assertEqual(self.failure_of("raises"), ("ValueError", "a bad frame"))

    def test_whose_process_exits_has_failed(self):
        self.assertEqual(self.failure_of("exits")[0], "worker_lost")

    def test_whose_process_is_killed_has_failed(self):
        self.assertEqual(self.failure_of("is_killed"), ("worker_lost", "The process that ran the task died"))

    def test_that_takes_too_long_has_failed(self):
        self.assertEqual(self.failure_of("takes_too_long")[0], "time_limit_exceeded")

    def test_that_waits_for_another_try_is_queued(self):
        task_id = self.application.run("waits_for_another_try")
        again = "The task is tried again: OSError: not yet"
        wait_until(lambda: self.application.gateway.state(task_id)["message"] == again, "it was not told")
        self.assertEqual(self.application.gateway.state(task_id)["status"], "queued")

    def test_that_no_worker_has_yet_is_queued_by_its_sender(self):
        task_id = self.application.app.finishes.apply_async(queue="nobody").id
        self.assertEqual(self.application.gateway.state(task_id)["status"], "queued")
        analysis_id = str(uuid.uuid4())
        self.application.app.group(
            self.application.app.part.s(analysis_id=analysis_id).set(queue="nobody") for _ in range(3)
        ).delay()
        self.assertEqual(self.application.told(analysis_id), ["queued"])

    def test_that_cannot_be_sent_has_failed(self):
        from kombu.exceptions import EncodeError

        analysis_id = str(uuid.uuid4())
        with self.assertRaises(EncodeError):
            self.application.run("returns", object(), analysis_id=analysis_id)
        self.assertEqual(self.application.gateway.wait_for(analysis_id, "failed")["error"]["error_code"], "task_not_sent")

    def test_that_succeeds_at_last_is_completed_by_its_third_attempt(self):
        analysis_id = str(uuid.uuid4())
        self.application.run("succeeds_at_last", analysis_id=analysis_id)
        state = self.application.gateway.wait_for(analysis_id, "completed")
        self.assertEqual((state["result"]["data"], state["error"]), ("done", None))
        self.assertEqual(len({event["attempt_id"] for event in self.application.gateway.events(analysis_id)}), 3)

    def test_that_is_revoked_while_it_runs_is_cancelled(self):
        task_id = self.application.run("runs_for_ever")
        self.application.gateway.wait_for(task_id, "running")
        self.application.app.app.control.revoke(task_id, terminate=True, signal="SIGKILL")
        self.application.gateway.wait_for(task_id, "cancelled")

    def test_that_is_revoked_while_it_runs_ends_at_its_last_progress(self):
        analysis_id = str(uuid.uuid4())
        task_id = self.application.run("part", analysis_id=analysis_id, does="waits")
        wait_until(lambda: self.application.gateway.state(analysis_id)["progress"] == 0.5, "it told no progress")
        self.application.app.app.control.revoke(task_id, terminate=True)
        self.assertEqual(self.application.gateway.wait_for(analysis_id, "cancelled")["progress"], 0.5)

    def test_that_somebody_cancels_is_cancelled_and_not_tried_again(self):
        analysis_id = str(uuid.uuid4())
        self.application.run("runs_until_cancelled", analysis_id=analysis_id)
        self.application.gateway.wait_for(analysis_id, "running")
        self.assertEqual(self.application.gateway.cancel(analysis_id), 202)
        self.application.gateway.wait_for(analysis_id, "cancelled")
        self.assertEqual(self.application.told(analysis_id)[-1], "cancelled")

    def test_that_somebody_cancels_is_revoked_for_whoever_waits_for_its_result(self):
        from celery.exceptions import TaskRevokedError

        analysis_id = str(uuid.uuid4())
        result = self.application.app.runs_until_cancelled.delay(analysis_id=analysis_id)
        self.application.gateway.wait_for(analysis_id, "running")
        self.application.gateway.cancel(analysis_id)
        with self.assertRaises(TaskRevokedError):
            result.get(timeout=60)
        self.assertEqual(result.state, "REVOKED")

    def test_that_is_revoked_before_it_runs_is_cancelled(self):
        analysis_id, task_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.application.app.app.control.revoke(task_id, reply=True)
        self.application.app.runs_until_cancelled.apply_async((), {"analysis_id": analysis_id}, task_id=task_id)
        self.application.gateway.wait_for(analysis_id, "cancelled")

    def test_of_a_chord_shares_its_analysis_with_fifty_others(self):
        analysis_id = str(uuid.uuid4())
        self.application.app.start_chord(analysis_id, 50)
        state = self.application.gateway.wait_for(analysis_id, "completed")
        self.assertEqual(state["result"]["data"], {"sum": sum(range(50))})
        events = self.application.gateway.events(analysis_id)
        self.assertEqual({event["message"] for event in events if "current" in event}, {f"Part {n}" for n in range(50)})
        self.assertEqual(len({event["attempt_id"] for event in events}), 1)


if __name__ == "__main__":
    unittest.main()
