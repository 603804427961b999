import io
import os
import subprocess
import sys
import tempfile
import time
import types
import unittest
import uuid
from pathlib import Path

from telltale_client import Analysis, Cancelled, callbacks
from telltale_client.analysis import current_run
from telltale_client.ffmpeg import FfmpegFailed

from .fake_gateway import FakeGateway
from .real_servers import RedisServer, installed, needed, program
from .test_analysis import summary

PACKAGE = Path(__file__).parent.parent


class WithAGateway(unittest.TestCase):
    def setUp(self):
        self.gateway = FakeGateway()
        self.addCleanup(self.gateway.__exit__)
        self.id = str(uuid.uuid4())

    def analysis(self):
        return Analysis(self.id, url=self.gateway.url, token="t")

    def told(self):
        return self.gateway.of(self.id)

    def counted(self):
        return [event for event in self.told() if "current" in event]


@needed("tqdm", installed("tqdm"))
class Tqdm(WithAGateway):
    def bars(self):
        from telltale_client.tqdm import tqdm, trange

        return tqdm, trange

    def test_tells_its_count_its_unit_and_its_description(self):
        tqdm, _ = self.bars()
        drawn = io.StringIO()
        with self.analysis() as a:
            for _ in tqdm(range(9), desc="Faces", unit="faces", analysis=a, stage="model_inference", file=drawn):
                pass
        last = self.counted()[-1]
        self.assertEqual((last["current"], last["total"], last["unit"], last["message"]), (9, 9, "faces", "Faces"))
        self.assertIn("9/9", drawn.getvalue())

    def test_tells_what_is_updated_by_hand_also_if_it_draws_nothing(self):
        tqdm, _ = self.bars()
        with self.analysis() as a:
            with tqdm(total=4, analysis=a, disable=True) as bar:
                bar.update(3)
        self.assertEqual(self.counted()[-1]["current"], 3)

    def test_that_draws_nothing_stays_at_its_end_when_it_is_closed(self):
        tqdm, _ = self.bars()
        with self.analysis() as a:
            with tqdm(range(4), analysis=a, disable=True) as bar:
                for _ in bar:
                    pass
        self.assertEqual(self.counted()[-1]["current"], 4)

    def test_tells_the_outer_of_two_bars_also_if_it_draws_nothing(self):
        tqdm, _ = self.bars()
        for disabled in (False, True):
            self.id = str(uuid.uuid4())
            options = {"disable": disabled, "file": io.StringIO()}
            with self.analysis() as a:
                for _ in tqdm(range(3), desc="Videos", unit="videos", analysis=a, **options):
                    for _ in tqdm(range(5), desc="Frames", unit="frames", analysis=a, **options):
                        a.wait()
            self.assertEqual({(event["unit"], event["message"]) for event in self.counted()}, {("videos", "Videos")})
            self.assertEqual(self.counted()[-1]["current"], 3)

    def test_tells_its_end_although_nobody_closes_it(self):
        tqdm, _ = self.bars()
        with self.analysis() as a:
            first, second = (tqdm(total=total, analysis=a, file=io.StringIO()) for total in (4, 5))
            for bar in (first, second):
                for _ in range(bar.total):
                    bar.update()
                a.report()
                a.wait()
                self.assertEqual((self.counted()[-1]["current"], self.counted()[-1]["total"]), (bar.total, bar.total))

    def test_counts_nothing_after_it_was_closed(self):
        tqdm, _ = self.bars()
        with self.analysis() as a:
            bar = tqdm(total=4, analysis=a, file=io.StringIO())
            bar.update(2)
            bar.close()
            bar.update()
        self.assertEqual((bar.n, self.counted()[-1]["current"]), (2, 2))

    def test_with_an_environment_that_names_no_analysis_is_tqdm_alone(self):
        script = "from telltale_client.tqdm import tqdm; print(sum(tqdm([1, 2])), sum(tqdm([3])))"
        for named, url in (("job-42", self.gateway.url), (self.id, "nonsense://127.0.0.1")):
            env = {**os.environ, "PYTHONPATH": str(PACKAGE), "TELLTALE_ANALYSIS_ID": named, "TELLTALE_URL": url}
            run = subprocess.run([sys.executable, "-B", "-c", script], env=env, capture_output=True, text=True)
            self.assertEqual((run.stdout, run.stderr.count("nothing is told of bars")), ("3 3\n", 1), run.stderr)

    def test_tells_nothing_when_it_is_freed_after_the_next_has_begun(self):
        tqdm, _ = self.bars()
        with self.analysis() as a:
            for closes in (True, False):
                first = tqdm(total=4, analysis=a, file=io.StringIO(), position=0)
                first.n = 3
                if closes:
                    first.close()
                with tqdm(total=5, analysis=a, file=io.StringIO(), position=0) as second:
                    second.update(5)
                a.wait()
                del first
                a.wait()
                self.assertEqual((self.counted()[-1]["current"], self.counted()[-1]["total"]), (5, 5))

    def test_raises_cancelled_in_its_loop(self):
        _, trange = self.bars()
        self.gateway.cancel_requested = True
        for disabled in (True, False):
            self.id = str(uuid.uuid4())
            with self.assertRaises(Cancelled), self.analysis() as a:
                a.wait()
                for _ in trange(10**9, analysis=a, disable=disabled, file=io.StringIO()):
                    pass

    def test_alone_is_tqdm(self):
        _, trange = self.bars()
        self.assertEqual(list(trange(3, file=io.StringIO())), [0, 1, 2])


@needed("ffmpeg", program("ffmpeg") and program("ffprobe"))
class Ffmpeg(WithAGateway):
    SOURCE = ["-f", "lavfi", "-i", "testsrc=duration=8:size=64x64:rate=25"]

    def test_tells_the_seconds_that_are_written_of_those_that_ffprobe_knows(self):
        with tempfile.TemporaryDirectory() as folder:
            video = Path(folder) / "video.mkv"
            with self.analysis() as a:
                a.ffmpeg(["ffmpeg", *self.SOURCE, "-y", video], stage="uploading", seconds=8)
                a.ffmpeg(["ffmpeg", "-i", video, "-f", "null", "-"], stage="frame_extraction", span=(0.5, 1))
        last = self.counted()[-1]
        self.assertEqual((last["current_stage"], last["total"], last["unit"]), ("frame_extraction", 8, "s"))
        self.assertAlmostEqual(last["progress"], 1, delta=0.02)

    def test_that_fails_is_an_error_with_its_last_lines(self):
        with self.assertRaises(FfmpegFailed), self.analysis() as a:
            a.ffmpeg(["ffmpeg", "-i", "no-such-file.mp4", "-f", "null", "-"])
        error = self.told()[-1]
        self.assertEqual((error["error_code"], error["error_details"]["exit_code"] != 0), ("ffmpeg_failed", True))
        self.assertIn("No such file", error["error_message"])

    def test_is_stopped_if_the_analysis_is_cancelled(self):
        self.gateway.cancel_requested = True
        endless = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=25"]
        with self.assertRaises(Cancelled), self.analysis() as a:
            a.ffmpeg(["ffmpeg", "-re", *endless, "-f", "null", "-"])
        self.assertEqual(self.told()[-1]["current_stage"], "cancelled")


class Callbacks(WithAGateway):
    def test_of_ultralytics_tell_epochs_and_stop_the_training(self):
        trainer = types.SimpleNamespace(epoch=2, epochs=10, metrics={"map": 0.5, "name": "x"}, stop=False)
        with self.analysis() as a:
            (told,) = callbacks.ultralytics(a, "training").values()
            told(trainer)
            self.assertFalse(trainer.stop)
            self.gateway.cancel_requested = True
            a.report(stage="training-more")
            a.wait()
            told(trainer)
        self.assertTrue(trainer.stop)
        epoch = self.counted()[0]
        self.assertEqual((epoch["current"], epoch["total"], epoch["metrics"]), (3, 10, {"map": 0.5}))

    def test_of_transformers_tell_steps_and_answer_every_event(self):
        control = types.SimpleNamespace(should_training_stop=False)
        state = types.SimpleNamespace(global_step=5, max_steps=20)
        with self.analysis() as a:
            told = callbacks.transformers(a)
            self.assertIsNone(told.on_train_begin(None, state, control))
            told.on_step_end(None, state, control)
            told.on_log(None, state, control, logs={"loss": 0.25})
        self.assertEqual({(event["current"], event["progress"]) for event in self.counted()}, {(5, 0.25)})
        self.assertEqual(self.counted()[-1]["metrics"], {"loss": 0.25})

    def test_of_lightning_tell_steps_and_answer_every_hook(self):
        trainer = types.SimpleNamespace(global_step=3, estimated_stepping_batches=4, should_stop=False)
        with self.analysis() as a:
            told = callbacks.lightning(a)
            self.assertIsNone(told.setup(trainer, None, "fit"))
            self.assertIsNone(told.on_fit_start(trainer, None))
            told.on_train_batch_end(trainer, None, None, None, 0)
        self.assertEqual([(e["current"], e["progress"]) for e in self.counted()], [(3, 0.75)])


def rq_finishes():
    return 7


def rq_raises():
    raise ValueError("a bad frame")


def rq_is_killed():
    os.kill(os.getpid(), 9)


def rq_is_stopped():
    import rq
    from rq.command import send_stop_job_command

    job = rq.get_current_job()
    analysis = current_run.get()
    analysis.report(progress=0.5, stage="uploading")
    analysis.wait()
    send_stop_job_command(job.connection, job.id)
    time.sleep(60)


def run_rq(server, gateway):
    """A worker that ends when all jobs are done."""
    # Debian has the module alone in some releases: the program is called as a module.
    script = "from rq.cli import main; main()"
    command = ["/usr/bin/python3", "-B", "-c", script, "worker", "--burst", "--url", server.url]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "TELLTALE_URL": gateway.url,
        "TELLTALE_TOKEN": "t",
        "LC_ALL": "C.UTF-8",
    }
    command += ["--worker-class", "telltale_client.rq.TelltaleWorker"]
    return subprocess.run(command, cwd=PACKAGE, env=env, capture_output=True, text=True)


@needed("rq", installed("rq"))
@needed("redis-server", program("redis-server"))
class Rq(WithAGateway):
    def test_tells_the_end_of_each_job_also_of_one_that_is_killed(self):
        import redis
        import rq

        server = RedisServer()
        self.addCleanup(server.stop)
        queue = rq.Queue(connection=redis.Redis.from_url(server.url))
        jobs = {
            job: queue.enqueue(f"tests.test_adapters.{job}").id for job in ("rq_finishes", "rq_raises", "rq_is_killed")
        }
        again = queue.enqueue("tests.test_adapters.rq_raises", retry=rq.Retry(max=1)).id
        run = run_rq(server, self.gateway)
        ends = {job: summary(self.gateway.of(job_id)) for job, job_id in jobs.items()}
        self.assertEqual(
            ends,
            {
                "rq_finishes": ["initializing", "completed"],
                "rq_raises": ["initializing", "ValueError"],
                "rq_is_killed": ["initializing", "worker_lost"],
            },
            run.stderr,
        )
        self.assertEqual(summary(self.gateway.of(again)), ["initializing", "queued", "initializing", "ValueError"])

    def test_ends_a_job_that_is_stopped_at_its_last_progress(self):
        import redis
        import rq

        server = RedisServer()
        self.addCleanup(server.stop)
        job_id = rq.Queue(connection=redis.Redis.from_url(server.url)).enqueue("tests.test_adapters.rq_is_stopped").id
        run = run_rq(server, self.gateway)
        told = [(event["current_stage"], event["progress"]) for event in self.gateway.of(job_id)]
        self.assertEqual(told, [("initializing", 0), ("uploading", 0.5), ("cancelled", 0.5)], run.stderr)

    def test_is_not_tried_again_if_somebody_cancelled_before(self):
        import redis
        import rq

        server = RedisServer()
        self.addCleanup(server.stop)
        self.gateway.cancel_requested = True
        queue = rq.Queue(connection=redis.Redis.from_url(server.url))
        job_id = queue.enqueue("tests.test_adapters.rq_raises", retry=rq.Retry(max=1)).id
        run_rq(server, self.gateway)
        self.assertEqual(summary(self.gateway.of(job_id)), ["initializing", "queued", "cancelled"])


@needed("dramatiq", installed("dramatiq"))
class Dramatiq(WithAGateway):
    def test_tells_the_end_of_each_message(self):
        import dramatiq
        from dramatiq.brokers.stub import StubBroker

        from telltale_client.dramatiq import setup

        broker = StubBroker()
        setup(broker, url=self.gateway.url, token="t")

        def finishes():
            pass

        def raises():
            raise ValueError("a bad frame")

        def runs_until_cancelled(analysis_id):
            with Analysis(analysis_id) as a:
                for _ in a.track(iter(int, 1)):
                    pass

        options = {"broker": broker, "max_retries": 1, "min_backoff": 1, "max_backoff": 1}
        actors = [dramatiq.actor(**options)(function) for function in (finishes, raises, runs_until_cancelled)]
        worker = dramatiq.Worker(broker, worker_timeout=10)
        worker.start()
        try:
            ids = [actors[0].send().message_id, actors[1].send().message_id]
            broker.join("default", fail_fast=False)
            worker.join()
            self.gateway.cancel_requested = True
            actors[2].send(analysis_id=self.id)
            self.gateway.wait_for(lambda: summary(self.told())[-1:] == ["cancelled"])
            tried = actors[1].send().message_id
            broker.join("default", fail_fast=False)
            worker.join()
        finally:
            worker.stop()
        self.assertEqual(summary(self.gateway.of(ids[0])), ["initializing", "completed"])
        self.assertEqual(summary(self.gateway.of(ids[1])), ["initializing", "queued", "initializing", "ValueError"])
        self.assertEqual(summary(self.gateway.of(tried)), ["initializing", "queued", "cancelled"])

    def test_tells_the_failure_of_a_message_that_nobody_sends_again(self):
        import dramatiq
        from dramatiq.brokers.stub import StubBroker

        from telltale_client.dramatiq import setup

        broker = StubBroker(middleware=[])
        setup(broker, url=self.gateway.url, token="t")

        def raises():
            raise ValueError("a bad frame")

        actor = dramatiq.actor(broker=broker)(raises)
        worker = dramatiq.Worker(broker, worker_timeout=10)
        worker.start()
        try:
            message_id = actor.send().message_id
            self.gateway.wait_for(lambda: summary(self.gateway.of(message_id))[-1:] == ["ValueError"])
        finally:
            worker.stop()


if __name__ == "__main__":
    unittest.main()
