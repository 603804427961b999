"""Tells that a task waits in the queue, before a worker can have it."""

import logging
import threading
import time
from collections import OrderedDict
from contextvars import ContextVar
from typing import Any, Callable, List, Optional

from .analysis import Analysis
from .celery_runs import Run
from .encoding import text_of

log = logging.getLogger("telltale_client")

# So long a sender waits at most for the gateway: a worker may begin at once, and what comes after its first event is too late.
PATIENCE_SECONDS = 1.0
# So long nothing is told after a gateway that did not answer in time.
PAUSE_SECONDS = 10.0
# The oldest of more shared attempts may be told twice.
MOST_KNOWN = 10_000


class Queued:
    """In a process that sends tasks of the application, be it a worker or the web application."""

    def __init__(self, app: Any, new_analysis: Callable[[Run], Analysis]) -> None:
        self._app = app
        self._new_analysis = new_analysis
        # While a task of this application is sent: the analyses that were told to wait.
        self._sending: "ContextVar[Optional[List[Analysis]]]" = ContextVar("telltale_sending", default=None)
        self._lock = threading.Lock()
        self._told: "OrderedDict[str, None]" = OrderedDict()
        self._silent_until = 0.0

    def connect(self) -> None:
        original = self._app.send_task

        def send_task(*args: Any, **options: Any) -> Any:
            told: List[Analysis] = []
            token = self._sending.set(told)
            try:
                return original(*args, **options)
            except Exception as fault:
                why = f"The task could not be put into the queue: {type(fault).__name__}: {text_of(fault)}"
                for analysis in told:
                    analysis._telling.reopen()
                    analysis.error("task_not_sent", why[:500])
                raise
            finally:
                self._sending.reset(token)
                for analysis in told:
                    analysis.close()

        self._app.send_task = send_task

    def tell(self, run: Run) -> bool:
        """Whether the gateway has it, or may have it later: under another attempt a request that arrives late would replace the run."""
        told = self._sending.get()
        if told is None or time.monotonic() < self._silent_until or run.shared and not self._is_first(run.attempt_id):
            return False
        analysis = self._new_analysis(run)
        analysis._telling.end_stage("queued", "Waiting in the queue")
        if analysis.wait(PATIENCE_SECONDS):
            told.append(analysis)
            return True
        log.warning("%s is not told to be queued: no gateway took it within %g s", analysis.id, PATIENCE_SECONDS)
        self._silent_until = time.monotonic() + PAUSE_SECONDS
        analysis._telling.take_back()
        return True

    def _is_first(self, attempt: str) -> bool:
        """The tasks of a group are sent one after the other, and the first of them may run by then."""
        with self._lock:
            is_first = attempt not in self._told
            self._told[attempt] = None
            while len(self._told) > MOST_KNOWN:
                self._told.popitem(last=False)
        return is_first
