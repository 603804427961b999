"""Events through Redis: the stream telltale:inbox, in which they wait for a gateway, or a bare PUBLISH."""

import json
from typing import Any, Optional, Sequence

from .transport import Away, Source

ANSWER_SECONDS = 5.0


class RedisTransport:
    """One connection to Redis. An event that Redis took without an answer may come twice by way of the inbox."""

    poll_seconds = 2.0
    poll_is_beat = False
    answers = False

    def __init__(self, url: str, durable: bool) -> None:
        try:
            import redis
        except ImportError as fault:
            raise ImportError("TELLTALE_URL names a Redis: pip install telltale-client[redis]") from fault
        self._faults = (redis.RedisError, OSError)
        self._refusals = redis.ResponseError
        self._durable = durable
        # If a batch of PUBLISH broke off, its beginning would be heard twice.
        self.largest_batch = 100 if durable else 1
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, decode_responses=True
        )

    def send(self, source: Source, events: Sequence[str], key: str) -> Optional[bool]:
        try:
            if self._durable:
                with self._redis.pipeline(transaction=True) as together:
                    for event in events:
                        together.xadd("telltale:inbox", {"event": event})
                    together.execute()
            else:
                self._publish(source.analysis_id, events)
        except self._faults as fault:
            self.close()
            raise Away(f"Redis: {type(fault).__name__}") from fault
        try:
            return self._is_cancelled(source)
        except self._faults:
            self.close()
            return None  # Redis has the events: they must not be sent again for this

    def poll(self, source: Source) -> Optional[bool]:
        try:
            return self._is_cancelled(source)
        except self._faults as fault:
            self.close()
            raise Away(f"Redis: {type(fault).__name__}") from fault

    def forget_cancel(self, source: Source) -> None:
        """A gateway does the same when it takes the end; until one runs, the next run of the analysis would obey the request."""
        try:
            if self._is_cancelled(source):
                self._redis.delete(_cancel_key(source))
        except self._refusals:
            pass  # this user may not delete it
        except self._faults:
            self.close()

    def close(self) -> None:
        self._redis.connection_pool.disconnect()

    def _publish(self, analysis_id: str, events: Sequence[str]) -> None:
        for event in events:
            # The answer is how many heard it: what nobody hears is lost.
            if not self._redis.publish(f"analysis:{analysis_id}", event):
                raise Away("no gateway listens")

    def _is_cancelled(self, source: Source) -> Optional[bool]:
        try:
            request = self._redis.get(_cancel_key(source))
        except self._refusals:
            return None  # this user may not read it
        return request is not None and not _is_of_another_run(request, source)


def _cancel_key(source: Source) -> str:
    return f"telltale:cancel:{source.analysis_id}"


def _is_of_another_run(request: str, source: Source) -> bool:
    """The request names the attempt that ran when the user asked; null if none did, or none was named."""
    try:
        asked = json.loads(request)
    except ValueError:
        return False
    attempt = asked.get("attempt_id") if isinstance(asked, dict) else None
    return isinstance(attempt, str) and source.attempt_id not in (None, attempt)
