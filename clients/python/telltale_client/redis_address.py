"""The forms that the address of a Redis has: one server, the primary that sentinels name, or a Cluster."""

import os
from typing import Any, Dict, List, Tuple
from urllib.parse import urlsplit, urlunsplit

ANSWER_SECONDS = 5.0
SCHEMES = tuple(f"{plain}{kind}" for plain in ("redis", "rediss") for kind in ("", "+sentinel", "+cluster"))


def client_of(url: str) -> Any:
    """A client of redis-py. Raises ValueError for an address that is none; that of a Cluster connects, and raises if it is away."""
    import redis

    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    hosts = hosts_of(url) if kind else []
    names = parts.path.strip("/").split("/")
    if kind == "sentinel" and not names[0]:
        raise ValueError("TELLTALE_URL names no primary: redis+sentinel://host:26379,host:26379/name")
    path = "" if kind == "cluster" else "/".join(names[1:]) if kind else parts.path
    one = parts._replace(scheme=scheme, path=path, netloc=_first(parts.netloc) if kind else parts.netloc)
    # `parse_url` knows user, password, database and options, as `ssl_cert_reqs`.
    options: Dict[str, Any] = {**redis.connection.parse_url(urlunsplit(one)), "decode_responses": True}
    options["socket_timeout"] = ANSWER_SECONDS
    # A command that the client repeats is an event that comes twice, and the others wait for as long.
    options["retry"] = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    if scheme != "unix":
        options["socket_connect_timeout"] = ANSWER_SECONDS
    if "ssl_cert_reqs" in options:  # Celery's addresses say CERT_NONE
        options["ssl_cert_reqs"] = str(options["ssl_cert_reqs"]).lower().replace("cert_", "")
    secure = scheme == "rediss"
    if secure and os.environ.get("REDIS_CA_FILE"):
        options.setdefault("ssl_ca_certs", os.environ["REDIS_CA_FILE"])
    if not kind:
        return redis.Redis(connection_pool=redis.ConnectionPool(**options))
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    options.update({"ssl": True} if secure else {})
    if kind == "cluster":
        options.pop("db", None)
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in hosts]
        return redis.cluster.RedisCluster(startup_nodes=nodes, **options)
    of_sentinels = {name: value for name, value in options.items() if name.startswith(("ssl", "socket", "retry"))}
    of_sentinels["password"] = os.environ.get("REDIS_SENTINEL_PASSWORD")
    sentinel = redis.sentinel.Sentinel(hosts, sentinel_kwargs=of_sentinels)
    return sentinel.master_for(names[0], **options)


def hosts_of(url: str) -> List[Tuple[str, int]]:
    """The sentinels, or servers of a Cluster, that the address names. Raises ValueError if it names none."""
    usual_port = 26379 if "+sentinel:" in url else 6379
    parts = [urlsplit(f"redis://{one}") for one in urlsplit(url).netloc.rpartition("@")[2].split(",") if one]
    if not parts or not all(part.hostname for part in parts):
        raise ValueError("TELLTALE_URL names no host")
    return [(str(part.hostname), part.port or usual_port) for part in parts]


def _first(netloc: str) -> str:
    user, at, hosts = netloc.rpartition("@")
    return f"{user}{at}{hosts.split(',')[0]}"
