"""Marks the messages that a worker sends: which run they go on with, so that whoever gets them knows it too."""

import logging
import uuid
from collections import Counter
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set

from celery import current_task, group, signals

from .celery_queued import Queued
from .celery_running import Running
from .celery_runs import CHORD_UNLOCK, MARK, Runs, Step, steps_after, steps_after_group, steps_of
from .celery_shared import SharedMemory
from .celery_whole import WholeMark, new_whole

log = logging.getLogger("telltale_client")


class SentGroup(NamedTuple):
    """A group that is being sent: how many of its parts, and which tasks in them, tell of each analysis."""

    id: str
    parts: "Counter[str]"
    tasks: Dict[str, Set[str]]


class Publishing:
    """For tasks that are sent by a process with `setup`, be it a worker or the web application."""

    def __init__(
        self, runs: Runs, memory: SharedMemory, running: Callable[[str], Optional[Running]], queued: Optional[Queued]
    ) -> None:
        self._runs = runs
        self._queued = queued
        self._memory = memory
        self._running = running
        self._sent: "ContextVar[Optional[SentGroup]]" = ContextVar("telltale_group", default=None)

    def connect(self) -> None:
        signals.before_task_publish.connect(self._before, weak=False)
        original = group.apply_async

        def apply_async(sent: Any, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
            token = self._sent.set(self._counted(sent, kwargs or {}))
            try:
                return original(sent, args, kwargs, *more, **options)
            finally:
                self._sent.reset(token)

        group.apply_async = apply_async

    def _counted(self, sent: Any, keywords: Dict[str, Any]) -> SentGroup:
        counted = SentGroup(uuid.uuid4().hex, Counter(), {})
        try:
            for part in sent.tasks:
                names = set()
                for place, step in enumerate(steps_of(part)):
                    own = {**step.keywords, **keywords} if place == 0 else step.keywords
                    task_id = step.id or str(uuid.uuid4())
                    named = self._runs.name_elsewhere(step.task, task_id, own, {})
                    if named is not None:
                        names.add(named)
                        counted.tasks.setdefault(named, set()).add(task_id)
                counted.parts.update(names)
        except Exception:
            log.exception("the tasks of a group could not be counted")
        return counted

    def _before(self, headers: Any = None, body: Any = None, **_: Any) -> None:
        try:
            if isinstance(body, (tuple, list)) and len(body) == 3:
                message, keywords = {**headers, **(body[2] or {})}, body[1] or {}
                mark = {name: value for name, value in self._mark(message, keywords).items() if value and name != "queued"}
                headers[MARK] = mark
                self._tell_queued(mark, {**message, MARK: mark}, keywords)
        except Exception:
            log.exception("a task could not be marked")

    def _tell_queued(self, mark: Dict[str, Any], message: Dict[str, Any], keywords: Dict[str, Any]) -> None:
        """Not if the task goes on with an analysis that runs."""
        goes_on = "attempt" in mark or message.get("retries") or current_task and current_task.name == CHORD_UNLOCK
        task, task_id = message["task"], message["id"]
        named = None if goes_on or self._queued is None else self._runs.name_elsewhere(task, task_id, keywords, mark)
        if self._queued is None or named is None or task.startswith("celery."):
            return
        run = self._runs.of(task, task_id, keywords, message)
        if run is not None and self._queued.tell(run) and not run.shared:
            mark["queued"] = run.attempt_id

    def _mark(self, message: Dict[str, Any], keywords: Dict[str, Any]) -> Dict[str, Any]:
        sender = current_task.request if current_task else None
        running = self._running(sender.id) if sender is not None else None
        task_id, later = message["id"], list(steps_after(message))
        if running is not None and task_id == running.run.task_id and message.get("retries", 0) > running.retries:
            return self._mark_of_retry(running)
        named = self._runs.name_elsewhere(message["task"], task_id, keywords, running.run.mark if running else {})
        own = self._mark_of_group(message, later, named, running)
        if running is None or named != running.run.analysis:
            own["whole"] = self._whole(message, later, named, 0.0)
        if running is None:
            return own
        run, names = running.run, running.run.mark.get("names") or {}
        at = running.analysis._telling.at
        shared: Dict[str, Any] = {**run.mark, "attempt": run.attempt_id, "at": at, "whole": run.whole}
        if run.task_id in (task_id, *(step.id for step in later)):
            running.replaced = True
            return {**shared, "names": {**names, run.task_id: run.analysis}, "whole": self._whole(message, later, named, at[1])}
        if named != run.analysis:
            return {**own, "names": names}
        if task_id in (step.id for step in run.later):
            whole = running.whole.mark_of_next() if running.whole is not None else None
            counted = running.counted and self._memory.open(run.attempt_id, task_id)
            return {**shared, **own, "counted": counted, "whole": whole}
        counted = running.share() and self._memory.open(run.attempt_id, task_id)
        return {**shared, **own, "part": True, "counted": counted, "whole": self._whole(message, later, named, at[1])}

    def _whole(self, message: Dict[str, Any], later: List[Step], named: Optional[str], base: float) -> Optional[WholeMark]:
        """All tasks of the canvas that begins with the message, and tell of its analysis."""
        if named is None:
            return None
        sent = self._sent.get()
        after = list(steps_after_group(message)) if sent is not None else later
        first = sent.tasks.get(named, set()) if sent is not None else {str(message["id"])}
        ids = (step.id for step in after if self._runs.name_elsewhere(step.task, step.id or "", step.keywords, {}) == named)
        tasks = len(first.union(filter(None, ids)))
        return new_whole(tasks, base, sent.id if sent is not None else None) if tasks > 1 or base > 0 else None

    def _mark_of_group(
        self, message: Dict[str, Any], later: List[Step], named: Optional[str], running: Optional[Running]
    ) -> Dict[str, Any]:
        """How many tasks of its group tell of the analysis, or that it is in none, although newer Celery names one."""
        sent = self._sent.get()
        if sent is not None:
            leads_there = bool(message.get("group")) or any(step.group for step in later)
            return {"of": sent.parts.get(named or "") if leads_there else None, "no_group": False}
        if not current_task:
            return {}
        after = running.run.later if running is not None else steps_after(vars(current_task.request))
        step = next((step for step in after if step.id == message["id"]), None)
        no_group = current_task.name == CHORD_UNLOCK or step is not None and step.group is None
        leads_there = not no_group and bool(message.get("group")) or any(step.group for step in later)
        of = running.run.mark.get("of") if running is not None and leads_there else None
        return {"of": of, "no_group": no_group}

    def _mark_of_retry(self, running: Running) -> Dict[str, Any]:
        """The next try of a task that has an attempt of its own is another one."""
        run = running.run
        shared: Dict[str, Any] = {"attempt": run.attempt_id, "at": running.analysis._telling.at} if run.shared else {}
        return {**run.mark, **shared, "cancelled": running.tries_again(), "whole": run.whole}
