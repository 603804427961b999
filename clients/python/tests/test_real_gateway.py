import json
import os
import re
import subprocess
import sys
import unittest
import uuid
from pathlib import Path

from telltale_client import Analysis, Cancelled

from .real_servers import ROOT, Gateway, NatsServer, RedisServer, Sentinel, free_port, installed, needed, program
from .test_analysis import summary

PACKAGE = Path(__file__).parent.parent
FIVE_LINES = """
import sys
from telltale_client import Analysis

with Analysis(sys.argv[1]) as a:
    for frame in a.track(range(40), stage="frame_extraction", unit="frames"):
        if sys.argv[2:] == [str(frame)]: raise ValueError("a bad frame")
    a.result(is_fake=True, confidence_score=0.75)
"""


@needed("redis-server", program("redis-server"))
@needed("redis-py", installed("redis"))
@needed("bun", program("bun"))
class AScript(unittest.TestCase):
    """The same script by each way, against a gateway on Redis."""

    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)
        cls.gateway = Gateway(REDIS_URL=cls.redis.url)
        cls.addClassCleanup(cls.gateway.stop)
        cls.ways = {
            "HTTP": {"TELLTALE_URL": cls.gateway.url, "TELLTALE_TOKEN": cls.gateway.token()},
            "the inbox": {"TELLTALE_URL": cls.redis.url},
            "PUBLISH": {"TELLTALE_URL": f"{cls.redis.url}/0?lane=publish"},
        }

    def run_script(self, way, *args):
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **self.ways[way]}
        command = [sys.executable, "-B", "-c", FIVE_LINES, *args]
        return subprocess.run(command, env=env, capture_output=True, text=True)

    def test_that_succeeds_is_completed_with_its_result(self):
        for way in self.ways:
            with self.subTest(way=way):
                analysis_id = str(uuid.uuid4())
                run = self.run_script(way, analysis_id)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                state = self.gateway.wait_for(analysis_id, "completed")
                self.assertEqual((state["progress"], state["result"]["total_frames"]), (1, 40))
                stages = ["initializing", "frame_extraction", "result_update", "completed"]
                self.assertEqual(summary(self.gateway.events(analysis_id))[: len(stages)], stages)

    def test_of_five_lines_in_the_examples_is_completed(self):
        analysis_id = str(uuid.uuid4())
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **self.ways["HTTP"]}
        command = [sys.executable, "-B", str(ROOT / "examples/five-lines/analyse.py"), analysis_id]
        subprocess.run(command, env=env, check=True)
        self.assertEqual(self.gateway.wait_for(analysis_id, "completed")["result"]["total_frames"], 200)

    def test_that_raises_has_failed_with_what_it_raised(self):
        for way in self.ways:
            with self.subTest(way=way):
                analysis_id = str(uuid.uuid4())
                run = self.run_script(way, analysis_id, "20")
                self.assertEqual(run.returncode, 1)
                error = self.gateway.wait_for(analysis_id, "failed")["error"]
                self.assertEqual((error["error_code"], error["error_message"]), ("ValueError", "a bad frame"))

    def test_whose_result_breaks_a_rule_has_failed_and_its_page_says_which(self):
        for way, env in self.ways.items():
            with self.subTest(way=way):
                analysis_id = str(uuid.uuid4())
                with self.assertLogs("telltale_client"):
                    with Analysis(analysis_id, url=env["TELLTALE_URL"], token=env.get("TELLTALE_TOKEN")) as a:
                        a.result(is_fake=True, confidence_score=float("nan"))
                error = self.gateway.wait_for(analysis_id, "failed")["error"]
                self.assertEqual(error["error_details"]["issues"][0]["path"], ["confidence_score"])
                self.assertEqual(summary(self.gateway.events(analysis_id)), ["initializing", "event_refused"])

    def test_loses_nothing_while_the_gateway_is_away(self):
        analysis_id = str(uuid.uuid4())
        with Analysis(analysis_id, url=self.gateway.url, token=self.gateway.token()) as a:
            a.report(stage="uploading", progress=0.1)
            a.wait()
            self.gateway.kill()
            a.report(stage="frame_extraction", progress=0.2)
            a.report(stage="model_inference", progress=0.3)
            self.gateway.start()
        stages = ["initializing", "uploading", "frame_extraction", "model_inference", "completed"]
        self.assertEqual(summary(self.gateway.events(analysis_id)), stages)

    def test_that_somebody_cancels_is_cancelled(self):
        for way in ("HTTP", "the inbox"):
            with self.subTest(way=way):
                analysis_id = str(uuid.uuid4())
                env = self.ways[way]
                with self.assertRaises(Cancelled):
                    with Analysis(analysis_id, url=env["TELLTALE_URL"], token=env.get("TELLTALE_TOKEN")) as a:
                        a.wait()
                        self.assertEqual(self.gateway.cancel(analysis_id), 202)
                        for _ in a.track(iter(int, 1), stage="model_inference"):
                            pass
                self.gateway.wait_for(analysis_id, "cancelled")
                self.assertEqual(self.gateway.cancel(analysis_id), 409)

    def test_by_redis_reads_there_that_cancelling_was_asked_for(self):
        import redis

        analysis_id = str(uuid.uuid4())
        with Analysis(analysis_id, url=self.redis.url) as a:
            redis.Redis.from_url(self.redis.url).set(f"telltale:cancel:{analysis_id}", "{}")
            a.report(progress=0.5)
            a.wait()
            self.assertTrue(a.cancelled)


@needed("nats-server", program("nats-server"))
@needed("bun", program("bun"))
class AScriptOnNats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nats = NatsServer(most_bytes=300_000)
        cls.addClassCleanup(cls.nats.stop)
        cls.gateway = Gateway(NATS_URL=cls.nats.url)
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.id = str(uuid.uuid4())

    def test_finds_a_server_that_runs_and_is_completed(self):
        with Analysis(self.id, url=f"nats://127.0.0.1:{free_port()},127.0.0.1:{self.nats.port}") as a:
            a.result(data={"faces": 3})
        self.assertEqual(self.gateway.wait_for(self.id, "completed")["result"]["data"], {"faces": 3})

    def test_whose_result_is_larger_than_nats_takes_has_failed(self):
        with self.assertLogs("telltale_client"), Analysis(self.id, url=self.nats.url) as a:
            a.report(stage="uploading", progress=0.5)
            a.result(data="x" * 400_000)
        self.assertEqual(self.gateway.wait_for(self.id, "failed")["error"]["error_code"], "event_refused")
        self.assertEqual(summary(self.gateway.events(self.id)), ["initializing", "uploading", "event_refused"])


@needed("redis-server", program("redis-server"))
@needed("redis-py", installed("redis"))
class ARequestToCancelOnRedisWithoutAGateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def setUp(self):
        import redis

        self.id = str(uuid.uuid4())
        self.key = f"telltale:cancel:{self.id}"
        self.client = redis.Redis.from_url(self.redis.url)
        self.addCleanup(self.client.close)

    def analysis(self, attempt_id=None):
        return Analysis(self.id, url=self.redis.url, attempt_id=attempt_id)

    def is_obeyed_by(self, attempt_id):
        with self.analysis(attempt_id) as a:
            a.wait()
            return a.cancelled

    def test_is_of_the_run_that_it_names(self):
        for request, attempt_id, expected in [
            ({"attempt_id": "one"}, "two", False),
            ({"attempt_id": "one"}, "one", True),
            ({"attempt_id": None}, "two", True),
            ({}, "two", True),
            ({"attempt_id": "one"}, None, True),
        ]:
            with self.subTest(request=request, attempt_id=attempt_id):
                self.client.set(self.key, json.dumps(request))
                self.assertEqual(self.is_obeyed_by(attempt_id), expected)

    def test_is_over_when_its_run_has_ended(self):
        self.client.set(self.key, json.dumps({"attempt_id": None}))
        with self.assertRaises(Cancelled), self.analysis("one") as a:
            a.wait()
            a.raise_if_cancelled()
        self.assertFalse(self.is_obeyed_by("two"))

    def test_of_another_run_is_left_alone(self):
        self.client.set(self.key, json.dumps({"attempt_id": "two"}))
        self.assertFalse(self.is_obeyed_by("one"))
        self.assertTrue(self.is_obeyed_by("two"))


@needed("redis-server", program("redis-server"))
@needed("redis-py", installed("redis"))
class TheInbox(unittest.TestCase):
    def setUp(self):
        self.id = str(uuid.uuid4())

    def serve(self, server):
        self.addCleanup(server.stop)
        return server

    def told_to(self, server, url):
        import redis

        with Analysis(self.id, url=url) as a:
            a.report(stage="uploading", progress=0.5)
            a.result(data=1)
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            return summary([json.loads(entry["event"]) for _, entry in client.xrange("telltale:inbox")])

    EXPECTED = ["initializing", "uploading", "result", "completed"]

    def test_takes_each_event_once_from_a_user_with_the_rights_of_the_deployment(self):
        import redis

        users = (ROOT / "deploy/redis/users.acl").read_text()
        rules = next(line for line in users.splitlines() if line.startswith("user worker ")).split(" #")[1].split(" ", 1)[1]
        server = self.serve(RedisServer())
        with redis.Redis.from_url(server.url) as client:
            words = re.findall(r"\([^)]*\)|\S+", rules)
            client.execute_command("ACL", "SETUSER", "worker", "on", ">secret", *words)
        url = f"redis://worker:secret@127.0.0.1:{server.port}"
        self.assertEqual(self.told_to(server, url), self.EXPECTED)

    def test_of_the_primary_that_a_sentinel_names_takes_events(self):
        server = self.serve(RedisServer())
        sentinel = self.serve(Sentinel(server))
        self.assertEqual(self.told_to(server, f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/primary"), self.EXPECTED)

    def test_of_a_cluster_takes_events_also_if_the_cluster_comes_later(self):
        import redis

        server = self.serve(RedisServer("--cluster-enabled", "yes", "--cluster-port", str(free_port())))
        with self.assertLogs("telltale_client"), redis.Redis.from_url(server.url) as client:
            url = f"redis+cluster://127.0.0.1:{server.port}"
            a = Analysis(self.id, url=url).start()
            self.assertFalse(a.wait(1.2))
            client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            self.assertTrue(a.wait())
        a.close()
        self.assertEqual(self.told_to(server, url)[-3:], self.EXPECTED[-3:])

    def test_needs_an_address_with_a_host_and_a_name(self):
        for url in ("redis+sentinel://127.0.0.1", "redis+cluster://", "amqp://127.0.0.1"):
            with self.subTest(url=url), self.assertRaisesRegex(ValueError, "TELLTALE_URL"):
                Analysis(self.id, url=url).start()


if __name__ == "__main__":
    unittest.main()
