import json
import logging
import os
import subprocess
import sys
import threading
import time
import unittest
import uuid
from pathlib import Path

from telltale_client import Analysis, Cancelled
from telltale_client.deliveries import flush_all
from telltale_client.lane import Lane

from .fake_gateway import FakeGateway

PACKAGE = Path(__file__).parent.parent


def new_id():
    return str(uuid.uuid4())


def summary(events):
    """Stages, else codes of errors, else types; what repeats is left out."""
    names = [event.get("current_stage") or event.get("error_code") or event["event_type"] for event in events]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


class LeavingAnAnalysis(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = new_id()

    def analysis(self, **options):
        return Analysis(self.id, url=self.gateway.url, token="t", **options)

    def test_without_a_result_ends_it_as_completed(self):
        with self.analysis():
            pass
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "completed"])
        self.assertEqual(self.gateway.stored[-1]["progress"], 1)

    def test_after_a_verdict_completes_it_with_the_frames_that_were_counted(self):
        with self.analysis() as a:
            for _ in a.track(range(12), stage="frame_extraction", unit="frames"):
                pass
            a.result(is_fake=False, confidence_score=0.9)
        events = self.gateway.of(self.id)
        self.assertEqual(summary(events), ["initializing", "frame_extraction", "result_update", "completed"])
        verdict = events[-2]
        self.assertEqual((verdict["frames_processed"], verdict["total_frames"]), (12, 12))

    def test_after_data_tells_a_result(self):
        with self.analysis() as a:
            a.result(data={"faces": 3}, summary="three faces")
        result = self.gateway.of(self.id)[-2]
        self.assertEqual((result["event_type"], result["data"], result["summary"]), ("result", {"faces": 3}, "three faces"))

    def test_by_an_exception_tells_it_and_raises_it_again(self):
        with self.assertRaisesRegex(ValueError, "no face"), self.analysis():
            raise ValueError("no face")
        error = self.gateway.of(self.id)[-1]
        self.assertEqual((error["error_code"], error["error_message"]), ("ValueError", "no face"))
        self.assertRegex(error["error_details"]["traceback"][-1], r"^test_analysis\.py:\d+ in test_by_an_exception")

    def test_by_an_exception_that_cannot_be_read_tells_its_type_and_raises_it_again(self):
        class Unreadable(Exception):
            def __str__(self):
                raise RuntimeError("no text")

            @property
            def error_code(self):
                raise RuntimeError("no code")

            error_details = error_code

        for fault in (Unreadable(), SystemExit(Unreadable())):
            self.id = new_id()
            with self.assertRaises(BaseException) as caught, self.analysis():
                raise fault
            self.assertIs(caught.exception, fault)
            error = self.gateway.of(self.id)[-1]
            self.assertEqual((error["event_type"], error["error_code"]), ("error", type(fault).__name__))
            self.assertIn("Unreadable", error["error_message"])

    def test_by_an_exception_whose_details_are_too_large_tells_the_rest(self):
        class Failed(Exception):
            error_details = {"dump": "x" * 2_000_000, "frame": 7}

        class Unreadable(dict):
            def items(self):
                raise RuntimeError

        with self.assertRaises(Failed), self.analysis():
            raise Failed("y" * 3_000_000)
        error = self.gateway.of(self.id)[-1]
        self.assertEqual((error["error_code"], error["error_message"]), ("Failed", "y" * 1992 + " … (cut)"))
        self.assertEqual((error["error_details"]["frame"], error["error_details"]["left_out"]), (7, ["dump"]))
        for details in ({"dump": "x" * 2_000_000}, Unreadable(a=1)):
            self.id = new_id()
            with self.analysis() as a:
                a.error("no_face", "m" * 3_000_000, details)
            self.assertEqual(self.gateway.of(self.id)[-1]["error_code"], "no_face")

    def test_by_an_error_of_any_types_tells_it(self):
        class Silent:
            def __str__(self):
                raise RuntimeError

            __bool__ = __eq__ = __str__

        for said, told in [
            ((404, 5, ["a"]), ("404", "5", {"details": ["a"]})),
            (("no_face", " "), ("no_face", "no_face", None)),
            ((Silent(), Silent(), Silent()), ("<Silent>", "<Silent>", {"details": "<Silent>"})),
        ]:
            self.id = new_id()
            with self.analysis() as a:
                a.error(*said)
            error = self.gateway.of(self.id)[-1]
            self.assertEqual((error["error_code"], error["error_message"], error["error_details"]), told)

    def test_with_a_result_whose_fields_have_the_names_of_the_events_own_keeps_these(self):
        with self.assertLogs("telltale_client", "WARNING"), self.analysis() as a:
            a.result(data=1, event_type="error", analysis_id="x", attempt_id="other", timestamp=None, colour="red")
        result = self.gateway.of(self.id)[-2]
        self.assertEqual((result["event_type"], result["colour"], "attempt_id" in result), ("result", "red", False))
        self.assertIsInstance(result["timestamp"], str)

    def test_by_sys_exit_with_a_text_tells_the_text(self):
        with self.assertRaises(SystemExit), self.analysis():
            sys.exit("no such video")
        self.assertEqual(self.gateway.of(self.id)[-1]["error_message"], "no such video")

    def test_by_exit_code_3_is_a_failure_and_by_0_is_none(self):
        with self.assertRaises(SystemExit), self.analysis():
            sys.exit(3)
        self.assertEqual(self.gateway.of(self.id)[-1]["error_code"], "SystemExit")
        self.id = new_id()
        with self.assertRaises(SystemExit), self.analysis():
            sys.exit(0)
        self.assertEqual(summary(self.gateway.of(self.id))[-1], "completed")

    def test_by_an_exception_after_an_error_of_its_own_tells_the_first_alone(self):
        with self.assertRaises(ValueError), self.analysis() as a:
            a.error("no_face", "No face was found")
            raise ValueError
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "no_face"])

    def test_by_an_exception_after_stage_failed_tells_both(self):
        with self.assertRaises(ValueError), self.analysis() as a:
            a.report(stage="failed", message="No face was found")
            a.result(data=1)
            raise ValueError
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "failed", "ValueError"])

    def test_by_cancelled_ends_it_as_cancelled(self):
        self.gateway.cancel_requested = True
        with self.assertRaises(Cancelled), self.analysis() as a:
            for _ in a.track(iter(int, 1)):  # without end
                pass
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "cancelled"])

    def test_a_part_neither_begins_nor_completes(self):
        with self.analysis(part=True) as a:
            a.report(stage="model_inference", progress=0.5)
        self.assertEqual(summary(self.gateway.of(self.id)), ["model_inference"])

    def test_by_a_generator_that_nobody_reads_on_is_no_failure(self):
        def frames():
            with self.analysis() as a:
                yield from a.track(range(3), stage="frame_extraction")

        reader = frames()
        next(reader)
        reader.close()
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "frame_extraction", "completed"])

    def test_in_a_forked_child_leaves_the_end_to_the_parent(self):
        with self.analysis() as a:
            child = os.fork()
            if child == 0:
                try:
                    a.report(stage="uploading", progress=0.5, message="from the child")
                    a.finish()
                    a.wait()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            a.report(stage="model_inference", progress=0.7)
        stages = summary(self.gateway.of(self.id))
        self.assertCountEqual(stages, ["initializing", "uploading", "model_inference", "completed"])


class Progress(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = new_id()

    def test_is_told_ten_times_a_second_at_most_and_the_last_always(self):
        began = time.monotonic()
        with Analysis(self.id, url=self.gateway.url) as a:
            for number in range(50_000):
                a.report(progress=number / 50_000, stage="model_inference")
            a.report(progress=0.875, stage="model_inference", message="the last")
        told = [event for event in self.gateway.of(self.id) if event["current_stage"] == "model_inference"]
        self.assertEqual((told[-1]["message"], told[-1]["progress"]), ("the last", 0.875))
        # The first of a stage and the last are told at once.
        self.assertLessEqual(len(told), 10 * (time.monotonic() - began) + 2)

    def test_of_a_loop_counts_what_is_done_with_its_unit(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            for item in a.track([1, 2, 3, 4], stage="model_inference", unit="faces", span=(0.5, 1.0)):
                if item == 3:
                    break
        last = self.gateway.of(self.id)[-2]
        self.assertEqual((last["current"], last["total"], last["unit"]), (2, 4, "faces"))
        self.assertEqual((last["progress"], last["message"]), (0.75, "Model inference: 2 of 4 faces"))

    def test_of_a_loop_is_told_while_its_body_computes(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            for item in a.track(range(3), stage="model_inference"):
                if item == 2:
                    self.gateway.wait_for(lambda: any(event.get("current") == 2 for event in self.gateway.stored))

    def test_of_a_loop_with_a_span_that_is_none_raises_nothing(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            for span in ((0,), None, ("a", "b"), "ab"):
                self.assertEqual(list(a.track([1, 2], stage="uploading", span=span)), [1, 2])
        self.assertEqual(self.gateway.of(self.id)[-2]["progress"], 1)

    def test_that_is_no_number_is_left_out(self):
        nan, endless = float("nan"), float("inf")
        with Analysis(self.id, url=self.gateway.url) as a:
            for progress, current, total in [(nan, None, None), (None, nan, 4), (None, 1, endless), (None, "1", nan), (endless, 3, 4)]:
                a.report(progress, stage=f"stage-{progress}-{current}-{total}", current=current, total=total)
            for _ in a.track(range(2), stage="model_inference", total=nan):
                pass
        told = [event for event in self.gateway.of(self.id) if "stage-" in event.get("current_stage", "")]
        self.assertEqual([event["progress"] for event in told], [0, 0, 0, 0, 0.75])
        kept = [(event.get("current"), event.get("total")) for event in told]
        self.assertEqual(kept, [(None, None), (None, 4), (1, None), (None, None), (3, 4)])
        self.assertEqual(self.gateway.of(self.id)[-2]["progress"], 0.75)

    def test_keeps_its_own_fields_if_the_worker_says_others_of_their_names(self):
        with self.assertLogs("telltale_client", "WARNING") as logged, Analysis(self.id, url=self.gateway.url) as a:
            a.report(progress=0.5, event_type="error", analysis_id="x", timestamp=7, colour="red")
        told = self.gateway.of(self.id)[-2]
        self.assertEqual((told["event_type"], told["analysis_id"], told["colour"]), ("status_update", self.id, "red"))
        self.assertIsInstance(told["timestamp"], str)
        self.assertIn("`timestamp`", " ".join(logged.output))

    def test_may_have_a_message_of_any_type(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            for message, told in ((5, "5"), ("", "Initializing"), (" ", "Initializing"), (new_id, str(new_id))):
                a.report(progress=0.5, message=message)
                a.wait()
                self.assertEqual(self.gateway.of(self.id)[-1]["message"], told)

    def test_of_stage_completed_ends_it_but_for_its_result(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            a.report(progress=1, stage="completed")
            a.report(progress=0.5, stage="uploading")
            a.result(data=1)
            a.result(data=2)
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "completed", "result"])
        self.assertEqual(self.gateway.of(self.id)[-1]["data"], 1)

    def test_after_the_result_is_left_out(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            a.result(data=1)
            a.report(stage="post_processing", progress=0.9)
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "result", "completed"])

    def test_of_two_analyses_in_one_process_is_told_to_each_in_order(self):
        other = new_id()
        with Analysis(self.id, url=self.gateway.url) as a, Analysis(other, url=self.gateway.url) as b:
            for stage in ("uploading", "frame_extraction", "model_inference"):
                a.report(stage=stage, progress=0.1)
                b.report(stage=stage, progress=0.2)
        expected = ["initializing", "uploading", "frame_extraction", "model_inference", "completed"]
        self.assertEqual(summary(self.gateway.of(self.id)), expected)
        self.assertEqual(summary(self.gateway.of(other)), expected)


class AStatusThatIsHeld(unittest.TestCase):
    def test_is_replaced_by_the_next_of_its_stage_also_when_it_is_due_by_then(self):
        lane = Lane(str(uuid.uuid4()), None)
        for now, progress in [(1.0, 0.1), (1.05, 0.2), (1.2, 0.3)]:
            event = {"event_type": "status_update", "current_stage": "uploading", "progress": progress}
            lane.status(event, now)
        lane.close(1.3)
        told = [json.loads(entry.text)["progress"] for entry in lane.next_batch(10).entries]
        self.assertEqual(told, [0.1, 0.3])

    def test_waits_for_its_turn_if_stages_take_turns_and_is_the_last_of_its_stage(self):
        lane = Lane(str(uuid.uuid4()), None)
        at = []  # the times, in milliseconds, of those that were sent
        for now in range(3000):
            event = {"event_type": "status_update", "current_stage": ("demux", "mux", "pack")[now % 3], "progress": now}
            lane.status(event, now / 1000)
            at += [now] * (len(lane._waiting) - len(at))
        self.assertLessEqual(max(len([one for one in at if now <= one < now + 1000]) for now in at), 10)
        lane.close(3)
        told = [json.loads(entry.text) for entry in lane.next_batch(100).entries]
        self.assertGreaterEqual(len(told), 30)
        self.assertEqual([event["progress"] for event in told[-3:]], [2997, 2998, 2999])
        self.assertEqual([event["progress"] for event in told], sorted(event["progress"] for event in told))

    def test_tells_no_counts_of_the_one_that_it_replaces(self):
        lane = Lane(str(uuid.uuid4()), None)
        of_all = {"event_type": "status_update", "current_stage": "uploading", "progress": 0}
        for now, fields in [(1.0, {}), (1.01, {"current": 3, "total": 3, "colour": "red"}), (1.02, {"current": 1})]:
            lane.status({**of_all, **fields}, now)
        lane.close(1.03)
        last = json.loads(lane.next_batch(10).entries[-1].text)
        self.assertEqual((last["current"], last["colour"], "total" in last), (1, "red", False))

    def test_of_a_stage_that_begins_does_not_wait(self):
        lane = Lane(str(uuid.uuid4()), None)
        for now in range(10):
            event = {"event_type": "status_update", "current_stage": f"stage-{now}", "progress": 0}
            lane.status(event, now / 1000)
            self.assertTrue(not lane.empty and not lane._held)


class AWorkerWhoseGatewayFails(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = new_id()

    def test_sends_the_same_again_under_the_same_key_until_it_is_answered(self):
        failing = iter([503, 500, 408, 429])
        self.gateway.answer = lambda path, events, key: next(((status, {}) for status in failing), None)
        with Analysis(self.id, url=self.gateway.url):
            pass
        first = self.gateway.requests[:5]
        self.assertEqual(len({key for _, _, key in first}), 1)
        self.assertEqual([events for _, events, _ in first], [first[0][1]] * 5)
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "completed"])

    def test_is_held_up_once_by_a_gateway_that_is_away(self):
        self.gateway.answer = lambda path, events, key: (503, {})
        began = time.monotonic()
        with Analysis(self.id, url=self.gateway.url) as a:
            self.assertFalse(a.wait(0.5))
        for _ in range(2):
            with Analysis(new_id(), url=self.gateway.url):
                pass
        self.assertLess(time.monotonic() - began, 20)
        self.gateway.answer = None
        self.gateway.wait_for(lambda: [event["current_stage"] for event in self.gateway.stored].count("completed") == 3)

    def test_tells_two_runs_of_one_analysis_one_after_the_other(self):
        self.gateway.answer = lambda path, events, key: (503, {})
        for code in ("first", "second"):
            a = Analysis(self.id, url=self.gateway.url).start()
            for number in range(250):
                a.report(stage=f"{code}-{number}", progress=0.5)
            a.error(code)
            a.close()
            self.assertFalse(a.wait(0.5))
        self.gateway.answer = None
        self.assertTrue(a.wait())
        names = [name for name in summary(self.gateway.of(self.id)) if not name[-1].isdigit()]
        self.assertEqual(names, ["initializing", "first", "initializing", "second"])

    def test_keeps_the_newest_of_more_than_it_has_room_for(self):
        self.gateway.answer = lambda path, events, key: (503, {})
        a = Analysis(self.id, url=self.gateway.url).start()
        with self.assertLogs("telltale_client", logging.WARNING):
            for number in range(50):
                a.report(stage=f"stage-{number}", progress=0.5, dump="x" * 1_000_000)
            self.assertLess(sum(len(entry.text) for entry in a._telling.lane._waiting), 34_000_000)
            self.gateway.answer = lambda path, events, key: None if events[0].get("dump") is None else (413, {"code": "event_too_large"})
            a.finish()
            self.assertTrue(a.wait(60))
        self.assertEqual(summary(self.gateway.of(self.id))[-1], "completed")

    def test_goes_on_without_one_and_says_once_how_much_it_dropped(self):
        self.gateway.answer = lambda path, events, key: (503, {})
        with self.assertLogs("telltale_client", logging.WARNING) as logged:
            a = Analysis(self.id, url=self.gateway.url).start()
            for number in range(2500):
                a.report(stage=f"stage-{number}", progress=0.1)
            a.result(data="kept")
            a.finish()
            self.gateway.answer = None
            self.assertTrue(a.wait(60))
            self.gateway.wait_for(lambda: "completed" in summary(self.gateway.of(self.id)))
            flush_all()
        dropped = [line for line in logged.output if "dropped" in line]
        self.assertEqual(len(dropped), 1, logged.output)
        stages = summary(self.gateway.of(self.id))
        self.assertEqual(stages[-3:], ["stage-2499", "result", "completed"])
        self.assertEqual(f"WARNING:telltale_client:{2503 - len(stages)} events of {self.id} were dropped", dropped[0])

    def test_leaves_out_the_event_that_is_refused_and_says_which_field(self):
        def answer(path, events, key):
            bad = [place for place, event in enumerate(events) if event.get("current_stage") == "nonsense"]
            if not bad or not path.endswith("/events"):
                return None
            issue = {"path": [*([bad[0]] if len(events) > 1 else []), "current_stage"], "message": "is no stage"}
            return 422, {"code": "invalid_event", "issues": [issue]}

        self.gateway.answer = answer
        with self.assertLogs("telltale_client", logging.WARNING) as logged:
            with Analysis(self.id, url=self.gateway.url) as a:
                a.report(stage="uploading", progress=0.1)
                a.report(stage="nonsense", progress=0.2)
                a.report(stage="model_inference", progress=0.3)
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "uploading", "model_inference", "completed"])
        self.assertIn("was refused: status_update: current_stage is no stage", logged.output[0])

    def test_ends_the_wait_by_an_error_if_its_result_is_refused(self):
        def answer(path, events, key):
            bad = [place for place, event in enumerate(events) if event["event_type"] == "result_update"]
            if not bad:
                return None
            issue = {"path": [*([bad[0]] if len(events) > 1 else []), "confidence_score"], "message": "must be a number"}
            return 422, {"code": "invalid_event", "issues": [issue]}

        self.gateway.answer = answer
        with self.assertLogs("telltale_client", logging.WARNING):
            with Analysis(self.id, url=self.gateway.url) as a:
                a.result(is_fake=True, confidence_score=float("nan"))
                a.wait()
        error = next(event for event in self.gateway.of(self.id) if event["event_type"] == "error")
        self.assertEqual(error["error_code"], "event_refused")
        self.assertEqual(error["error_message"], "The worker's result_update was refused: confidence_score must be a number")

    def test_beats_while_the_code_computes_and_does_without_on_a_former_gateway(self):
        from telltale_client import http_transport

        often = http_transport.HttpTransport.poll_seconds
        http_transport.HttpTransport.poll_seconds = 0.05
        self.addCleanup(setattr, http_transport.HttpTransport, "poll_seconds", often)
        with Analysis(self.id, url=self.gateway.url):
            self.gateway.wait_for(lambda: len(self.gateway.beats()) >= 2)
            unknown = (404, {"code": "not_found"})
            self.gateway.answer = lambda path, events, key: unknown if path.endswith("/heartbeat") else None
        self.assertEqual(summary(self.gateway.of(self.id)), ["initializing", "completed"])

    def test_names_its_run_when_it_beats(self):
        for attempt_id, told in ((None, {}), ("one", {"attempt_id": "one"})):
            self.id = new_id()
            with Analysis(self.id, url=self.gateway.url, attempt_id=attempt_id) as a:
                delivery = a._telling.delivery
                a.wait()
                with delivery._changed:
                    a._telling.lane.poll_at = 0.0
                    delivery._changed.notify_all()
                beats = lambda: [events for path, events, _ in self.gateway.requests if path == f"/v1/analyses/{self.id}/heartbeat"]  # noqa: E731
                self.gateway.wait_for(beats)
            self.assertEqual(beats()[0], [told])

    def test_knows_by_a_beat_that_cancelling_was_asked_for(self):
        from telltale_client import http_transport

        often = http_transport.HttpTransport.poll_seconds
        http_transport.HttpTransport.poll_seconds = 0.05
        self.addCleanup(setattr, http_transport.HttpTransport, "poll_seconds", often)
        with Analysis(self.id, url=self.gateway.url) as a:
            a.wait()
            self.assertFalse(a.cancelled)
            self.gateway.cancel_requested = True
            known = threading.Event()
            asked = len(self.gateway.requests)
            self.gateway.wait_for(lambda: len(self.gateway.requests) > asked + 1)
            while not a.cancelled:
                known.wait(0.01)


class AnalysisId(unittest.TestCase):
    def test_is_any_uuid_and_for_a_name_always_the_same(self):
        self.assertEqual(Analysis.id_for("job-42"), Analysis.id_for("job-42"))
        self.assertNotEqual(Analysis.id_for("job-42"), Analysis.id_for("job-43"))
        upper = "A" * 8 + "-AAAA-AAAA-AAAA-" + "A" * 12
        self.assertEqual(Analysis(upper, url="http://127.0.0.1:1").id, upper.lower())
        with self.assertRaisesRegex(ValueError, "id_for"):
            Analysis("job-42", url="http://127.0.0.1:1")


class AProcess(unittest.TestCase):
    def run_script(self, script, **env):
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **env},
            capture_output=True,
            text=True,
        )
        return run

    def test_that_ends_sends_what_waits_first(self):
        with FakeGateway() as gateway:
            script = f"from telltale_client import Analysis; Analysis({new_id()!r}).start().finish()"
            run = self.run_script(script, TELLTALE_URL=gateway.url, TELLTALE_TOKEN="t")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(summary(gateway.stored), ["initializing", "completed"])

    def test_of_multiprocessing_sends_what_waits_before_it_ends(self):
        with FakeGateway() as gateway:
            script = f"""
import multiprocessing
from telltale_client import Analysis

def work(number):
    Analysis({new_id()!r}, part=True).start().report(stage=f"child-{{number}}", progress=0.5)

with Analysis({new_id()!r}):
    children = [multiprocessing.get_context("fork").Process(target=work, args=(number,)) for number in range(3)]
    [child.start() for child in children]
    [child.join() for child in children]
"""
            run = self.run_script(script, TELLTALE_URL=gateway.url, TELLTALE_TOKEN="t")
            self.assertEqual(run.returncode, 0, run.stderr)
            stages = summary(gateway.stored)
            self.assertCountEqual(stages, ["initializing", "child-0", "child-1", "child-2", "completed"])

    def test_imports_nothing_in_the_thread_that_sends(self):
        # A child that was forked meanwhile would wait for the import for ever.
        with FakeGateway() as gateway:
            script = f"""
import sys
from telltale_client import Analysis
a = Analysis({new_id()!r})
before = set(sys.modules)
with a:
    pass
print(sorted(set(sys.modules) - before))
"""
            run = self.run_script(script, TELLTALE_URL=gateway.url, TELLTALE_TOKEN="t")
            self.assertEqual((run.stdout, run.stderr), ("[]\n", ""))

    def test_whose_file_with_the_address_is_missing_is_told_so(self):
        run = self.run_script(f"from telltale_client import Analysis; Analysis({new_id()!r})", TELLTALE_URL_FILE="/no/such/file")
        self.assertIn("ValueError: TELLTALE_URL_FILE cannot be read", run.stderr)

    def test_without_an_address_says_so_once_and_works(self):
        script = f"""
from telltale_client import Analysis
for _ in range(2):
    with Analysis({new_id()!r}) as a:
        for item in a.track(range(3)): a.report(progress=0.5)
        a.result(data=1)
print("done")
"""
        run = self.run_script(script)
        self.assertEqual((run.stdout, run.stderr.count("TELLTALE_URL is not set")), ("done\n", 1), run.stderr)


if __name__ == "__main__":
    unittest.main()
