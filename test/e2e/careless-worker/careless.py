"""Celery tasks as people write them: nothing of Telltale but redis-py's publish(), and every carelessness there is.

    celery -A careless worker
    python3 careless.py '[["task", "analysis id"], …]'    puts tasks on the queue
"""

import json
import os
import signal
import sys
import uuid

import redis
from celery import Celery

REDIS_URL = os.environ["REDIS_URL"]

app = Celery("careless", broker=REDIS_URL)
app.conf.update(
    task_ignore_result=True,
    # A task whose process was killed is delivered again, under the same id.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
connection = redis.Redis.from_url(REDIS_URL)


def publish(analysis_id, event_type, **fields):
    """No timestamp, no attempt, and NaN is written as Python writes it."""
    event = {"event_type": event_type, "analysis_id": analysis_id, **fields}
    connection.publish(f"analysis:{analysis_id}", json.dumps(event))


def status(analysis_id, stage, progress, message="working"):
    publish(
        analysis_id, "status_update", task_id="task", current_stage=stage, progress=progress, message=message
    )


def result(analysis_id, confidence=0.5):
    publish(
        analysis_id,
        "result_update",
        is_fake=False,
        confidence_score=confidence,
        frames_processed=10,
        total_frames=10,
    )


def error(analysis_id, fault):
    publish(analysis_id, "error", error_code=type(fault).__name__, error_message=str(fault))


RETRIES = {"autoretry_for": (ConnectionError,), "retry_kwargs": {"max_retries": 1, "countdown": 0}}


@app.task(bind=True, **RETRIES)
def gives_up(self, analysis_id):
    """Fails in the same words at each attempt; the second time it comes a little further."""
    status(analysis_id, "initializing", 0.0)
    if self.request.retries > 0:
        status(analysis_id, "frame_extraction", 0.1)
    fault = ConnectionError("no model")
    error(analysis_id, fault)
    raise fault


@app.task(bind=True, **RETRIES)
def succeeds_at_last(self, analysis_id):
    status(analysis_id, "initializing", 0.0)
    status(analysis_id, "frame_extraction", 0.1)
    if self.request.retries == 0:
        fault = ConnectionError("no model")
        error(analysis_id, fault)
        raise fault
    result(analysis_id)


@app.task
def is_killed(analysis_id):
    """Its process is killed in the middle of the first run; the second run says all of it again."""
    status(analysis_id, "initializing", 0.0)
    status(analysis_id, "frame_extraction", 0.1)
    if connection.set(f"ran:{analysis_id}", 1, nx=True):
        os.kill(os.getpid(), signal.SIGKILL)
    status(analysis_id, "model_inference", 0.5)
    result(analysis_id)


@app.task
def asserts(analysis_id):
    status(analysis_id, "initializing", 0.0)
    try:
        assert analysis_id == "another"
    except AssertionError as fault:
        error(analysis_id, fault)


@app.task
def times_out(analysis_id):
    status(analysis_id, "initializing", 0.0)
    error(analysis_id, TimeoutError())


@app.task
def adds_up(analysis_id):
    frames = 100
    progress = 0.0
    for _ in range(frames):
        progress += 1 / frames
        status(analysis_id, "model_inference", progress)
    result(analysis_id, confidence=progress)
    status(analysis_id, "completed", progress)


@app.task
def finds_nothing(analysis_id):
    """The mean of no scores, as numpy has it."""
    status(analysis_id, "model_inference", 0.5)
    result(analysis_id, confidence=float("nan"))


@app.task
def serialises_with_kombu(analysis_id):
    """As kombu 5.3 and later write datetimes and UUIDs; Debian's is older."""
    event = dict(
        event_type="status_update",
        analysis_id={"__type__": "uuid", "__value__": {"hex": uuid.UUID(analysis_id).hex}},
        task_id={"__type__": "uuid", "__value__": {"hex": uuid.uuid4().hex}},
        current_stage="initializing",
        progress=0.0,
        message="working",
        timestamp={"__type__": "datetime", "__value__": "2026-11-27T10:00:00.123456+01:00"},
        estimated_completion=1795490842.5,
    )
    connection.publish(f"analysis:{analysis_id}", json.dumps(event))
    result(analysis_id)


@app.task
def writes_repr(analysis_id):
    """str() of a dictionary is no JSON."""
    status(analysis_id, "initializing", 0.0)
    event = {"event_type": "error", "error_code": "E", "error_message": "it's over", "recoverable": False}
    connection.publish(f"analysis:{analysis_id}", str(event))


if __name__ == "__main__":
    for name, analysis_id in json.loads(sys.argv[1]):
        app.send_task(f"careless.{name}", [analysis_id])
