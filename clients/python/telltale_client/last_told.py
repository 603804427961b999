"""How far the tasks of forked children were, in memory that they share with their parent: a child that is killed cannot say it."""

import hashlib
import mmap
import struct
import time
from typing import Optional, Tuple

# More processes than one worker has. Those beyond would take the places of others.
PLACES = 1024
# The digest of the task's id, when it was told, the progress, and the stage, which ends with the first NUL.
RECORD = struct.Struct("=20sdd64s")


class LastTold:
    """Made before the children are forked. Each of them writes at a place of its own; the parent reads when the child has ended."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PLACES * RECORD.size)

    def write(self, place: int, task_id: str, stage: str, progress: float) -> None:
        RECORD.pack_into(self._memory, place % PLACES * RECORD.size, _digest(task_id), time.monotonic(), progress, stage.encode()[:64])

    def find(self, task_id: str) -> Optional[Tuple[str, float]]:
        """The stage and the progress that the task told last; None if no child of this process ran it."""
        digest = _digest(task_id)
        found = (RECORD.unpack_from(self._memory, place * RECORD.size) for place in range(PLACES))
        # A child may be killed while it writes, and an earlier try of the task may have run in another child.
        tries = [(at, progress, stage) for written, at, progress, stage in found if written == digest and 0 <= progress <= 1]
        if not tries:
            return None
        _, progress, stage = max(tries)
        return stage.rstrip(b"\0").decode("utf-8", "replace"), progress


def _digest(task_id: str) -> bytes:
    return hashlib.blake2b(task_id.encode("utf-8", "replace"), digest_size=20).digest()
