"""The Celery task, and what is told when it ends badly.

    celery -A worker.tasks worker
"""

import os
import shutil
import tempfile
from pathlib import Path

from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery import Celery
from celery.signals import task_failure, task_revoked, worker_ready

from .analysis import analyse
from .errors import AnalysisError
from .telltale import Cancelled, Reporter, connect


def setting(name):
    """A variable of the environment, or the text of the file that NAME_FILE names, as a secret of a container has it."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else os.environ.get(name)


REDIS_URL = setting("REDIS_URL") or "redis://127.0.0.1:6379/0"
# Where events go: to the Redis that has the queue, unless something else is named, as another user of it or NATS.
EVENTS_URL = setting("EVENTS_URL") or setting("NATS_URL") or REDIS_URL
SOFT_LIMIT_SECONDS = int(os.environ.get("TASK_MAX_SECONDS", "1800"))

app = Celery("video-worker", broker=REDIS_URL)
app.conf.update(
    # Analyses tell how they go through Telltale: nobody asks Celery for results.
    task_ignore_result=True,
    # One task at a time for each process: they are long, and a task waiting behind one could run elsewhere.
    worker_prefetch_multiplier=1,
    task_soft_time_limit=SOFT_LIMIT_SECONDS,
    task_time_limit=SOFT_LIMIT_SECONDS + 30,
    # A task that runs longer than this is started a second time while the first still runs.
    broker_transport_options={"visibility_timeout": 4 * SOFT_LIMIT_SECONDS},
    broker_connection_retry_on_startup=True,
)

CODES = {
    SoftTimeLimitExceeded: ("time_limit_exceeded", "The analysis took too long and was ended"),
    TimeLimitExceeded: ("time_limit_exceeded", "The analysis took too long and was ended"),
    WorkerLostError: ("worker_lost", "The worker process died in the middle of the analysis"),
}


@app.task(bind=True, name="worker.analyse_video")
def analyse_video(self, *, analysis_id, path):
    reporter = Reporter(connect(EVENTS_URL), analysis_id, self.request.id)
    with tempfile.TemporaryDirectory(prefix=folder_prefix(self.request.id)) as folder:
        try:
            analyse(path, Path(folder), reporter)
        except Cancelled:
            reporter.cancelled()


def folder_prefix(task_id):
    return f"video-worker-{task_id}-"


@worker_ready.connect
def say_ready(**_):
    print("The worker is ready", flush=True)


@task_failure.connect(sender=analyse_video)
def tell_failure(sender, task_id, exception, kwargs, **_):
    """The one place where failure is told.

    Celery calls it for whatever the task raised, and, in the parent process, also when the process that ran the task
    was killed or ran out of time and cannot tell anything itself.
    """
    Reporter(connect(EVENTS_URL), kwargs["analysis_id"], task_id).error(*error_of(exception))
    if isinstance(exception, (WorkerLostError, TimeLimitExceeded)):
        # A process that was killed could not clean up, and what it left is somebody's video.
        for folder in Path(tempfile.gettempdir()).glob(f"{folder_prefix(task_id)}*"):
            shutil.rmtree(folder, ignore_errors=True)


@task_revoked.connect(sender=analyse_video)
def tell_revoked(sender, request, **_):
    Reporter(connect(EVENTS_URL), request.kwargs["analysis_id"], request.id).error(
        "task_revoked", "The analysis was called off"
    )


def error_of(exception):
    """Code, message and details; of an unforeseen fault only its name is told, since its text is for the log."""
    if isinstance(exception, AnalysisError):
        return exception.code, exception.message, exception.details
    for kind, (code, message) in CODES.items():
        if isinstance(exception, kind):
            return code, message, None
    return "analysis_crashed", "The worker failed in a way nobody foresaw", {"exception": type(exception).__name__}
