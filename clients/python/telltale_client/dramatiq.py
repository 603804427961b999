"""Dramatiq: `setup(broker)`, and every message tells how it goes.

The analysis is the message's keyword `analysis_id`, else its id. An id that is no UUID is made one by `Analysis.id_for`. Dramatiq runs
its actors in threads of processes that it does not watch: the death of one is told by the gateway, if ABANDON_AFTER_SECONDS is set.
"""

import logging
import sys
import uuid
from typing import Any, Dict, Tuple

from dramatiq.middleware import Middleware, Retries, SkipMessage

from .analysis import Analysis, Cancelled, current_run, id_of
from .deliveries import flush_all
from .encoding import text_of
from .retries import waits_for_retry

log = logging.getLogger("telltale_client")

# The option of a message whose next try is not to be, since its analysis was cancelled.
CANCELLED = "telltale_cancelled"


def setup(broker: Any, **options: Any) -> None:
    """Tells how the messages of the broker's actors go. `options` are `url` and `token` of `Analysis`."""
    has_retries = any(isinstance(one, Retries) for one in broker.middleware)
    broker.add_middleware(TelltaleMiddleware(**options), **({"before": Retries} if has_retries else {}))


class CancelledMessage(Cancelled, SkipMessage):  # type: ignore[misc]
    """Dramatiq takes it for no failure and does not try again."""


class TelltaleMiddleware(Middleware):  # type: ignore[misc]
    """Its place is before Retries, so that it knows afterwards whether a message is tried again."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._running: Dict[str, Tuple[Analysis, Any]] = {}

    def before_process_message(self, broker: Any, message: Any) -> None:
        if message.options.get(CANCELLED):
            raise SkipMessage("the analysis was cancelled")
        try:
            named = str(message.kwargs.get("analysis_id") or message.message_id)
            analysis = Analysis(
                id_of(named),
                attempt_id=uuid.uuid4().hex,
                task_id=message.message_id,
                cancelled_type=CancelledMessage,
                **self._options,
            )
        except Exception:
            log.exception("nothing is told of the message %s", message.message_id)
            return
        self._running[message.message_id] = (analysis, current_run.set(analysis))
        analysis.start()

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        found = self._running.pop(message.message_id, None)
        if found is None:
            return
        analysis, token = found
        current_run.reset(token)
        if exception is None or analysis._telling.lane.ended != "queued":
            analysis.finish(exception)
        else:
            analysis.close()

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        """The next try of a message that is processed: Retries sends it again before anybody asks whether it has failed."""
        found = self._running.get(message.message_id)
        if found is None:
            return
        analysis, fault = found[0], sys.exc_info()[1]
        if waits_for_retry(analysis, f"Another try is due: {type(fault).__name__}: {text_of(fault)}"):
            analysis.finish(Cancelled())
            message.options[CANCELLED] = True

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self.after_process_message(broker, message, exception=Cancelled("the analysis was cancelled"))

    def before_worker_shutdown(self, broker: Any, worker: Any) -> None:
        flush_all()
