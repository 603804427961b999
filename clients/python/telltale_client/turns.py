"""Which analysis is served next, and when."""

from typing import Callable, Dict, List, NamedTuple, Optional

from .lane import Lane


def next_due(lanes: List[Lane], now: float) -> Optional[Lane]:
    """The first that has events to send, else the first that has to beat; None if nothing is due."""
    first: Dict[str, Lane] = {}  # two runs of one analysis are told in the order in which they began
    for lane in lanes:
        if lane.has_waiting and lane.denied.resume_at <= now:
            known = first.setdefault(lane.analysis_id, lane)
            if lane.number < known.number:
                first[lane.analysis_id] = lane
    waiting = (lane for lane in lanes if first.get(lane.analysis_id) is lane)
    beating = (lane for lane in lanes if lane.beating and lane.poll_at <= now)
    return next(waiting, None) or next(beating, None)


def pause(lanes: List[Lane], now: float, away_until: float) -> Optional[float]:
    """Seconds until something is due; None if only a call can change that. Nothing is sent while the gateway is away."""
    times = [lane.due_at() for lane in lanes]
    if now < away_until:
        times.append(away_until)
    else:
        times += [lane.poll_at for lane in lanes if lane.beating]
        times += [lane.denied.resume_at for lane in lanes if lane.has_waiting]
    soonest = min(times, default=float("inf"))
    return None if soonest == float("inf") else max(0.01, soonest - now)


class Watcher(NamedTuple):
    """Called back when the lane is empty, or has been denied for longer than whoever waits since `since` should wait."""

    lane: Lane
    since: float
    callback: Callable[[], None]
