"""Folds events into the state of an analysis, as the gateway does: `src/domain/analysis-state.ts` has the same rules."""

import math
from typing import Any, Dict, List, Optional, cast

from .watch_types import AnalysisState, Frame, StageSpan, Status

STAGE_MARKS_KEPT = 200
FOLDED = ("status_update", "result_update", "result", "error")
ENDS = ("completed", "failed", "cancelled")
LONGEST_UNIT = 32


def fold(state: AnalysisState, event: Frame) -> AnalysisState:
    """The state after one more event of the types FOLDED, which must be the next in order. `state` stays as it is."""
    after = _folded(cast(Dict[str, Any], state), event)
    is_end = after["status"] in ENDS
    if is_end:
        after["estimated_completion"] = None  # nothing is to be expected of an analysis that has ended
    is_other_run = _begins_other_run(state, event)
    obeyed = after["status"] == "cancelled" and not is_other_run
    # A gateway of a former release names nobody.
    after["cancelled_by"] = (state["cancel_requested"] or state.get("cancelled_by")) if obeyed else None
    if is_end or is_other_run:
        after["cancel_requested"] = None
    return cast(AnalysisState, after)


def has_ended(state: AnalysisState) -> bool:
    """Whether its terminal event is current. That ended the last stage; a cancelled analysis has neither a result nor an error."""
    stages = state["stages"]
    ended = bool(stages) and stages[-1]["ended_at"] is not None
    return ended or state["result"] is not None or state["error"] is not None


def _folded(state: Dict[str, Any], event: Frame) -> Dict[str, Any]:
    after = {**state, **_begun_anew(state, event)}
    had_ended, stages = has_ended(cast(AnalysisState, after)), after["stages"]
    after["updated_at"] = event.get("timestamp")
    after["last_event_id"] = event["event_id"]
    after["attempt_id"] = event.get("attempt_id", state["attempt_id"])
    after["status"] = _status_after(event)
    if event["event_type"] == "status_update":
        for name in ("progress", "current_stage", "message", "estimated_completion"):
            after[name] = event.get(name)
        after.update(counts_of(event))
        stages = _with_stage(stages, event, had_ended)
        if event["current_stage"] not in ("failed", "cancelled"):
            after["stages"] = stages
            return after
    after["stages"] = _ended(stages, event["timestamp"])
    after["result"], after["error"] = None, None
    if event["event_type"] in ("result_update", "result"):
        after["result"] = event
    elif event.get("current_stage") != "cancelled" or event["event_type"] == "error":
        after["error"] = event
    return after


def _begun_anew(state: Dict[str, Any], event: Frame) -> Dict[str, Any]:
    """An event begins anew if it is of another attempt, or reopens."""
    of_other_attempt = "attempt_id" in event and event["attempt_id"] != state["attempt_id"]
    reopens = has_ended(cast(AnalysisState, state)) and _status_after(event) not in ENDS
    return {"stages": [], "result": None, "error": None} if of_other_attempt or reopens else {}


def _status_after(event: Frame) -> Status:
    if event["event_type"] == "error":
        return "failed"
    if event["event_type"] != "status_update":
        return "completed"
    stage = event["current_stage"]
    return cast(Status, stage) if stage == "queued" or stage in ENDS else "running"


def _begins_other_run(state: AnalysisState, event: Frame) -> bool:
    """Whether an event before the end begins a run that the request to cancel is not for."""
    # The first event of all begins none: an analysis may be cancelled before anybody has heard of it.
    attempt = event.get("attempt_id")
    if attempt is None or attempt == state["attempt_id"] or state["last_event_id"] == "0":
        return False
    if state["status"] != "queued":
        return True
    stages, asked = state["stages"], state["cancel_requested"]
    queued_at = stages[-1]["started_at"] if stages else ""
    requested_at = asked["requested_at"] if asked else ""
    return len(stages) > 1 and _later(queued_at, requested_at) != requested_at


def counts_of(event: Frame) -> Dict[str, Any]:
    """The counts of a status; a field that is none is the publisher's own, and no count."""
    unit = event.get("unit")
    return {
        "current": _count(event.get("current")),
        "total": _count(event.get("total")),
        "unit": unit if isinstance(unit, str) and len(unit) <= LONGEST_UNIT else None,
    }


def _count(value: Any) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if value >= 0 and math.isfinite(value) else None


def _with_stage(stages: List[StageSpan], event: Frame, had_ended: bool) -> List[StageSpan]:
    stage, at = event["current_stage"], event["timestamp"]
    if stages and stages[-1]["stage"] == stage:
        return stages
    # A stage that comes after the end, as `completed` after the result, is over as it begins.
    span: StageSpan = {"stage": stage, "started_at": at, "ended_at": at if had_ended else None}
    return [*_ended(stages, at), span][-STAGE_MARKS_KEPT:]


def _ended(stages: List[StageSpan], at: str) -> List[StageSpan]:
    if not stages:
        return stages
    last = stages[-1]
    span: StageSpan = {
        "stage": last["stage"],
        "started_at": last["started_at"],
        "ended_at": _later(last["started_at"], at),
    }
    return [*stages[:-1], span]


def _later(one: str, other: str) -> str:
    # Without its Z a time is a prefix of the same second with a fraction, and so sorts before it.
    return other if other[:-1] > one[:-1] else one
