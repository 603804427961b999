"""The memory that tasks of one analysis share, in the Redis of Celery's result backend, else in that of its broker.

It knows which of them are not done, and how the analysis ended. Without a Redis it knows nothing: then nobody can say which task
of a group is the last, and each one hears of a request to cancel by its gateway alone.
"""

import logging
import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, TypeVar

log = logging.getLogger("telltale_client")

# As long as Celery keeps results.
KEPT_SECONDS = 86_400
LOOK_SECONDS = 2.0

Answer = TypeVar("Answer")


class SharedMemory:
    """Nothing here raises. A Redis that is away is named once in the log."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._told = False

    def begins(self, attempt: str) -> bool:
        """Whether nobody has begun before."""
        return self._ask(lambda redis: bool(redis.set(_key(attempt, "begun"), 1, nx=True, ex=KEPT_SECONDS)), False)

    def open(self, attempt: str, *tasks: str) -> bool:
        """From now on the analysis is not complete until these tasks are done. False if that cannot be kept."""

        def opened(redis: Any) -> bool:
            with redis.pipeline() as pipe:
                pipe.sadd(_key(attempt, "open"), *tasks).expire(_key(attempt, "open"), KEPT_SECONDS).execute()
            return True

        return self._ask(opened, False)

    def done(self, attempt: str, task: str) -> bool:
        """Whether this was the last of the open ones."""

        def closed(redis: Any) -> bool:
            with redis.pipeline() as pipe:
                removed, left = pipe.srem(_key(attempt, "open"), task).scard(_key(attempt, "open")).execute()
            return bool(removed) and left == 0

        return self._ask(closed, False)

    def counted(self, attempt: str, task: str, of: int) -> bool:
        """Whether all of them are done now. A task that is delivered twice is one."""

        def counted(redis: Any) -> bool:
            key = _key(attempt, "done")
            with redis.pipeline() as pipe:
                added, done, _ = pipe.sadd(key, task).scard(key).expire(key, KEPT_SECONDS).execute()
            return bool(added) and done >= of

        return self._ask(counted, False)

    def progress(self, whole: str, task: str, own: float) -> Optional[List[float]]:
        """Keeps the progress of a task, and answers that of all tasks of its canvas; None if nobody knows."""

        def kept(redis: Any) -> Optional[List[float]]:
            key = _key(whole, "progress")
            with redis.pipeline() as pipe:
                _, values, _ = pipe.hset(key, task, own).hvals(key).expire(key, KEPT_SECONDS).execute()
            return [float(value) for value in values]

        return self._ask(kept, None)

    def progress_of(self, whole: str, task: str) -> float:
        return self._ask(lambda redis: float(redis.hget(_key(whole, "progress"), task) or 0), 0.0)

    def end(self, attempt: str, how: str) -> None:
        """The first end counts."""
        self._ask(lambda redis: bool(redis.set(_key(attempt, "ended"), how, nx=True, ex=KEPT_SECONDS)), False)

    def ended(self, attempts: List[str]) -> Dict[str, str]:
        """How those of the attempts that have ended did so."""

        def ended(redis: Any) -> Dict[str, str]:
            found = redis.mget([_key(attempt, "ended") for attempt in attempts])
            return {attempt: _text(how) for attempt, how in zip(attempts, found) if how is not None}

        return self._ask(ended, {}) if attempts else {}

    def _ask(self, question: Callable[[Any], Answer], without: Answer) -> Answer:
        try:
            with self._redis() as redis:
                return without if redis is None else question(redis)
        except Exception as fault:
            if not self._told:
                log.warning("the Redis of Celery did not answer Telltale: %s: %s", type(fault).__name__, fault)
            self._told = True
            return without

    @contextmanager
    def _redis(self) -> Iterator[Any]:
        client = getattr(self._app.backend, "client", None)
        if hasattr(client, "scard"):
            yield client
            return
        with self._app.pool.acquire(block=True, timeout=10) as connection:
            client = getattr(connection.default_channel, "client", None)
            yield client if hasattr(client, "scard") else None


class EndWatch:
    """Calls back if the shared attempt of a task that runs in this process has ended by another task."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._changed = threading.Condition()
        self._waiting: Dict[str, List[Callable[[str], None]]] = {}
        self._thread: Optional[threading.Thread] = None

    def add(self, attempt: str, ended: Callable[[str], None]) -> None:
        with self._changed:
            self._waiting.setdefault(attempt, []).append(ended)
            if self._thread is None or not self._thread.is_alive():  # also in a child, which was forked without it
                self._thread = threading.Thread(target=self._run, name="telltale-ends", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def remove(self, attempt: str, ended: Callable[[str], None]) -> None:
        with self._changed:
            left = [one for one in self._waiting.get(attempt, ()) if one != ended]  # a bound method is a new object each time
            if left:
                self._waiting[attempt] = left
            else:
                self._waiting.pop(attempt, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                self._changed.wait(LOOK_SECONDS)
                attempts = list(self._waiting)
            for attempt, how in self._memory.ended(attempts).items():
                with self._changed:
                    found = list(self._waiting.pop(attempt, ()))
                for ended in found:
                    ended(how)


def _key(attempt: str, what: str) -> str:
    """Begins as all keys of Celery do, so that its user of Redis may write it."""
    return f"celery-telltale-{attempt}-{what}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
