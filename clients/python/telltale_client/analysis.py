"""Tells how one analysis goes."""

import contextvars
import logging
import os
import time
import uuid
from types import TracebackType
from typing import Any, Dict, Iterable, Iterator, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import open_blocks
from .deliveries import delivery_to
from .delivery import PATIENCE_SECONDS
from .events import error_fields, is_leaving, said_fields
from .lane import Lane
from .loop import Loop, length_of
from .settings import checks_events, destination
from .status import Status
from .telling import FIRST_STAGE, Telling
from .transport import Token
from .under_run import under_run

Item = TypeVar("Item")

log = logging.getLogger("telltale_client")

# The run of a queue's task. An analysis of the same id within it belongs to it: the queue's adapter tells how it ends.
current_run: "contextvars.ContextVar[Optional[Analysis]]" = contextvars.ContextVar("telltale_run", default=None)


class Cancelled(Exception):
    """Somebody asked for the analysis to be cancelled. Raised by `track`; leaving by it ends as stage `cancelled`."""


class Analysis:
    """A context manager around one analysis. Leaving it ends the analysis: as completed, failed or cancelled.

    An analysis has one end: the first that is told counts, and a result, an error or an exception after it is left out.

    Nothing here waits for the gateway or raises because it is away, but leaving waits at most 30 s for what is not sent yet.
    `analysis_id` is a UUID; `Analysis.id_for("job-42")` makes one of any name. `url` and `token` are TELLTALE_URL and
    TELLTALE_TOKEN if they are left out; a token may be a function, which is asked before each request. `attempt_id` names this
    run, 1 to 64 characters: the first event of another run replaces it. `stage` is the one until another is told. With `part=True` the analysis belongs to somebody
    else, who begins and completes it: this one tells progress, errors and cancellation alone. With `check`, or TELLTALE_CHECK=1,
    the call that tells an event which a gateway would refuse raises EventRefused: for development. Raises ValueError for
    an id that is no UUID and an address that is none, ImportError for want of redis-py.
    """

    def __init__(
        self,
        analysis_id: Union[str, uuid.UUID],
        *,
        url: Optional[str] = None,
        token: Token = None,
        attempt_id: Optional[str] = None,
        task_id: Optional[str] = None,
        part: bool = False,
        stage: str = FIRST_STAGE,
        check: Optional[bool] = None,
        cancelled_type: Type[Cancelled] = Cancelled,
    ) -> None:
        self.id: str = _checked(analysis_id)
        self._given = url, token
        run = current_run.get()
        self._run = run if run is not None and run.id == self.id and attempt_id is None else None
        self._part = part
        self._owner = os.getpid()
        self._began = time.monotonic()
        self._cancelled_type = cancelled_type
        if self._run is not None:
            self._telling: Telling = self._run._telling
            self._cancelled_type = self._run._cancelled_type
        else:
            where = destination(url, token)
            delivery = delivery_to(where) if where is not None else None
            command = under_run(self.id, url) if where is not None else None
            if command is not None and attempt_id is None:
                attempt_id = command.attempt_id
            self._telling = Telling(Lane(self.id, attempt_id), delivery, task_id or self.id, stage, command)
        self._telling.checks = self._telling.checks or (checks_events() if check is None else check)

    def __reduce__(self) -> Any:
        """In another process it reports as it does in a child that was forked: the process that began it ends it."""
        return _of_another_process, (self.id, *self._given, self._telling.lane.attempt_id, self._owner)

    @staticmethod
    def id_for(name: str) -> str:
        """The UUID that this name always has."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"telltale:{name}"))

    def ffmpeg(self, command: Sequence[Union[str, "os.PathLike[str]"]], stage: Optional[str] = None, **options: Any) -> None:
        """Runs ffmpeg and tells how far it is: `telltale_client.ffmpeg.run`."""
        from .ffmpeg import run

        run(self, command, stage, **options)

    @property
    def is_part(self) -> bool:
        """Whether somebody else begins and completes it."""
        return self._part

    @property
    def cancelled(self) -> bool:
        """Whether cancelling was asked for. The answer to each publish and beat says so."""
        return self._telling.lane.cancel_requested

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled if cancelling was asked for, as `track` does before each item."""
        if self.cancelled:
            raise self._cancelled_type("the analysis was cancelled")

    def report(
        self,
        progress: Optional[float] = None,
        stage: Optional[str] = None,
        message: Optional[str] = None,
        current: Optional[float] = None,
        total: Optional[float] = None,
        unit: Optional[str] = None,
        **extra: Any,
    ) -> None:
        """Tells a status: at most ten a second, the last one always. `progress` is 0 to 1, or current / total if left out."""
        self._telling.status(Status(progress, stage, message, current, total, unit, extra))

    def track(
        self,
        iterable: Iterable[Item],
        stage: Optional[str] = None,
        unit: Optional[str] = None,
        *,
        total: Optional[float] = None,
        message: Optional[str] = None,
        span: Tuple[float, float] = (0.0, 1.0),
    ) -> Iterator[Item]:
        """Passes the items on and tells how many are done. Raises Cancelled before the next item if that was asked for.

        `total` is the length if that is left out and known. `span` is the part of the whole progress that this loop makes.
        """
        loop = Loop(total if total is not None else length_of(iterable), stage, unit, message, span)
        lane, whole = self._telling.lane, self._telling.whole
        self._telling.open_loop(loop)
        try:
            for item in iterable:
                if lane.cancel_requested:
                    self.raise_if_cancelled()
                yield item
                loop.current += 1
                if whole is not None:
                    whole.add(loop.progress())
        finally:
            self._telling.close_loop(loop)

    def result(self, data: Any = None, *, summary: Optional[str] = None, **fields: Any) -> None:
        """The result. With is_fake or confidence_score it is a `result_update`, else a `result` with `data`.

        `data` is any JSON but null; other keywords without it are the data. A `result_update` says frames_processed and
        total_frames as the last loop counted them, and processing_time_ms, if these are left out.
        """
        said: Dict[str, Any] = {} if summary is None else {"summary": summary}
        if data is None and ("is_fake" in fields or "confidence_score" in fields):
            frames, total = self._telling.frames
            measured = round((time.monotonic() - self._began) * 1000)
            counted = {"frames_processed": frames, "total_frames": total, "processing_time_ms": measured}
            self._telling.end("result_update", {**counted, **fields, **said})
        else:
            self._telling.end("result", {**({"data": fields} if data is None else {"data": data, **fields}), **said})

    def error(self, code: str, message: Optional[str] = None, details: Optional[Dict[str, Any]] = None) -> None:
        """Ends the analysis as failed. A result or an exception that follows is not told."""
        self._telling.end("error", said_fields(code, message, details))

    def start(self) -> "Analysis":
        """Tells that the analysis runs, and begins to beat. Entering the context does this."""
        self._began = time.monotonic()
        if not self._part and self._run is None:
            self._telling.status(Status(message="Started"))
        self._telling.watch()
        return self

    def finish(self, fault: Optional[BaseException] = None) -> None:
        """Ends the analysis by how it was left, without waiting. Leaving the context does this, and waits."""
        # A child that was forked meanwhile leaves the end to its parent, and a part of a task's run to the run.
        if self._owner != os.getpid() or self._run is not None:
            return
        if isinstance(fault, Cancelled):
            self._telling.end_stage("cancelled", "Cancelled")
        elif fault is not None and not is_leaving(fault):
            self._telling.end("error", error_fields(fault))
        elif not self._part:
            self._telling.end_stage("completed", "Completed")
        self._telling.close()

    def close(self) -> None:
        """Stops beating and ends nothing: somebody else tells how the analysis ends."""
        if self._run is None:
            self._telling.close()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Until everything told so far is with the gateway; False if it took longer."""
        delivery = self._telling.delivery
        return delivery is None or delivery.wait(self._telling.lane, seconds)

    def leave(self, fault: Optional[BaseException]) -> bool:
        """Ends the analysis as its block was left. Answers whether to wait: not if somebody has waited in vain since the gateway went away."""
        open_blocks.left(self)
        try:
            self.finish(fault)
        except Exception:  # the worker's own exception goes on
            log.exception("the end of %s could not be told", self.id)
        delivery = self._telling.delivery
        # A task that comes after a part may end the analysis, so the gateway is to have all of the part before it returns.
        waits = self._run is None or self._run.is_part
        return waits and delivery is not None and not delivery.waited_in_vain

    def __enter__(self) -> "Analysis":
        open_blocks.entered(self)
        return self.start()

    def __exit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        if self.leave(fault):
            self.wait()


def _of_another_process(analysis_id: str, url: Optional[str], token: Token, attempt_id: Optional[str], owner: int) -> Analysis:
    analysis = Analysis(analysis_id, url=url, token=token, attempt_id=attempt_id, part=True)
    analysis._owner = owner
    return analysis


def id_of(name: str) -> str:
    """The name itself if it is a UUID, else the UUID that it always has."""
    try:
        return str(uuid.UUID(name))
    except ValueError:
        return Analysis.id_for(name)


def _checked(analysis_id: Union[str, uuid.UUID]) -> str:
    text = str(analysis_id)
    try:
        if len(text) == 36 and str(uuid.UUID(text)) == text.lower():
            return text.lower()
    except ValueError:
        pass
    raise ValueError("the id of an analysis is a UUID; Analysis.id_for(name) makes one of any name")
