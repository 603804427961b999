"""The HTTP proxies that the environment names."""

import base64
from typing import Dict, NamedTuple, Optional
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass


class Proxy(NamedTuple):
    """`headers` go with each request that the proxy reads, CONNECT included: they say who asks it."""

    host: str
    port: int
    headers: Dict[str, str]


def proxy_to(secure: bool, host: str, port: int) -> Optional[Proxy]:
    """The proxy for this host; None if there is none. Raises OSError for one that is no HTTP proxy."""
    if proxy_bypass(host) or proxy_bypass(f"{host}:{port}"):
        return None
    kind = "https" if secure else "http"
    address = getproxies().get(kind)
    if not address:
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError
        return Proxy(parts.hostname, parts.port or 80, _headers(parts.username, parts.password))
    except ValueError:
        # The address may hold a password.
        raise OSError(f"{kind.upper()}_PROXY is no address of a proxy that begins with http://") from None


def _headers(user: Optional[str], password: Optional[str]) -> Dict[str, str]:
    if user is None:
        return {}
    name = f"{unquote(user)}:{unquote(password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(name.encode()).decode('ascii')}"}
