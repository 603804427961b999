"""tqdm as it is, and an analysis that is told: `from telltale_client.tqdm import tqdm`.

The analysis is the one that runs in a Celery task, else the argument `analysis`, else the id in TELLTALE_ANALYSIS_ID. Without any it
is tqdm alone.
"""

import os
from typing import Any, Optional

from tqdm.auto import tqdm as original

from .analysis import Analysis, current_run

__all__ = ["tqdm", "trange"]

_of_process: Optional[Analysis] = None


class tqdm(original):  # type: ignore[misc]
    """tqdm's own class and arguments, and `analysis` and `stage`. Its `desc` is the stage's message, its `unit` the unit."""

    def __init__(self, *args: Any, analysis: Optional[Analysis] = None, stage: Optional[str] = None, **options: Any) -> None:
        self._analysis = analysis or current_run.get() or _analysis_of_process()
        self._stage = stage
        self._told: Any = None
        super().__init__(*args, **options)
        self._tell()

    def refresh(self, *args: Any, **options: Any) -> Any:
        """tqdm calls it whenever it draws: by default ten times a second at most."""
        self._tell()
        return super().refresh(*args, **options)

    def update(self, n: Optional[float] = 1) -> Any:
        if self.disable:
            self.n += n or 0  # tqdm does not count what it does not draw
            self._tell()
            return None
        return super().update(n)

    def close(self) -> None:
        if getattr(self, "n", None) != self._told:
            self._tell()
        super().close()

    def __del__(self) -> None:
        self._analysis = None  # another bar may tell by now
        super().__del__()

    def __iter__(self) -> Any:
        analysis = self._analysis
        if analysis is None:
            yield from super().__iter__()
            return
        if self.disable:
            yield from analysis.track(self.iterable, self._stage, getattr(self, "unit", None))
            return
        for item in super().__iter__():
            if analysis.cancelled:
                analysis.raise_if_cancelled()
            yield item

    def _tell(self) -> None:
        # A bar within a bar is not the analysis' progress.
        if self._analysis is not None and hasattr(self, "n") and getattr(self, "pos", 0) == 0:
            unit = getattr(self, "unit", "it")
            self._told = self.n
            self._analysis.report(
                stage=self._stage,
                message=(getattr(self, "desc", "") or "").rstrip(": ") or None,
                current=self.n,
                total=self.total,
                unit=None if unit == "it" else unit.strip(),
            )


def trange(*args: int, **options: Any) -> "tqdm":
    return tqdm(range(*args), **options)


def _analysis_of_process() -> Optional[Analysis]:
    """A part: whoever set the variable begins the analysis and ends it."""
    global _of_process
    named = os.environ.get("TELLTALE_ANALYSIS_ID")
    if named and _of_process is None:
        _of_process = Analysis(named, part=True).start()
    return _of_process
