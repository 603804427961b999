"""RQ: `rq worker --worker-class telltale_client.rq.TelltaleWorker`, and every job tells how it goes.

The analysis is the job's `meta["analysis_id"]` or its keyword `analysis_id`, else the job's id. An id that is no UUID is made one by
`Analysis.id_for`.
"""

import logging
import sys
import uuid
from functools import partial
from typing import Any, Optional

from rq import Worker

from .analysis import Analysis, Cancelled, current_run, id_of
from .deliveries import flush_all
from .encoding import text_of
from .last_told import LastTold
from .retries import waits_for_retry

log = logging.getLogger("telltale_client")


class WorkerLost(Exception):
    error_code = "worker_lost"


class TelltaleWorker(Worker):  # type: ignore[misc]
    """RQ's own worker. The child that runs a job tells its progress and its end; the parent tells the end of a child that died."""

    _last_told: Optional[LastTold] = None

    def execute_job(self, job: Any, queue: Any) -> Any:
        """In the parent. The attempt is named here, so that both processes know it."""
        job.telltale_attempt = uuid.uuid4().hex
        self._last_told = LastTold()
        return super().execute_job(job, queue)

    def perform_job(self, job: Any, queue: Any) -> Any:
        """In the child."""
        analysis = self._analysis_of(job)
        if analysis is None:
            return super().perform_job(job, queue)
        token = current_run.set(analysis)
        job.telltale_analysis = analysis
        if self._last_told is not None:
            analysis._telling.when_told = partial(self._last_told.write, 0, job.id)
        analysis.start()
        try:
            succeeded = super().perform_job(job, queue)
            if succeeded:
                analysis.finish()
            return succeeded
        finally:
            current_run.reset(token)
            analysis.close()
            flush_all()  # the child ends without `atexit`

    def handle_job_failure(self, job: Any, *args: Any, **options: Any) -> Any:
        """In the child for an exception; in the parent if the child died or was stopped."""
        analysis = getattr(job, "telltale_analysis", None)
        fault: Optional[BaseException] = sys.exc_info()[1]
        if analysis is None:
            analysis = self._analysis_of(job)
            at = self._last_told.find(job.id) if self._last_told is not None else None
            if analysis is not None and at is not None:
                analysis._telling.begin_at(*at)
            fault = Cancelled() if self._stopped_job_id == job.id else WorkerLost("The process that ran the job died")
        if isinstance(fault, Cancelled):
            job.retries_left = None
        if analysis is not None:
            why = f"The job is tried again: {type(fault).__name__}: {text_of(fault)}"
            if job.retries_left and job.retries_left > 0 and waits_for_retry(analysis, why):
                fault, job.retries_left = Cancelled(), None
            if job.retries_left and job.retries_left > 0:
                analysis.close()
            else:
                analysis.finish(fault)
        return super().handle_job_failure(job, *args, **options)

    def _analysis_of(self, job: Any) -> Optional[Analysis]:
        try:
            named = str((job.meta or {}).get("analysis_id") or (job.kwargs or {}).get("analysis_id") or job.id)
            return Analysis(id_of(named), attempt_id=getattr(job, "telltale_attempt", None), task_id=job.id)
        except Exception:
            log.exception("nothing is told of the job %s", job.id)
            return None
