import json
import os
import unittest
import urllib.error
import urllib.request
import uuid
from unittest.mock import patch

from telltale_client import Analysis, AsyncAnalysis, EventRefused
from telltale_client.schema import check

from .fake_gateway import FakeGateway
from .real_servers import Gateway, needed, program
from .test_analysis import summary

STATUS = {"event_type": "status_update", "task_id": "t", "progress": 0.5, "current_stage": "uploading", "message": "m"}
VERDICT = {"event_type": "result_update", "confidence_score": 1, "frames_processed": 3, "total_frames": 3, "is_fake": True}
REGION = {"frame_number": 1, "x": 0, "y": 0, "width": 1, "height": 1, "confidence": 0.5, "region_type": "face"}
ERROR = {"event_type": "error", "error_code": "E", "error_message": "m"}

TAKEN = [
    STATUS,
    {**STATUS, "progress": 1.0000001, "timestamp": "2026-11-24 03:27:22.785846+00:00", "error": None, "colour": [1]},
    {**{name: value for name, value in STATUS.items() if name != "progress"}, "current": 1, "total": 4},
    {**STATUS, "current": "many", "attempt_id": "x" * 64},
    {**VERDICT, "total_frames": 4.0, "suspicious_regions": [REGION], "blockchain_hash": "0xAB"},
    {"event_type": "result", "data": [], "summary": None},
    {**ERROR, "error_message": " ", "error_details": {"a": None}},
]
# (event, where its fault is)
REFUSED = [
    ({**STATUS, "progress": 42}, ["progress"]),
    ({**STATUS, "progress": "0.5"}, ["progress"]),
    ({**STATUS, "progress": True}, ["progress"]),
    ({**STATUS, "progress": None}, ["progress"]),
    ({**STATUS, "current_stage": "Nonsense"}, ["current_stage"]),
    ({**STATUS, "message": " \t"}, ["message"]),
    ({name: value for name, value in STATUS.items() if name != "task_id"}, ["task_id"]),
    ({**STATUS, "timestamp": "tomorrow"}, ["timestamp"]),
    ({**STATUS, "timestamp": "2026-11-24 03:27:22\n"}, ["timestamp"]),
    ({**STATUS, "attempt_id": ""}, ["attempt_id"]),
    ({**STATUS, "estimated_completion": False}, ["estimated_completion"]),
    ({**VERDICT, "confidence_score": -1}, ["confidence_score"]),
    ({**VERDICT, "frames_processed": 1.5}, ["frames_processed"]),
    ({**VERDICT, "is_fake": 1}, ["is_fake"]),
    ({**VERDICT, "suspicious_regions": [REGION, {**REGION, "x": 2}]}, ["suspicious_regions", 1, "x"]),
    ({**VERDICT, "blockchain_hash": "xyz"}, ["blockchain_hash"]),
    ({"event_type": "result", "data": None}, ["data"]),
    ({"event_type": "result", "data": 1, "summary": 2}, ["summary"]),
    ({**ERROR, "error_code": ""}, ["error_code"]),
    ({**ERROR, "error_details": "text"}, ["error_details"]),
    ({"event_type": "nonsense"}, ["event_type"]),
]


class TheCheck(unittest.TestCase):
    def test_takes_what_is_right_and_names_the_field_that_is_not(self):
        for event in TAKEN:
            check(json.dumps(event))
        for event, path in REFUSED:
            with self.subTest(event=event), self.assertRaises(EventRefused) as refused:
                check(json.dumps(event))
            self.assertEqual([list(issue.path) for issue in refused.exception.issues], [path])

    @needed("bun", program("bun"))
    def test_agrees_with_a_gateway(self):
        gateway = Gateway()
        self.addCleanup(gateway.stop)
        token = gateway.token()
        for event, path in [*((event, None) for event in TAKEN), *REFUSED]:
            request = urllib.request.Request(
                f"{gateway.url}/v1/analyses/{uuid.uuid4()}/events",
                json.dumps(event).encode(),
                {"Authorization": f"Bearer {token}"},
            )
            with self.subTest(event=event):
                try:
                    with urllib.request.urlopen(request):
                        found = None
                except urllib.error.HTTPError as refused:
                    found = [issue["path"] for issue in json.load(refused)["issues"]][0]
                    refused.close()
                self.assertEqual(found, path)


class AnAnalysisThatIsChecked(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = str(uuid.uuid4())

    def told(self):
        return summary(self.gateway.of(self.id))

    def test_raises_in_the_call_that_is_at_fault_and_goes_on(self):
        with Analysis(self.id, url=self.gateway.url, check=True) as a:
            with self.assertRaisesRegex(EventRefused, "status_update would be refused: progress must be at most 1"):
                a.report(progress=42)
            with self.assertRaisesRegex(EventRefused, "current_stage must be queued, initializing, "):
                next(a.track([1], stage="nonsense"))
            with self.assertRaisesRegex(EventRefused, "confidence_score must be a number"):
                a.result(is_fake=True, confidence_score=float("nan"))
            a.result(is_fake=True, confidence_score=0.5)
        self.assertEqual(self.told(), ["initializing", "result_update", "completed"])

    def test_forgets_the_stage_that_was_at_fault(self):
        with Analysis(self.id, url=self.gateway.url, check=True) as a:
            with self.assertRaises(EventRefused):
                a.report(stage="nonsense", current=1, total=2)
            a.report(progress=0.5)
        told = self.gateway.of(self.id)[-2]
        self.assertEqual((told["current_stage"], told["progress"], "total" in told), ("initializing", 0.5, False))

    def test_raises_without_a_gateway_too(self):
        with patch.dict(os.environ, TELLTALE_CHECK="1"), self.assertRaises(EventRefused):
            with Analysis(self.id) as a:
                a.error("", "message")

    def test_may_have_the_stages_of_its_gateway(self):
        for stages, stage in [("demux, mux", "mux"), ("*", "any.stage")]:
            with patch.dict(os.environ, STAGES=stages), Analysis(self.id, stage=stage, check=True) as a:
                a.report(stage=stage)
                with self.assertRaises(EventRefused):
                    a.report(stage="Mux!")

    def test_is_asynchronous_too(self):
        with self.assertRaises(EventRefused):
            AsyncAnalysis(self.id, url=self.gateway.url, check=True).report(progress=-1)

    def test_is_not_unless_somebody_asks_for_it(self):
        with Analysis(self.id, url=self.gateway.url) as a:
            a.report(stage="nonsense")
        self.assertEqual(self.told(), ["initializing", "nonsense", "completed"])


if __name__ == "__main__":
    unittest.main()
