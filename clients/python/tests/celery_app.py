"""The application of the tests. One line of it is Telltale's."""

import os
import signal
import sys
import time

import redis
from celery import Celery, chain, chord, group
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from telltale_client import Analysis
from telltale_client.celery import setup

app = Celery("app", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
gates = redis.Redis.from_url(os.environ["REDIS_URL"])
# A process that sends tasks has its gateway from these, a worker from TELLTALE_URL and TELLTALE_TOKEN.
sender = {"url": os.environ.get("GATEWAY_URL"), "token": os.environ.get("GATEWAY_TOKEN")}
setup(app, result=lambda value: None if isinstance(value, int) else value, **sender)


@app.task
def finishes():
    return 7


@app.task
def returns(value, name=None, analysis_id=None):
    return value[name] if name else value


@app.task(bind=True)
def fails_by_its_state(self):
    self.update_state(state="FAILURE", meta={"exc_type": "NoFace", "exc_message": "No face was found"})
    raise Ignore()


@app.task
def is_rejected():
    raise Reject("not here", requeue=False)


@app.task(bind=True)
def passes_progress_on(self):
    self.update_state(state="PROGRESS", meta={"current": 3, "total": 4, "description": "Three of four", "colour": "red"})


@app.task(bind=True)
def has_states(self, metas):
    for meta in metas:
        self.update_state(state="PROGRESS", meta=meta)


@app.task
def tells_a_verdict(analysis_id):
    with Analysis(analysis_id) as a:
        for _ in a.track(range(5), stage="frame_extraction", unit="frames"):
            pass
        a.result(is_fake=True, confidence_score=0.5)


@app.task
def raises():
    raise ValueError("a bad frame")


@app.task
def exits():
    sys.exit(3)


@app.task
def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(time_limit=1)
def takes_too_long():
    while True:
        try:
            time.sleep(60)
        except SoftTimeLimitExceeded:
            pass


@app.task(bind=True, autoretry_for=(OSError,), retry_kwargs={"max_retries": 2, "countdown": 0}, retry_backoff=False)
def succeeds_at_last(self, analysis_id):
    with Analysis(analysis_id) as a:
        a.report(stage="uploading", progress=0.1 * self.request.retries)
        if self.request.retries < 2:
            raise OSError("not yet")
        a.result(data="done")


@app.task(bind=True)
def waits_for_another_try(self):
    raise self.retry(exc=OSError("not yet"), countdown=3600)


@app.task(autoretry_for=(Exception,))
def runs_until_cancelled(analysis_id):
    with Analysis(analysis_id) as a:
        for _ in a.track(iter(int, 1), stage="model_inference"):
            time.sleep(0.01)


@app.task
def runs_for_ever():
    time.sleep(600)


@app.task
def one_part(number, analysis_id):
    with Analysis(analysis_id) as a:
        a.report(stage="model_inference", message=f"Part {number}", current=number, total=50)
    return number


@app.task
def all_parts(numbers, analysis_id):
    with Analysis(analysis_id) as a:
        a.result(data={"sum": sum(numbers)})


def said(name, analysis_id):
    """How often tasks have said so of the analysis."""
    return int(gates.get(f"{name}:{analysis_id}") or 0)


def say(name, analysis_id):
    gates.incr(f"{name}:{analysis_id}")


def wait_for(name, analysis_id, check=lambda: None):
    while not said(name, analysis_id):
        check()
        time.sleep(0.02)


@app.task(bind=True)
def part(self, *values, analysis_id, does="returns"):
    """`does`: it raises, dies, waits until the test says `go`, or runs until it is cancelled."""
    with Analysis(analysis_id) as a:
        a.report(stage="uploading", progress=0.5)
        say("began", analysis_id)
        if does == "raises":
            wait_for("raise", analysis_id)
            raise ValueError("a bad part")
        if does == "dies":
            wait_for("raise", analysis_id)
            os.kill(os.getpid(), signal.SIGKILL)
        if does == "runs":
            try:
                wait_for("go", analysis_id, a.raise_if_cancelled)
            finally:
                say("ended", analysis_id)
        if does == "waits":
            wait_for("go", analysis_id)
            a.report(stage="post_processing", progress=0.6)
            a.wait()
        if does == "is_replaced":
            parts = [part.si(analysis_id=analysis_id), part.si(analysis_id=analysis_id, does="waits")]
            raise self.replace(chain(parts) if "chain" in values else group(parts))
        if does == "starts_another":
            part.delay(analysis_id=analysis_id, does="waits")
        if does == "tries_again":
            if self.request.retries:
                a.raise_if_cancelled()
                say("missed", analysis_id)
            wait_for("go", analysis_id)
            raise self.retry(countdown=0)
    say("done", analysis_id)


def start_chord(analysis_id, parts):
    header = [one_part.s(number, analysis_id=analysis_id) for number in range(parts)]
    chord(header)(all_parts.s(analysis_id=analysis_id))
