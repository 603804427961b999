"""How the adapters of queues tell that a task is to be tried again."""

from .analysis import Analysis

# So long the next try waits at most until the gateway has said whether somebody cancels.
PATIENCE_SECONDS = 5.0


def waits_for_retry(analysis: Analysis, message: str) -> bool:
    """Tells that the task is queued again, before it is. Answers whether somebody had asked for its end.

    Then the analysis goes on, and whoever asks ends it as cancelled. A gateway holds a request that comes later for the next try.
    """
    analysis._telling.end_stage("queued", message[:500])
    analysis.wait(PATIENCE_SECONDS)
    if analysis.cancelled:
        analysis._telling.reopen()
    return analysis.cancelled
