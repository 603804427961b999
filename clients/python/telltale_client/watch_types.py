"""The events of a watched analysis, its folded state, and the state of the way to the gateway."""

from typing import Any, Dict, List, Literal, NamedTuple, Optional, TypedDict, Union

# A frame of the gateway, of any type.
Frame = Dict[str, Any]
TransportName = Literal["websocket", "sse", "poll"]
Status = Literal["unknown", "queued", "running", "stalled", "completed", "failed", "cancelled"]


class _Delivered(TypedDict):
    event_id: str
    timestamp: str  # ISO 8601 in UTC


class _OfRun(TypedDict, total=False):
    attempt_id: str  # names one run of the worker


class _Counts(TypedDict, total=False):
    current: Any
    total: Any
    unit: Any


class StatusUpdate(_Delivered, _OfRun, _Counts):
    event_type: Literal["status_update"]
    analysis_id: str
    task_id: str
    progress: float  # 0 to 1
    current_stage: str
    message: str
    estimated_completion: Optional[str]
    error: Optional[str]


class SuspiciousRegion(TypedDict):
    """A rectangle on one frame; all but `frame_number` and `region_type` are fractions of the frame, 0 to 1."""

    frame_number: int
    x: float
    y: float
    width: float
    height: float
    confidence: float
    region_type: str


class ResultUpdate(_Delivered, _OfRun):
    event_type: Literal["result_update"]
    analysis_id: str
    confidence_score: float  # 0 to 1
    frames_processed: int
    total_frames: int
    is_fake: bool
    processing_time_ms: float
    suspicious_regions: List[SuspiciousRegion]
    blockchain_hash: Optional[str]


class DataResult(_Delivered, _OfRun):
    """The result of an analysis of any kind."""

    event_type: Literal["result"]
    analysis_id: str
    data: Any
    summary: Optional[str]


class ErrorEvent(_Delivered, _OfRun):
    event_type: Literal["error"]
    analysis_id: str
    error_code: str
    error_message: str
    error_details: Optional[Dict[str, Any]]


class Notice(_Delivered):
    """For the user, or for everybody; of no analysis."""

    event_type: Literal["notice"]
    level: Literal["info", "warning", "error"]
    message: str
    data: Optional[Dict[str, Any]]


class CancelRequest(TypedDict):
    """Somebody asked for the end of the analysis."""

    requested_at: str
    user_id: Optional[str]
    reason: Optional[str]


class StageSpan(TypedDict):
    """`ended_at` is None while the stage goes on."""

    stage: str
    started_at: str
    ended_at: Optional[str]


class AnalysisState(TypedDict):
    """All events of an analysis, folded; the object of `GET /v1/analyses/{id}`."""

    analysis_id: str
    status: Status
    progress: Optional[float]
    current_stage: Optional[str]
    message: Optional[str]
    estimated_completion: Optional[str]
    current: Optional[float]
    total: Optional[float]
    unit: Optional[str]
    stages: List[StageSpan]
    result: Union[ResultUpdate, DataResult, None]
    error: Union[ErrorEvent, StatusUpdate, None]
    updated_at: Optional[str]
    last_event_id: str  # "0" before the first event
    attempt_id: Optional[str]
    cancel_requested: Optional[CancelRequest]
    cancelled_by: Optional[CancelRequest]  # of status "cancelled": the request that the worker obeyed


class AnalysisStateEvent(AnalysisState):
    """The first event of every watch. If it comes again, everything before it is void."""

    event_type: Literal["analysis_state"]


class CaughtUp(TypedDict):
    """Everything that had happened when the watch began, or came back, was delivered."""

    event_type: Literal["caught_up"]
    analysis_id: str
    last_event_id: str


class StateChanged(TypedDict):
    """The worker fell silent, or gave a sign of life again."""

    event_type: Literal["state_changed"]
    analysis_id: str
    status: Literal["stalled", "running"]
    silent_since: Optional[str]


class CancelRequested(CancelRequest):
    event_type: Literal["cancel_requested"]
    analysis_id: str


# Told apart by `event_type`. Fields that the publisher added are there too, and so are events of a type that this release does not know.
WatchedEvent = Union[
    StatusUpdate,
    ResultUpdate,
    DataResult,
    ErrorEvent,
    Notice,
    AnalysisStateEvent,
    CaughtUp,
    StateChanged,
    CancelRequested,
]


class Connecting(NamedTuple):
    status: Literal["connecting"] = "connecting"


class Live(NamedTuple):
    transport: TransportName
    status: Literal["live"] = "live"


class Waiting(NamedTuple):
    """The last connection ended with `code`, 1006 for a link that broke. The next try is at `retry_at`, in seconds since 1970."""

    code: int
    reason: str
    retry_at: float
    status: Literal["waiting"] = "waiting"


class Refused(NamedTuple):
    """Final: coming back would not help."""

    code: int
    reason: str
    status: Literal["refused"] = "refused"


class Finished(NamedTuple):
    """Final: the analysis has ended, and `until="terminal"` asked for no more."""

    status: Literal["finished"] = "finished"


class Closed(NamedTuple):
    """Final: the watch was closed."""

    status: Literal["closed"] = "closed"


# The state of the way to the gateway. It says nothing about the analysis.
Connection = Union[Connecting, Live, Waiting, Refused, Finished, Closed]


class Snapshot(NamedTuple):
    """The same object until something in it changes."""

    connection: Connection
    analysis: Optional[AnalysisState]  # None until the gateway has said it
    stalled: bool  # whether the worker of the running analysis has been silent for too long
    cancel_requested: Optional[CancelRequest]  # the request that is in force


class WatchRefused(Exception):
    """The gateway refused the watch for good. `code` is a close code, as 4003."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class CancelRefused(Exception):
    """The gateway did not take a request to cancel. `code` is as `already_ended`; `unreachable` if there was no answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
