"""Tells `telltale run` that its program tells of the analysis by itself, so that the command does not tell of it as well."""

import os
from typing import NamedTuple, Optional

from .held_log import HeldLog

log = HeldLog()


class UnderRun(NamedTuple):
    """The command named a file to its program, in which the program says what it tells: a line for each word."""

    path: str
    analysis_id: str
    # The name of the run, for an analysis that names none.
    attempt_id: Optional[str]

    def opened(self) -> None:
        self._say("open")

    def ended(self) -> None:
        """The end is stored: the command has nothing more to tell."""
        self._say("ended")

    def _say(self, word: str) -> None:
        try:
            # One write at the end of the file: other processes of the program say something too.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, f"{word} {self.analysis_id}\n".encode())
            finally:
                os.close(file)
        except OSError as fault:  # the command has ended, or this user may not write there: the command tells as well
            log.debug("telltale run was not told of %s: %s", self.analysis_id, fault)


def under_run(analysis_id: str, url: Optional[str]) -> Optional[UnderRun]:
    """None if the command was started for another analysis, or not at all, or if `url` says that the events go elsewhere than its own."""
    path = os.environ.get("TELLTALE_RUN_TAKEN")
    named = os.environ.get("TELLTALE_ANALYSIS_ID", "").strip().lower()
    goes_elsewhere = url is not None and url.rstrip("/") != os.environ.get("TELLTALE_URL", "").rstrip("/")
    if not path or named != analysis_id or goes_elsewhere:
        return None
    return UnderRun(path, analysis_id, os.environ.get("TELLTALE_ATTEMPT_ID") or None)
