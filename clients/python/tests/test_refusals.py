import json
import logging
import os
import tempfile
import threading
import unittest
import uuid
from pathlib import Path

from telltale_client import Analysis, Cancelled, delivery
from telltale_client.lane import Lane

from .fake_gateway import FakeGateway
from .test_analysis import summary


def refusing(status, body, is_bad, says_which=True):
    """The answer of a gateway that refuses each request with a bad event in it, as a whole."""

    def answer(path, events, key):
        bad = [place for place, event in enumerate(events) if is_bad(event)]
        if not bad or not path.endswith("/events"):
            return None
        index = [bad[0]] if len(events) > 1 and says_which else []
        issues = [{**issue, "path": [*index, *issue["path"]]} for issue in body.get("issues", [])]
        return status, {**body, **({"issues": issues} if issues else {})}

    return answer


class WithAGateway(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = str(uuid.uuid4())

    def analysis(self, **options):
        return Analysis(self.id, url=self.gateway.url, **{"token": "t", **options})

    def told(self):
        return summary(self.gateway.of(self.id))

    def logged(self, level=logging.WARNING):
        return self.assertLogs("telltale_client", level)


class AnEventThatIsRefused(WithAGateway):
    def test_for_its_attempt_takes_nothing_with_it(self):
        body = {"code": "attempt_ended", "title": "This attempt of the analysis has ended", "detail": "event 1"}
        self.gateway.answer = refusing(409, body, lambda event: event.get("current_stage") == "late")
        with self.logged(logging.INFO) as logged, self.analysis(attempt_id="one") as a:
            a.report(stage="uploading", progress=0.1)
            a.report(stage="late", progress=0.2)
            a.report(stage="model_inference", progress=0.3)
            a.result(data=1)
        self.assertEqual(self.told(), ["initializing", "uploading", "model_inference", "result", "completed"])
        self.assertEqual([line for line in logged.output if "refused" in line or "dropped" in line], [])
        self.assertIn(f"INFO:telltale_client:{self.id} had ended: a status that came after the end is left out", logged.output)

    def test_for_its_attempt_is_no_loss_if_it_says_that_the_worker_was_cancelled_too(self):
        self.gateway.answer = refusing(409, {"code": "attempt_ended"}, lambda event: event.get("current_stage") == "cancelled")
        with self.assertNoLogs("telltale_client", logging.WARNING), self.assertRaises(Cancelled), self.analysis(attempt_id="one"):
            raise Cancelled()

    def test_for_its_attempt_and_was_an_end_is_named_as_a_loss(self):
        body = {"code": "attempt_ended", "title": "This attempt of the analysis has ended"}
        self.gateway.answer = refusing(409, body, lambda event: event["event_type"] == "result")
        with self.logged() as logged, self.analysis(attempt_id="one") as a:
            a.result(data=1)
        self.assertIn("refused: result: This attempt of the analysis has ended (attempt_ended)", str(logged.output))

    def test_because_another_run_has_begun_ends_what_this_one_tells(self):
        self.gateway.answer = lambda path, events, key: (409, {"code": "attempt_superseded", "title": "A later attempt"})
        with self.logged() as logged, self.analysis(attempt_id="one") as a:
            a.wait()
            a.result(data=1)
        self.assertEqual(len(self.gateway.requests), 1)
        self.assertIn("nothing more is told", str(logged.output))

    def test_and_was_the_result_ends_the_analysis_as_an_error(self):
        body = {"code": "invalid_event", "issues": [{"path": ["data"], "message": "must not be null"}]}
        for attempt_id in ("one", None):
            for waits in (True, False):
                with self.subTest(attempt_id=attempt_id, waits=waits), self.logged():
                    self.id = str(uuid.uuid4())
                    self.gateway.answer = refusing(422, body, lambda event: event["event_type"] == "result")
                    with self.analysis(attempt_id=attempt_id) as a:
                        a.result(data=1)
                        if waits:
                            a.wait()
                    self.assertEqual(self.told(), ["initializing", "event_refused"])
                    self.assertIn("data must not be null", self.gateway.stored[-1]["error_message"])

    def test_and_is_too_large_to_be_a_result_ends_the_analysis_as_an_error(self):
        body = {"code": "event_too_large", "title": "A body or event is larger than the gateway takes"}
        self.gateway.answer = refusing(413, body, lambda event: event["event_type"] == "result", says_which=False)
        with self.logged(), self.analysis(attempt_id="one") as a:
            a.result(data="x" * 2000)
        self.assertEqual(self.told(), ["initializing", "event_refused"])

    def test_with_a_progress_outside_its_bounds_takes_no_later_one_with_it(self):
        body = {"code": "invalid_event", "issues": [{"path": ["progress"], "message": "must be at most 1"}]}
        self.gateway.answer = refusing(422, body, lambda event: event.get("progress", 0) > 1)
        with self.logged() as logged, self.analysis() as a:
            a.report(stage="uploading", progress=42)
            a.report(stage="model_inference")
        self.assertEqual(self.told(), ["initializing", "model_inference", "completed"])
        self.assertIn("progress must be at most 1", str(logged.output))


    def test_for_its_stage_takes_no_progress_with_it(self):
        body = {"code": "invalid_event", "issues": [{"path": ["current_stage"], "message": "must be one of …"}]}
        self.gateway.answer = refusing(422, body, lambda event: str(event.get("current_stage")).startswith("Bad"))
        with self.logged() as logged, self.analysis() as a:
            a.report(stage="uploading", progress=0.1)
            a.report(stage="Bad 1", progress=0.2)
            a.wait()
            a.report(stage="Bad 1", progress=0.3)
            a.report(stage="Bad 2", progress=0.4)
            a.wait()
            a.report(progress=0.5)
            a.wait()
            a.report(stage="Bad 2", progress=0.6)
        stored = [(event["current_stage"], event["progress"]) for event in self.gateway.of(self.id)]
        self.assertEqual(stored[1:5], [("uploading", 0.1), ("uploading", 0.3), ("uploading", 0.5), ("uploading", 0.6)])
        self.assertIn("current_stage must be one of", str(logged.output))


class ARequestToCancel(WithAGateway):
    def test_that_nothing_in_the_block_asks_for_is_named_in_the_log(self):
        self.gateway.cancel_requested = True
        with self.logged() as logged, self.analysis() as a:
            a.wait()
        self.assertEqual(self.told(), ["initializing", "completed"])
        self.assertIn(f"{self.id} was to be cancelled, and completed: nothing in it asked before it was done", str(logged.output))


class AHandlerOfTheLog(WithAGateway):
    def test_may_wait_for_another_thread_that_tells_of_an_analysis(self):
        waited = []

        class Telling(logging.Handler):
            def emit(handler, record):
                teller = threading.Thread(target=a.report, kwargs={"progress": 0.5}, daemon=True)
                teller.start()
                teller.join(20)
                waited.append((record.getMessage(), teller.is_alive()))

        body = {"code": "invalid_event", "issues": [{"path": ["progress"], "message": "must be at most 1"}]}
        self.gateway.answer = refusing(422, body, lambda event: event.get("progress", 0) > 1)
        logger, handler = logging.getLogger("telltale_client"), Telling(logging.WARNING)
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        with self.analysis() as a:
            a.report(stage="uploading", progress=42)
            a.wait()
            a.result(data=1)
            a.error("late")
        lines = [line.split(":")[0] for line, _ in waited]
        self.assertIn(f"an event of {self.id} was refused", lines)
        self.assertIn(f"{self.id} had ended by its result", lines)
        self.assertEqual([hangs for _, hangs in waited], [False] * len(waited))


class TheFirstEnd(WithAGateway):
    def test_of_an_analysis_stands(self):
        for attempt_id in ("one", None):
            with self.subTest(attempt_id=attempt_id):
                self.id = str(uuid.uuid4())
                with self.logged() as logged, self.assertRaises(OSError), self.analysis(attempt_id=attempt_id) as a:
                    a.result(data=1)
                    raise OSError("the disk is full")
                self.assertEqual(self.told(), ["initializing", "result"])
                self.assertIn("had ended by its result: an error was left out: OSError: the disk is full", str(logged.output))

    def test_by_a_stage_is_one_too(self):
        with self.analysis() as a:
            a.report(stage="failed", message="No face was found")
        self.assertEqual(self.told(), ["initializing", "failed"])

    def test_is_not_undone_by_a_status_that_was_begun_before(self):
        class Ending(float):
            def __float__(self):
                a.result(data=1)
                return 0.5

        with self.analysis() as a:
            a.report(stage="model_inference", progress=Ending(0.5))
        self.assertEqual(self.told(), ["initializing", "result", "completed"])

    def test_is_told_though_the_status_before_it_cannot_be_written(self):
        def encode(event):
            if event.get("current_stage") == "model_inference":
                raise RecursionError("too deep")
            return json.dumps(event)

        lane = Lane(self.id, None, encode)
        with self.logged() as logged:
            for stage in ("initializing", "model_inference"):
                lane.status({"event_type": "status_update", "current_stage": stage}, now=1.0)
            self.assertTrue(lane.end("result", {"event_type": "result", "data": 1}, now=1.0))
        batch = lane.next_batch(100)
        self.assertEqual([entry.event_type for entry in batch.entries], ["status_update", "result"])
        self.assertIn("cannot be written as JSON: status_update: RecursionError", logged.output[0])

    def test_that_cannot_be_written_is_an_error(self):
        def encode(event):
            if event["event_type"] == "result":
                raise RecursionError("too deep")
            return json.dumps(event)

        lane = Lane(self.id, None, encode)
        with self.logged():
            lane.end("result", {"event_type": "result", "data": 1}, now=1.0)
        self.assertIn("event_refused", lane.next_batch(100).entries[0].text)


class AWorkerWhoseTokenIsNotTaken(WithAGateway):
    def test_waits_until_it_has_a_better_one(self):
        for status, code in [(401, "unauthenticated"), (403, "scope_missing"), (403, "not_allowed")]:
            with self.subTest(status=status, code=code), self.logged() as logged:
                self.id = str(uuid.uuid4())
                self.gateway.answer = lambda path, events, key: (status, {"code": code, "title": "No"})
                asked = len(self.gateway.requests)
                with self.analysis(token=lambda: "t") as a:
                    self.gateway.wait_for(lambda: len(self.gateway.requests) > asked + 1)
                    a.report(stage="model_inference", progress=0.5)
                    self.gateway.answer = None
                self.assertEqual(self.told(), ["initializing", "model_inference", "completed"])
                waits = [line for line in logged.output if "wait" in line]
                self.assertEqual(waits, [f"WARNING:telltale_client:events of {self.id} wait: {code}: No"])

    def test_waits_if_its_function_answers_no_text_or_ends_the_thread(self):
        def leave():
            raise SystemExit(1)

        for answer, reason in ((leave, "SystemExit"), (lambda: b"t", "bytes"), (lambda: 5, "int")):
            with self.subTest(reason=reason), self.logged() as logged:
                self.id = str(uuid.uuid4())
                tokens = iter([answer])
                with self.analysis(token=lambda: next(tokens, lambda: "t")()):
                    pass
                self.assertEqual(self.told(), ["initializing", "completed"])
                self.assertIn(reason, [line for line in logged.output if self.id in line][0])

    def test_is_not_held_up_for_long_if_it_cannot_have_another(self):
        self.addCleanup(setattr, delivery, "DENIED_SECONDS", delivery.DENIED_SECONDS)
        delivery.DENIED_SECONDS = 0.2
        self.gateway.answer = lambda path, events, key: (401, {"code": "unauthenticated"})
        with self.logged():
            a = self.analysis().start()
            a.finish()
            self.assertFalse(a.wait(3600))
            self.gateway.answer = None
            self.gateway.wait_for(lambda: self.told() == ["initializing", "completed"])

    def test_for_one_analysis_tells_of_the_others(self):
        other = str(uuid.uuid4())
        self.gateway.answer = lambda path, events, key: (403, {"code": "not_allowed"}) if self.id in path else None
        with self.logged(), Analysis(other, url=self.gateway.url, token="t"):
            with self.analysis() as a:
                self.gateway.wait_for(lambda: any(self.id in path for path, _, _ in self.gateway.requests))
                with Analysis(other, url=self.gateway.url, token="t", part=True) as b:
                    b.report(stage="model_inference", progress=0.5)
                self.assertEqual(summary(self.gateway.of(other)), ["initializing", "model_inference"])
                self.gateway.answer = None
                a.wait()

    def test_because_its_file_is_missing_waits_for_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "token"
            os.environ["TELLTALE_TOKEN_FILE"] = str(path)
            self.addCleanup(os.environ.pop, "TELLTALE_TOKEN_FILE")
            with self.logged() as logged:
                settled = threading.Event()
                logging.getLogger("telltale_client").addFilter(lambda _: settled.set() or True)
                self.addCleanup(logging.getLogger("telltale_client").filters.clear)
                a = self.analysis(token=None).start()
                self.assertTrue(settled.wait(60))
                path.write_text("t\n")
                a.finish()
                self.assertTrue(a.wait(60))
        self.assertEqual(self.told(), ["initializing", "completed"])
        lines = [line for line in logged.output if self.id in line]
        self.assertEqual(len(lines), 2, lines)  # that they wait, and that they are sent again
        self.assertIn("the token cannot be read: FileNotFoundError", lines[0])
        self.assertNotIn("Traceback", "".join(logged.output))

    def test_by_a_proxy_without_a_gateway_waits_for_the_gateway(self):
        answers = iter([404, 405, 301, 404])
        self.gateway.answer = lambda path, events, key: next(((status, None) for status in answers), None)
        with self.logged(), self.analysis() as a:
            a.result(data=1)
        self.assertEqual(self.told(), ["initializing", "result", "completed"])


if __name__ == "__main__":
    unittest.main()
