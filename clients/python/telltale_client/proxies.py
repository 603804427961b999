"""The HTTP proxies that the environment names."""

from typing import Optional, Tuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_to(secure: bool, host: str) -> Optional[Tuple[str, int]]:
    """Host and port of the proxy for this host; None if there is none."""
    parts = urlsplit("" if proxy_bypass(host) else getproxies().get("https" if secure else "http", ""))
    return (parts.hostname, parts.port or 80) if parts.hostname else None
