"""A Celery application. `late` is acknowledged when it has ended, so that the queue delivers it again if its worker dies."""

import os

from celery import Celery
from telltale_client import Analysis
from telltale_client.celery import setup
from work import status, work

app = Celery("tasks", broker=os.environ["CELERY_URL"], backend=os.environ["CELERY_URL"])
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
setup(app)


@app.task
def early(plan, analysis_id):
    return tell(plan, analysis_id)


@app.task(acks_late=True, reject_on_worker_lost=True)
def late(plan, analysis_id):
    return tell(plan, analysis_id)


def tell(plan, analysis_id):
    with Analysis(analysis_id) as a:
        work(plan, lambda number: a.report(**status(number)), a.raise_if_cancelled)
        a.result(data={"numbers": plan["total"]})
