"""The failures of a video, in words for the person who waits for it."""


class AnalysisError(Exception):
    """An analysis that cannot be done; `code` is stable, `details` holds JSON values only."""

    def __init__(self, code, message, details=None):
        # All of them go to super(), so that Celery can carry the error from one process to another.
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self):
        return self.message
