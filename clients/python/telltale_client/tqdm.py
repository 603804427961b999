"""tqdm as it is, and an analysis that is told: `from telltale_client.tqdm import tqdm`.

The analysis is the one that runs in a Celery task, else the argument `analysis`, else the id in TELLTALE_ANALYSIS_ID. Without any it
is tqdm alone.
"""

import logging
import os
import weakref
from typing import Any, Dict, Optional

from tqdm.auto import tqdm as original

from .analysis import Analysis, current_run

__all__ = ["tqdm", "trange"]

log = logging.getLogger("telltale_client")

_of_process: Optional[Analysis] = None
_is_without = False  # the environment names none that can be told
_open: "Dict[int, weakref.ref[tqdm]]" = {}  # in the order in which they began; a bar equals others of its line


class tqdm(original):  # type: ignore[misc]
    """tqdm's own class and arguments, and `analysis` and `stage`. Its `desc` is the stage's message, its `unit` the unit.

    A bar within a bar is not the analysis' progress. The outer one is that which began first and is not at its end, or has `position=0`.
    """

    _analysis: Optional[Analysis] = None
    _is_closed = False
    _told: Any = None

    def __init__(self, *args: Any, analysis: Optional[Analysis] = None, stage: Optional[str] = None, **options: Any) -> None:
        self._analysis = analysis or current_run.get() or _analysis_of_process()
        self._stage = stage
        # tqdm forgets them if it is to draw nothing.
        self._words = {"desc": options.get("desc"), "unit": options.get("unit", "it")}
        self._position = options.get("position")
        _open[id(self)] = weakref.ref(self)
        super().__init__(*args, **options)
        self._tell()

    def refresh(self, *args: Any, **options: Any) -> Any:
        """tqdm calls it whenever it draws: by default ten times a second at most."""
        self._tell()
        return super().refresh(*args, **options)

    def update(self, n: Optional[float] = 1) -> Any:
        if self._is_closed:
            return None
        if self.disable:
            self.n += n or 0  # tqdm does not count what it does not draw
            self._tell()
            return None
        drawn = super().update(n)
        if self._is_at_end and self._told != self.n:
            self._tell()  # nobody may close it
        return drawn

    def close(self) -> None:
        if not self._is_closed and getattr(self, "n", None) != self._told:
            self._tell()
        self._is_closed = True
        super().close()

    def __del__(self) -> None:
        self._analysis = None  # another bar may tell by now
        super().__del__()

    def __iter__(self) -> Any:
        analysis = self._analysis
        if analysis is None:
            yield from super().__iter__()
        elif not self.disable:
            for item in super().__iter__():
                if analysis.cancelled:
                    analysis.raise_if_cancelled()
                yield item
        elif self._is_outer:
            words = self._read()
            try:
                yield from analysis.track(self.iterable, self._stage, words["unit"], total=self.total, message=words["message"])
            finally:
                self._is_closed = True  # the loop has told its count
        else:
            for item in self.iterable:
                if analysis.cancelled:
                    analysis.raise_if_cancelled()
                yield item

    @property
    def _is_at_end(self) -> bool:
        total: Any = getattr(self, "total", None)
        return bool(total) and bool(getattr(self, "n", 0) >= total)

    @property
    def _is_outer(self) -> bool:
        if self._position is not None:
            return bool(self._position == 0)
        for key, known in list(_open.items()):
            bar = known()
            if bar is None or bar._is_closed:
                _open.pop(key, None)
            elif bar is self:
                return True
            elif bar._analysis is self._analysis and bar._position is None and not bar._is_at_end:
                return False
        return True

    def _read(self) -> Any:
        """Its words as a status has them."""
        desc, unit = (getattr(self, name, said) for name, said in self._words.items())
        return {"message": (desc or "").rstrip(": ") or None, "unit": None if unit in (None, "it") else str(unit).strip()}

    def _tell(self) -> None:
        if self._analysis is not None and hasattr(self, "n") and not self._is_closed and self._is_outer:
            self._told = self.n
            self._analysis.report(stage=self._stage, current=self.n, total=self.total, **self._read())


def trange(*args: int, **options: Any) -> "tqdm":
    return tqdm(range(*args), **options)


def _analysis_of_process() -> Optional[Analysis]:
    """A part: whoever set the variable begins the analysis and ends it."""
    global _of_process, _is_without
    named = os.environ.get("TELLTALE_ANALYSIS_ID")
    if named and _of_process is None and not _is_without:
        try:
            _of_process = Analysis(named, part=True).start()
        except Exception as fault:  # the program has no other reason to fail
            _is_without = True
            log.warning("nothing is told of bars: %s", fault)
    return _of_process
