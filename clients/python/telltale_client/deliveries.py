"""The deliveries of this process: one for each destination, emptied at its end, begun anew when it forks."""

import atexit
import os
import sys
import time
from typing import Dict, Optional

from .delivery import PATIENCE_SECONDS, Delivery
from .settings import Destination, transport_to

_deliveries: Dict[Destination, Delivery] = {}
_imported_in = os.getpid()
_flushes_in: Optional[int] = None


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


def _flush_at_exit() -> None:
    global _flushes_in
    if _flushes_in == os.getpid():
        return
    _flushes_in = os.getpid()
    if _flushes_in == _imported_in:
        atexit.register(flush_all)
        return
    # A child of multiprocessing, or of Celery's billiard, ends without `atexit`.
    for name in ("multiprocessing.util", "billiard.util"):
        util = sys.modules.get(name)
        if util is not None:
            util.Finalize(None, flush_all, exitpriority=100)


def _after_fork() -> None:
    for delivery in list(_deliveries.values()):
        delivery.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
