"""Events through Redis: the stream telltale:inbox, in which they wait for a gateway, or a bare PUBLISH."""

import json
from typing import Any, Dict, Optional, Sequence
from urllib.parse import urlsplit

from .redis_address import client_of, hosts_of
from .transport import Away, Source

INBOX = "telltale:inbox"


class RedisTransport:
    """One connection to Redis. In the inbox each event has a key: one that is sent again for want of an answer counts once."""

    poll_seconds = 2.0
    poll_is_beat = False
    answers = False
    largest_batch = 100

    def __init__(self, url: str, durable: bool) -> None:
        try:
            import redis
        except ImportError as fault:
            raise ImportError("TELLTALE_URL names a Redis: pip install telltale-client[redis]") from fault
        self._url = url
        self._is_cluster = urlsplit(url).scheme.endswith("+cluster")
        self._faults = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)
        self._refusals = redis.ResponseError
        self._moved = (redis.exceptions.AskError, redis.exceptions.ClusterDownError)
        self._durable = durable
        # A client of a Cluster asks it for its servers at once, and they may be away.
        self._redis: Any = None if self._is_cluster and hosts_of(url) else client_of(url)
        # How many events of a call were taken before one was not.
        self._taken: Dict[str, int] = {}

    def send(self, source: Source, events: Sequence[str], key: str) -> Optional[bool]:
        try:
            # One by one: users of Redis need no transactions, and none overtakes another.
            for place in range(self._taken.get(key, 0), len(events)):
                self._hand_over(source, events[place], f"{key}:{place}")
                self._taken[key] = place + 1
        except self._faults as fault:
            self.close()
            raise _away(fault) from fault
        self._taken.pop(key, None)
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
            raise _away(fault) from fault

    def forget_cancel(self, source: Source) -> None:
        """A gateway does the same when it takes the end; until one runs, the next run of the analysis would obey the request."""
        try:
            if self._is_cancelled(source):
                self._client(_cancel_key(source)).delete(_cancel_key(source))
        except self._refusals:
            pass  # this user may not delete it
        except self._faults:
            self.close()

    def close(self) -> None:
        if self._is_cluster:
            kept, self._redis = self._redis, None
            if kept is not None:
                kept.close()
        else:
            self._redis.connection_pool.disconnect()

    def _client(self, key: str) -> Any:
        """In a Cluster the client of the server that has the key: the one of the Cluster may repeat a command, and so an event, five times by itself."""
        if self._redis is None:
            self._redis = client_of(self._url)
        return self._redis.get_redis_connection(self._redis.get_node_from_key(key)) if self._is_cluster else self._redis

    def _hand_over(self, source: Source, event: str, key: str) -> None:
        if self._durable:
            self._client(INBOX).xadd(INBOX, {"event": event, "idempotency_key": key})
            return
        channel = f"analysis:{source.analysis_id}"
        heard = self._client(channel).publish(channel, event)
        # An event that nobody hears is lost. A server of a Cluster knows its own listeners alone.
        if not heard and not self._is_cluster:
            raise Away("no gateway listens")

    def _is_cancelled(self, source: Source) -> Optional[bool]:
        try:
            request = self._client(_cancel_key(source)).get(_cancel_key(source))
        except self._moved:
            raise  # another server of the Cluster has it by now
        except self._refusals:
            return None  # this user may not read it
        return request is not None and not _is_of_another_run(request, source)


def _away(fault: Exception) -> Away:
    """The text of a refusal names commands and keys, no values."""
    from redis import ResponseError

    said = f": {fault}" if isinstance(fault, ResponseError) else ""
    return Away(f"Redis: {type(fault).__name__}{said}")


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
