"""Telling how an analysis goes, with nothing but redis-py's publish().

This file is all that a worker needs to be watched through Telltale: JSON on the channel analysis:{id}. On NATS it is the
subject analysis.{id}, and nats.py is needed as well.
"""

import json
import logging
import time
from collections import deque
from datetime import datetime, timedelta, timezone

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from .nats import Nats, NatsError

log = logging.getLogger(__name__)

# Where each stage begins, as a share of the whole work.
STAGES = {
    "initializing": 0.0,
    "uploading": 0.02,
    "frame_extraction": 0.07,
    "feature_extraction": 0.35,
    "model_inference": 0.88,
    "post_processing": 0.94,
    "blockchain_submission": 0.98,
    "completed": 1.0,
}
# Nobody reads faster than this, and a browser need not draw more often.
SHORTEST_PAUSE_SECONDS = 0.2
# The rate is measured over so long: long enough to be steady, short enough to follow a change of stage.
RATE_WINDOW_SECONDS = 8
# How often the worker asks whether somebody wants the analysis cancelled.
ASK_SECONDS = 1
# How long an ending waits for somebody to hear it.
PATIENCE_SECONDS = 20


FAULTS = (redis.RedisError, NatsError)


class Cancelled(Exception):
    """Somebody asked to cancel the analysis."""


def connect(url):
    """A connection that tries again when Redis, or NATS, is away for a moment.

    Publishing twice is safe: Telltale takes the same bytes, with nothing else in between, for one event.
    """
    if url.startswith("nats://"):
        return Nats(url)
    faults = [redis.ConnectionError, redis.TimeoutError]
    retry = Retry(ExponentialBackoff(cap=1, base=0.05), 5)
    return redis.Redis.from_url(url, retry=retry, retry_on_error=faults, socket_timeout=5)


class Reporter:
    """Publishes the events of one analysis."""

    def __init__(self, connection, analysis_id, task_id):
        self._connection = connection
        self._analysis_id = analysis_id
        self._task_id = task_id
        self._stage = None
        self._progress = 0.0
        self._last_told = 0.0
        self._last_asked = None
        self._steps = deque()

    def status(self, stage, done, message, **extra):
        """`done` is how much of the stage is done, 0 to 1.

        Progress never falls, and a stage is told at once; in between, what comes too soon is left out. Raises Cancelled.
        """
        now = time.monotonic()
        if stage != "completed":
            self._obey(now)
        if stage == self._stage and now - self._last_told < SHORTEST_PAUSE_SECONDS:
            return
        self._progress = max(self._progress, overall_progress(stage, done))
        self._steps.append((now, self._progress))
        while self._steps[0][0] < now - RATE_WINDOW_SECONDS:
            self._steps.popleft()
        self._stage, self._last_told = stage, now
        event = self._event(
            "status_update",
            task_id=self._task_id,
            progress=round(self._progress, 4),
            current_stage=stage,
            message=message,
            estimated_completion=estimate_completion(self._steps),
            **extra,
        )
        try:
            self._connection.publish(f"analysis:{self._analysis_id}", event)
        except FAULTS as fault:
            # The analysis is worth more than the telling: the next status makes up for this one.
            log.warning("a status of %s could not be told: %s", self._analysis_id, fault)

    def cancelled(self):
        self._publish_ending(
            self._event(
                "status_update",
                task_id=self._task_id,
                progress=round(self._progress, 4),
                current_stage="cancelled",
                message="Stopped because somebody asked for it",
            )
        )

    def result(self, **fields):
        self._publish_ending(self._event("result_update", **fields))

    def error(self, code, message, details=None):
        self._publish_ending(
            self._event("error", error_code=code, error_message=message, error_details=details)
        )

    def _obey(self, now):
        """The gateway keeps the request at a key of Redis until the analysis has ended. On NATS there is none to ask."""
        ask = getattr(self._connection, "get", None)
        if ask is None or (self._last_asked is not None and now - self._last_asked < ASK_SECONDS):
            return
        self._last_asked = now
        try:
            asked = ask(f"telltale:cancel:{self._analysis_id}") is not None
        except FAULTS as fault:
            log.warning("nobody knows whether %s is to be cancelled: %s", self._analysis_id, fault)
            return
        if asked:
            raise Cancelled()

    def _event(self, event_type, **fields):
        event = {
            "event_type": event_type,
            "analysis_id": self._analysis_id,
            # With the time in it, no two events are the same bytes.
            "timestamp": datetime.now(timezone.utc).isoformat(),
            **fields,
        }
        # allow_nan=False: NaN is no JSON, and such an event would be refused.
        return json.dumps(event, allow_nan=False)

    def _publish_ending(self, event):
        """publish() answers how many heard it. An event that nobody heard is lost, and an ending must not be.

        On NATS a stream hears it, whether or not a gateway runs.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if self._connection.publish(f"analysis:{self._analysis_id}", event) > 0:
                    return
                fault = "no gateway is listening"
            except FAULTS as error:
                fault = error
            if time.monotonic() > deadline:
                log.error("the end of %s was told to nobody: %s", self._analysis_id, fault)
                return
            time.sleep(0.5)


def overall_progress(stage, done):
    """The share of the whole that is done, when `done` (0 to 1) of the stage is."""
    begins = STAGES[stage]
    ends = min((other for other in STAGES.values() if other > begins), default=1.0)
    return begins + (ends - begins) * min(max(done, 0.0), 1.0)


def estimate_completion(steps):
    """When the rest will be done at the rate of the last seconds; None while no rate can be told.

    `steps` are pairs of a time in seconds and the progress at it.
    """
    (began, at_first), (now, at_last) = steps[0], steps[-1]
    if now - began < 0.5 or at_last <= at_first:
        return None
    remaining = (1 - at_last) * (now - began) / (at_last - at_first)
    return (datetime.now(timezone.utc) + timedelta(seconds=remaining)).isoformat(timespec="seconds")
