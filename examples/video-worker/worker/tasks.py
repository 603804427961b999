"""The Celery task, and what is left to do when it ends badly.

    celery -A worker.tasks worker
"""

import os
import shutil
import tempfile
from pathlib import Path

from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery
from celery.signals import task_failure, task_revoked, worker_ready
from telltale_client import Cancelled
from telltale_client.celery import current_analysis, setup

from .analysis import analyse
from .errors import AnalysisError
from .steps import Steps


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

# The one line that has every task told: its begin, its end, and the death of its process.
setup(app, url=EVENTS_URL)


@app.task(bind=True, name="worker.analyse_video")
def analyse_video(self, *, analysis_id, path):
    analysis = current_analysis()
    with tempfile.TemporaryDirectory(prefix=folder_prefix(self.request.id)) as folder:
        try:
            analyse(path, Path(folder), Steps(analysis))
        except Cancelled:
            analysis.report(stage="cancelled", message="Stopped because somebody asked for it")
            raise
        except SoftTimeLimitExceeded:
            # The package has words for it.
            raise
        except AnalysisError as fault:
            analysis.error(fault.code, fault.message, fault.details)
            raise
        except Exception as fault:
            # Visitors are strangers: what the fault says is for the log.
            name = type(fault).__name__
            analysis.error("analysis_crashed", "The worker failed in a way nobody foresaw", {"exception": name})
            raise


def folder_prefix(task_id):
    return f"video-worker-{task_id}-"


@worker_ready.connect
def say_ready(**_):
    print("The worker is ready", flush=True)


@task_failure.connect(sender=analyse_video)
def clean_up_after_failure(sender, task_id, **_):
    clean_up(task_id)


@task_revoked.connect(sender=analyse_video)
def clean_up_after_revoking(sender, request, **_):
    clean_up(request.id)


def clean_up(task_id):
    """A process that was killed could not, and what it left is somebody's video."""
    for folder in Path(tempfile.gettempdir()).glob(f"{folder_prefix(task_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)
