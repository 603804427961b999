"""The log of the package. A thread that has the lock of a delivery writes its lines once it has released it.

A handler of the log may tell of an analysis, and may wait for another thread that does.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import Any, List, NamedTuple, Optional, Tuple, Type


class Line(NamedTuple):
    level: int
    text: str
    values: Tuple[Any, ...]
    fault: Optional[BaseException]


class _Held(threading.local):
    """How many locks a thread has, and what it has to write once it has none."""

    depth = 0

    def __init__(self) -> None:
        self.lines: List[Line] = []


_held = _Held()
_logger = logging.getLogger("telltale_client")


class HeldLog:
    def debug(self, text: str, *values: Any) -> None:
        self.log(logging.DEBUG, text, *values)

    def info(self, text: str, *values: Any) -> None:
        self.log(logging.INFO, text, *values)

    def warning(self, text: str, *values: Any) -> None:
        self.log(logging.WARNING, text, *values)

    def exception(self, text: str, *values: Any) -> None:
        """With the exception that is handled."""
        _write(Line(logging.ERROR, text, values, sys.exc_info()[1]))

    def log(self, level: int, text: str, *values: Any) -> None:
        _write(Line(level, text, values, None))


class LockWithLog(threading.Condition):
    """Holds back the lines of the thread that has it."""

    def __enter__(self) -> bool:
        entered = super().__enter__()
        _held.depth += 1
        return entered

    def __exit__(
        self, kind: Optional[Type[BaseException]], fault: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        _held.depth -= 1
        lines: List[Line] = []
        if _held.depth == 0 and _held.lines:
            lines, _held.lines = _held.lines, lines
        super().__exit__(kind, fault, where)
        for line in lines:
            _write(line)


def lines_wait() -> bool:
    """Whether this thread has lines to write once it has released its locks."""
    return bool(_held.lines)


def _write(line: Line) -> None:
    if _held.depth > 0:
        _held.lines.append(line)
    else:
        _logger.log(line.level, line.text, *line.values, exc_info=line.fault)
