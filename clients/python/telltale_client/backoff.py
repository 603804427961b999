"""When to try again after failures in a row."""

import random

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0


class Backoff:
    """Times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self.failures = 0
        self.resume_at = 0.0

    def failed(self, now: float, at_least: float = 0.0) -> None:
        """Doubles the pause, which is `at_least` so many seconds."""
        self.failures += 1
        step = min(LONGEST_PAUSE, FIRST_PAUSE * float(2 ** min(self.failures - 1, 10)))
        self.resume_at = now + max(at_least, step * random.uniform(0.5, 1))

    def reset(self) -> None:
        self.failures, self.resume_at = 0, 0.0
