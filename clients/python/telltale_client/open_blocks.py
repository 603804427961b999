"""Analyses whose `with` was entered and not left yet. The end of the process ends them."""

import weakref
from typing import Protocol

from .deliveries import before_exit


class ProcessEnded(Exception):
    """The process ended while an analysis was open: in a thread or a generator that nobody waited for."""

    error_code = "worker_ended"


class Block(Protocol):
    def leave(self, fault: BaseException) -> object:
        """Ends the analysis."""


_open: "weakref.WeakSet[Block]" = weakref.WeakSet()


def entered(block: Block) -> None:
    _open.add(block)


def left(block: Block) -> None:
    _open.discard(block)


def _end_all() -> None:
    for block in list(_open):
        block.leave(ProcessEnded("The process ended before the analysis did"))


before_exit(_end_all)
