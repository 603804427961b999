import types
import unittest
import uuid
from unittest import mock

from .real_servers import installed, needed, program, wait_until
from .test_celery import Application


@needed("celery", installed("celery"))
class TheRunOfATask(unittest.TestCase):
    def test_is_known_although_the_function_cannot_name_the_task_that_follows(self):
        from telltale_client.celery_runs import Runs

        app = types.SimpleNamespace(tasks={})
        chained = {"chain": [{"task": "b", "kwargs": {}, "options": {"task_id": "2"}}]}
        run = Runs(app, lambda task, task_id, keywords: keywords["video"]).of("a", "1", {"video": "x"}, chained)
        self.assertEqual((run.analysis, run.completes, run.shared), ("x", True, False))


@needed("celery", installed("celery"))
class ASender(unittest.TestCase):
    def test_sends_its_tasks_though_the_gateway_is_away_and_names_the_attempt_that_it_may_have_told(self):
        from telltale_client import Analysis, celery_queued
        from telltale_client.celery_runs import Runs

        run = Runs(types.SimpleNamespace(tasks={}), lambda task, task_id, keywords: task_id).of("a", str(uuid.uuid4()), {}, {})
        app = types.SimpleNamespace(send_task=lambda: queued.tell(run))
        queued = celery_queued.Queued(app, lambda run: Analysis(run.analysis, url="http://127.0.0.1:9", token="t"))
        queued.connect()
        with mock.patch.object(celery_queued, "PATIENCE_SECONDS", 0.01), self.assertLogs("telltale_client") as logged:
            self.assertEqual([app.send_task() for _ in range(3)], [True, False, False])
        self.assertEqual(len([line for line in logged.output if "is not told to be queued" in line]), 1)


class WhatATaskToldLast(unittest.TestCase):
    def test_is_of_its_last_try_though_an_earlier_one_ran_in_another_child(self):
        from telltale_client.last_told import LastTold

        told = LastTold()
        told.write(0, "task", "looking", 0.8)
        told.write(1, "task", "initializing", 0.1)
        self.assertEqual((told.find("task"), told.find("another")), (("initializing", 0.1), None))


@needed("celery", installed("celery"))
class TheWatchForAnEnd(unittest.TestCase):
    def test_forgets_a_task_that_is_done(self):
        from telltale_client.celery_shared import EndWatch

        class Running:
            def is_over(self, how):
                raise AssertionError(how)

        watch = EndWatch(types.SimpleNamespace(ended=lambda attempts: {}))
        running, other = Running(), Running()
        for one in (running, other):
            watch.add("attempt", one.is_over)
        watch.remove("attempt", running.is_over)
        self.assertEqual(watch._waiting, {"attempt": [other.is_over]})
        watch.remove("attempt", other.is_over)
        self.assertEqual(watch._waiting, {})


@needed("redis-server", program("redis-server"))
@needed("celery", installed("celery"))
@needed("bun", program("bun"))
class TasksOfOneAnalysis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.application = Application.shared()
        cls.gateway = cls.application.gateway
        cls.app = cls.application.app

    def setUp(self):
        self.id = str(uuid.uuid4())
        self.addCleanup(self.say, "go")

    def part(self, does="returns", **options):
        return self.app.part.s(analysis_id=self.id, does=does).set(**options)

    def say(self, name):
        self.app.say(name, self.id)

    def wait_for(self, name, times=1):
        wait_until(lambda: self.app.said(name, self.id) >= times, lambda: f"{name}: {self.app.said(name, self.id)} of {times}")

    def stages(self):
        return self.application.told(self.id)

    def test_have_failed_for_good_if_one_of_them_fails(self):
        for does, code in (("raises", "ValueError"), ("dies", "worker_lost")):
            with self.subTest(does):
                self.id = str(uuid.uuid4())
                self.app.chord([self.part("waits"), self.part(does)])(self.part())
                self.wait_for("began", 2)
                self.say("raise")
                error = self.gateway.wait_for(self.id, "failed")["error"]
                self.assertEqual(error["error_code"], code)
                self.say("go")
                self.wait_for("done")
                self.assertEqual(self.gateway.state(self.id)["status"], "failed")
                self.assertEqual(self.stages()[-1], code)

    def test_are_cancelled_for_good_if_one_of_them_is_revoked(self):
        revoked = str(uuid.uuid4())
        self.app.chord([self.part("runs"), self.part("waits", task_id=revoked)])(self.part())
        self.wait_for("began", 2)
        self.app.app.control.revoke(revoked, terminate=True, signal="SIGKILL")
        self.gateway.wait_for(self.id, "cancelled")
        self.wait_for("ended")
        self.assertEqual(self.stages()[-1], "cancelled")

    def test_all_obey_a_request_to_cancel_also_those_that_wait_in_the_queue(self):
        for canvas in (lambda parts: self.app.chord(parts)(self.part()), lambda parts: self.app.group(parts).delay()):
            with self.subTest(canvas):
                self.id = str(uuid.uuid4())
                canvas([self.part("runs") for _ in range(10)])
                self.wait_for("began", 2)
                self.assertEqual(self.gateway.cancel(self.id), 202)
                self.gateway.wait_for(self.id, "cancelled")
                self.wait_for("ended", 10)
                self.assertEqual((self.stages()[-1], self.app.said("done", self.id)), ("cancelled", 0))

    def test_of_a_group_complete_it_when_the_last_of_them_is_done(self):
        canvases = {
            "group": lambda parts: self.app.group(parts),
            "chain that ends in a group": lambda parts: self.part() | self.app.group(parts),
            "group of chains": lambda parts: self.app.group([part | self.part() for part in parts]),
        }
        for name, canvas in canvases.items():
            with self.subTest(name):
                self.id = str(uuid.uuid4())
                canvas([self.part(), self.part(), self.part("waits")]).delay()
                self.wait_for("began", 3)
                self.wait_for("done", 2)
                self.assertNotIn("completed", self.stages())
                self.say("go")
                self.gateway.wait_for(self.id, "completed")
                self.assertEqual(self.stages().count("completed"), 1)
                self.assertEqual(self.app.said("began", self.id), self.app.said("done", self.id))

    def progress(self):
        """As it was told with the first report of each task, in the order of its size."""
        events = self.gateway.events(self.id)
        return sorted(round(event["progress"], 3) for event in events if event.get("message") == "Uploading")

    def test_of_a_group_and_of_a_chord_add_up_their_progress(self):
        for name, canvas, told in (
            ("group", lambda parts: self.app.group(parts).delay(), 0.5),
            ("chord", lambda parts: self.app.chord(parts)(self.part()), 0.4),
        ):
            with self.subTest(name):
                self.id = str(uuid.uuid4())
                canvas([self.part("waits") for _ in range(4)])
                wait_until(lambda: len(self.progress()) == 4, self.progress)
                self.assertEqual(self.progress()[-1], told)
                self.say("go")
                self.assertEqual(self.gateway.wait_for(self.id, "completed")["progress"], 1)
        self.assertGreater(self.progress()[-1], 0.5)  # the body may begin before the last part counts as done

    def test_of_a_chain_go_on_where_the_one_before_has_ended(self):
        (self.part() | self.part() | self.part()).delay()
        self.gateway.wait_for(self.id, "completed")
        told = [event["progress"] for event in self.gateway.events(self.id)]
        self.assertEqual((self.progress(), told), ([0.167, 0.5, 0.833], sorted(told)))

    def test_that_one_of_them_starts_make_what_is_left(self):
        self.app.part.delay("group", analysis_id=self.id, does="is_replaced")
        wait_until(lambda: len(self.progress()) == 3, self.progress)
        self.assertEqual(self.progress()[0], 0.5)
        self.assertIn(self.progress()[-1], (0.75, 0.875))  # the other part tells half, or is done
        self.say("go")
        self.gateway.wait_for(self.id, "completed")

    def test_of_a_group_complete_each_its_own_if_they_tell_of_several(self):
        ids = [str(uuid.uuid4()) for _ in range(3)]
        self.app.group(self.app.part.s(analysis_id=one) for one in ids).delay()
        for one in ids:
            self.gateway.wait_for(one, "completed")

    def test_complete_it_when_the_task_that_took_the_place_of_another_is_done(self):
        for kind in ("chain", "group"):
            with self.subTest(kind):
                self.id = str(uuid.uuid4())
                self.app.part.delay(kind, analysis_id=self.id, does="is_replaced")
                self.wait_for("began", 3)
                self.assertNotIn("completed", self.stages())
                self.say("go")
                self.gateway.wait_for(self.id, "completed")
                self.assertEqual(self.stages().count("completed"), 1)

    def test_complete_it_when_both_are_done_if_one_starts_the_other(self):
        self.app.part.delay(analysis_id=self.id, does="starts_another")
        self.wait_for("began", 2)
        self.wait_for("done")
        self.assertNotIn("completed", self.stages())
        self.say("go")
        self.gateway.wait_for(self.id, "completed")

    def test_obey_a_request_that_came_before_the_next_try(self):
        self.app.part.delay(analysis_id=self.id, does="tries_again")
        self.wait_for("began")
        self.gateway.cancel(self.id)
        self.say("go")
        self.gateway.wait_for(self.id, "cancelled")
        self.wait_for("began", 2)
        self.assertEqual((self.stages()[-1], self.app.said("missed", self.id)), ("cancelled", 0))


if __name__ == "__main__":
    unittest.main()
