"""Which analysis a task of Celery tells of, and whether it does so alone or together with the tasks around it."""

import ast
import uuid
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional

from .celery_whole import WholeMark, new_whole

# Answers the id of the analysis that a task belongs to, None if to none. Arguments: the task, its id, its keywords.
IdFunction = Callable[[Any, str, Dict[str, Any]], Optional[str]]
# The header of a message with what the worker that sent it knows of its run.
MARK = "telltale"
# This task of Celery waits for the parts of a chord, again and again, and sends its body.
CHORD_UNLOCK = "celery.chord_unlock"


class Step(NamedTuple):
    """A task that is to run after another one: a later one of its chain, the body of its chord, or its callback."""

    task: str
    id: Optional[str]
    group: Optional[str]
    keywords: Dict[str, Any]


class Run(NamedTuple):
    """A run of a task, for the analysis that it tells of."""

    analysis: str
    task_id: str
    # Tasks of a chord, group or chain that tell of one analysis have one attempt: the end of one of them is the end of all. The first run
    # of another task has the one under which it was told to be queued.
    attempt_id: str
    shared: bool
    # Whether it completes the analysis if it succeeds. If `counted`, or one `of` so many, only as the last that does.
    completes: bool
    counted: bool
    of: Optional[int]
    # Whether tasks beside it may tell of the analysis too.
    parallel: bool
    # All tasks that come after it, also those of other analyses.
    later: List[Step]
    mark: Dict[str, Any]
    # The canvas of which it makes a part; None if its progress is the whole.
    whole: Optional[WholeMark]

    @property
    def cancelled(self) -> bool:
        """Whether cancelling was asked for, and obeyed, before this try of the task."""
        return bool(self.mark.get("cancelled"))


class Runs:
    """Names the runs of an application's tasks. Every process that has a message makes the same of it."""

    def __init__(self, app: Any, analysis_id: IdFunction) -> None:
        self._app = app
        self._analysis_id = analysis_id

    def name(self, task: Any, task_id: str, keywords: Dict[str, Any], mark: Mapping[str, Any]) -> Optional[str]:
        """The analysis. A task that took the place of another, and its id, tells of that one's."""
        replaced = (mark.get("names") or {}).get(task_id)
        known = self._app.tasks.get(task) or SimpleNamespace(name=task) if isinstance(task, str) else task
        named = replaced or self._analysis_id(known, task_id, keywords)
        return None if named is None else str(named)

    def name_elsewhere(self, task: str, task_id: str, keywords: Dict[str, Any], mark: Mapping[str, Any]) -> Optional[str]:
        """The same of a task that does not run here; None also if the function cannot name it."""
        try:
            return self.name(task, task_id, keywords, mark)
        except Exception:
            return None  # the worker that runs the task says so in its log

    def of(self, task: Any, task_id: str, keywords: Dict[str, Any], message: Mapping[str, Any]) -> Optional[Run]:
        """The run, of a message's headers and the parts of its body; None if the task tells of no analysis."""
        mark = message.get(MARK) or {}
        named = self.name(task, task_id, keywords, mark)
        if named is None:
            return None
        later = list(steps_after(message))
        after = [step for step in later if step.id and self.name_elsewhere(step.task, step.id, step.keywords, mark) == named]
        group, of = None if mark.get("no_group") else message.get("group"), mark.get("of")
        in_group = bool(group) and named != task_id and of != 1
        final = (after[-1].group or after[-1].id) if after else group if in_group else None
        derived = None if final is None else uuid.uuid5(uuid.NAMESPACE_URL, f"telltale:{final}:{named}").hex
        attempt = mark.get("attempt") or derived
        is_again = message.get("retries") or (message.get("delivery_info") or {}).get("redelivered")
        return Run(
            named,
            task_id,
            attempt or not is_again and mark.get("queued") or uuid.uuid4().hex,
            shared=attempt is not None,
            completes=not after and not mark.get("part") and (not in_group or of is not None),
            counted=bool(mark.get("counted")),
            of=of if in_group else None,
            parallel=in_group or bool(mark.get("part")) or of != 1 and any(step.group for step in after),
            later=later,
            mark=mark,
            whole=mark.get("whole") or (new_whole(1 + len(after), named=attempt) if after and not in_group else None),
        )


def usual_id(task: Any, task_id: str, keywords: Dict[str, Any]) -> Optional[str]:
    if getattr(task, "name", task) == CHORD_UNLOCK:
        return None
    return str(keywords.get("analysis_id") or task_id)


def steps_after(message: Mapping[str, Any]) -> Iterator[Step]:
    """In the order in which they run. Celery has the rest of a chain the other way round."""
    for signature in reversed(message.get("chain") or ()):
        yield from steps_of(signature)
    if message.get("chord"):
        yield from steps_of(message["chord"], header=message.get("group"))
    for signature in message.get("callbacks") or ():
        yield from steps_of(signature)


def steps_after_group(message: Mapping[str, Any]) -> Iterator[Step]:
    """Those that come when all parts of its group are done: the body of its chord."""
    for options in (message, *(signature.get("options") or {} for signature in message.get("chain") or ())):
        if options.get("chord"):
            yield from steps_of(options["chord"], header=message.get("group"))


def steps_of(signature: Mapping[str, Any], group: Optional[str] = None, header: Optional[str] = None) -> Iterator[Step]:
    """The tasks of a signature, the last to run last. Newer Celery gives the body of a chord the group of its header."""
    options, keywords = signature.get("options") or {}, signature.get("kwargs") or {}
    kind = signature.get("subtask_type")
    group = options["group_id"] if options.get("group_id") not in (None, header) else group
    if kind == "group":
        for part in keywords.get("tasks") or ():
            yield from steps_of(part, group or options.get("task_id"))
    elif kind == "chain":
        tasks = list(keywords.get("tasks") or ())
        for place, part in enumerate(tasks):
            yield from steps_of(part, group if place == len(tasks) - 1 else None, header)
    elif kind == "chord":
        first = keywords.get("header") or ()
        for part in [first] if isinstance(first, Mapping) else first:
            yield from steps_of(part)
        if keywords.get("body"):
            named = (first.get("options") or {}).get("task_id") if isinstance(first, Mapping) else None
            yield from steps_of(keywords["body"], group, named)
    else:
        yield Step(str(signature.get("task")), options.get("task_id"), group, keywords)
    if options.get("chord"):
        yield from steps_of(options["chord"], header=options.get("group_id"))
    links = options.get("link") or ()
    for link in [links] if isinstance(links, Mapping) else links:
        yield from steps_of(link)


def keywords_of(request: Any) -> Dict[str, Any]:
    """Celery keeps only how the keywords look if a task is revoked before it is received."""
    try:
        shown = ast.literal_eval(getattr(request, "kwargsrepr", None) or "{}")
    except (ValueError, SyntaxError):
        return {}
    return shown if isinstance(shown, dict) else {}
