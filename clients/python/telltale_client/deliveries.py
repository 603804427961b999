"""The deliveries of this process: one for each destination, emptied at its end, begun anew when it forks."""

import atexit
import os
import sys
import time
from typing import Callable, Dict, List, Optional

from .delivery import PATIENCE_SECONDS, Delivery
from .settings import Destination, transport_to

_deliveries: Dict[Destination, Delivery] = {}
_ends_in: Optional[int] = None  # the process whose end is known here; a child that was forked has another
_has_atexit = False
_before_flush: List[Callable[[], None]] = []


def delivery_to(where: Destination) -> Delivery:
    """The one of this process for the destination. Raises as `transport_to`."""
    known = _deliveries.get(where)
    if known is None:
        known = _deliveries[where] = Delivery(lambda: transport_to(where), _flush_at_exit)
    return known


def flush_all(seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until everything that waits in this process is sent, at most so long."""
    deadline = time.monotonic() + seconds
    for delivery in list(_deliveries.values()):
        delivery.flush(deadline)


def before_exit(callback: Callable[[], None]) -> None:
    """Calls it when the process ends, before the last events are sent."""
    _before_flush.append(callback)


def _at_exit() -> None:
    for callback in _before_flush:
        callback()
    flush_all()


def _flush_at_exit() -> None:
    global _ends_in, _has_atexit
    if _ends_in == os.getpid():
        return
    _ends_in = os.getpid()
    if not _has_atexit:  # a child inherits what its parent has registered
        atexit.register(_at_exit)
        _has_atexit = True
    # A child of multiprocessing, or of Celery's billiard, ends without `atexit`, also one that imported the package itself.
    for name in ("multiprocessing.util", "billiard.util"):
        util = sys.modules.get(name)
        if util is not None:
            util.Finalize(None, _at_exit, exitpriority=100)


def _after_fork() -> None:
    for delivery in list(_deliveries.values()):
        delivery.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
