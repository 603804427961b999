"""The simplest worker: a pretend analysis, told with nothing but redis-py's publish().

    worker.py ANALYSIS_ID [--seconds 10] [--inbox]

Telltale listens on the channel analysis:{id}; the worker does not know that it exists. With --inbox the events wait
in a stream until a gateway runs.
"""

import argparse
import json
import os
import time
import uuid
from datetime import datetime, timedelta, timezone

import redis

# Each stage with its share of the whole, and what it says of itself.
STAGES = [
    ("initializing", 0.05, "Opening the video"),
    ("frame_extraction", 0.30, "Extracting frames"),
    ("feature_extraction", 0.25, "Looking at faces"),
    ("model_inference", 0.30, "Asking the model"),
    ("post_processing", 0.10, "Putting the verdict together"),
]
STEPS_PER_STAGE = 4
TOTAL_FRAMES = 240


class Reporter:
    """Publishes the events of one analysis."""

    def __init__(self, connection, analysis_id, inbox=False):
        self._connection = connection
        self._inbox = inbox
        self._analysis_id = analysis_id
        self._channel = f"analysis:{analysis_id}"

    def publish(self, event_type, **fields):
        event = {
            "event_type": event_type,
            "analysis_id": self._analysis_id,
            # str() is what default=str makes of a datetime: both are understood.
            "timestamp": str(datetime.now(timezone.utc)),
            **fields,
        }
        # allow_nan=False: NaN is no JSON, and such an event would be refused.
        text = json.dumps(event, default=str, allow_nan=False)
        if self._inbox:
            self._connection.xadd("telltale:inbox", {"event": text})
        else:
            self._connection.publish(self._channel, text)


def analyse(reporter, seconds):
    task_id = str(uuid.uuid4())
    started = datetime.now(timezone.utc)
    done = 0.0
    for stage, share, message in STAGES:
        for step in range(STEPS_PER_STAGE):
            reporter.publish(
                "status_update",
                task_id=task_id,
                progress=round(done + share * step / STEPS_PER_STAGE, 4),
                current_stage=stage,
                message=message,
                estimated_completion=started + timedelta(seconds=seconds),
            )
            time.sleep(seconds * share / STEPS_PER_STAGE)
        done += share
    elapsed = datetime.now(timezone.utc) - started
    reporter.publish(
        "result_update",
        is_fake=True,
        confidence_score=0.87,
        frames_processed=TOTAL_FRAMES,
        total_frames=TOTAL_FRAMES,
        processing_time_ms=round(elapsed.total_seconds() * 1000),
        suspicious_regions=[
            {
                "frame_number": 96,
                "x": 0.41,
                "y": 0.22,
                "width": 0.18,
                "height": 0.25,
                "confidence": 0.91,
                "region_type": "mouth",
            }
        ],
    )
    reporter.publish(
        "status_update", task_id=task_id, progress=1.0, current_stage="completed", message="Analysis finished"
    )


def main():
    parser = argparse.ArgumentParser(description="Runs a pretend analysis and publishes how it goes.")
    parser.add_argument("analysis_id", metavar="ANALYSIS_ID", type=uuid.UUID)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long it takes (default: 10)")
    parser.add_argument("--inbox", action="store_true", help="XADD to telltale:inbox instead of PUBLISH")
    arguments = parser.parse_args()
    connection = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
    reporter = Reporter(connection, str(arguments.analysis_id), arguments.inbox)
    try:
        analyse(reporter, arguments.seconds)
    except Exception as fault:
        reporter.publish("error", error_code=type(fault).__name__, error_message=str(fault) or "no message")
        raise


if __name__ == "__main__":
    main()
