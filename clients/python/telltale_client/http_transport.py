"""Events over HTTP, with a key for each request: stored once, however often it is sent."""

import encodings.idna  # noqa: F401 - a fork while the thread imports it would leave the child's import waiting for ever
import http.client
import json
import ssl
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from .encoding import text_of
from .proxies import proxy_to
from .transport import Away, Denied, Issue, Refused, Source, Token

REQUEST_SECONDS = 8.0  # the gateway answers a publish within 5
LONGEST_PAUSE = 30.0
# The gateway judges what an event is; with any other answer the same events may be taken later.
OF_AN_EVENT = (400, 409, 413, 422)
OF_THE_TOKEN = (401, 403)
# How long a gateway that knows no heartbeat is not asked for one.
WITHOUT_BEATS_SECONDS = 60.0


class HttpTransport:
    """One connection to a gateway, kept open."""

    poll_seconds = 10.0
    answers = True
    largest_batch = 100

    def __init__(self, url: str, token: Token) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("TELLTALE_URL names no host")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")
        self._token = token
        self._connection: Optional[http.client.HTTPConnection] = None
        self.poll_is_beat = True
        self._ask_for_beats_at = 0.0

    def send(self, source: Source, events: Sequence[str], key: str) -> Optional[bool]:
        body = events[0] if len(events) == 1 else f"[{','.join(events)}]"
        path = f"/v1/analyses/{source.analysis_id}/events"
        status, answer, retry_after = self._post(path, body, {"Idempotency-Key": key})
        if status == 202:
            return _cancel_requested(answer)
        raise self._fault(status, answer, retry_after, len(events) > 1)

    def poll(self, source: Source) -> Optional[bool]:
        if not self.poll_is_beat and time.monotonic() < self._ask_for_beats_at:
            return None
        status, answer, retry_after = self._post(f"/v1/analyses/{source.analysis_id}/heartbeat", source.beat, {})
        if status == 200:
            self.poll_is_beat = True
            return _cancel_requested(answer)
        fault = self._fault(status, answer, retry_after, False)
        if status in (405, 501) or status == 404 and _code(status, answer) == "not_found":
            # A gateway of a former version. A 404 of anybody else says that no gateway is there.
            self.poll_is_beat, self._ask_for_beats_at = False, time.monotonic() + WITHOUT_BEATS_SECONDS
            return None
        if isinstance(fault, Away):
            raise fault
        return None

    def forget_cancel(self, source: Source) -> None:
        pass  # the gateway knows which events end a request

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _post(self, path: str, body: str, headers: Dict[str, str]) -> Tuple[int, Any, float]:
        token = self._token_now()
        for kept in (self._connection is not None, False):
            try:
                return self._exchange(path, body.encode("utf-8"), {**headers, **_authorization(token)})
            except (OSError, http.client.HTTPException) as fault:
                self.close()
                # A connection that was kept open may have been closed by the gateway meanwhile.
                if not kept or isinstance(fault, TimeoutError):
                    raise Away(f"no answer from {self._host}: {type(fault).__name__}") from fault
        raise AssertionError("unreachable")

    def _token_now(self) -> str:
        try:
            token: object = self._token() if callable(self._token) else self._token
        except BaseException as fault:  # SystemExit too: it would end this thread alone
            raise Denied(f"the token cannot be read: {type(fault).__name__}: {text_of(fault)}", may_heal=True) from fault
        if isinstance(token, str) or token is None:
            return token or ""
        raise Denied(f"the token is no text: {type(token).__name__}", may_heal=callable(self._token))

    def _fault(self, status: int, answer: Any, retry_after: float, many: bool) -> Exception:
        code, message = _code(status, answer), _message(status, answer)
        if status in OF_THE_TOKEN:
            return Denied(f"{code}: {message}", may_heal=callable(self._token))
        if status not in OF_AN_EVENT:
            return Away(f"{status} {code}", retry_after)
        issues, event = _issues(answer.get("issues") if isinstance(answer, dict) else None, many)
        return Refused(code, message, issues, event)

    def _exchange(self, path: str, body: bytes, headers: Dict[str, str]) -> Tuple[int, Any, float]:
        if self._connection is None:
            self._connection, self._prefix = self._connect()
        headers = {**headers, **self._headers, "Content-Type": "application/json"}
        self._connection.request("POST", f"{self._prefix}{self._base}{path}", body, headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.will_close:
            self.close()
        retry_after = response.getheader("Retry-After") or ""
        return response.status, _parsed(text), min(float(retry_after), LONGEST_PAUSE) if retry_after.isdigit() else 0.0

    def _connect(self) -> Tuple[http.client.HTTPConnection, str]:
        """A connection, and what comes before each path: the gateway's address if a proxy is to read it."""
        proxy = proxy_to(self._secure, self._host, self._port)
        host, port = (proxy.host, proxy.port) if proxy else (self._host, self._port)
        self._headers = proxy.headers if proxy and not self._secure else {}
        if self._secure:
            secure = http.client.HTTPSConnection(
                host, port, timeout=REQUEST_SECONDS, context=ssl.create_default_context()
            )
            if proxy:
                secure.set_tunnel(self._host, self._port, proxy.headers)
            return secure, ""
        plain = http.client.HTTPConnection(host, port, timeout=REQUEST_SECONDS)
        named = f"[{self._host}]" if ":" in self._host else self._host
        return plain, f"http://{named}:{self._port}" if proxy else ""


def _authorization(token: str) -> Dict[str, str]:
    # A token with a line break would end up in an exception's text.
    return {"Authorization": f"Bearer {token}"} if token.isascii() and token.isprintable() and token else {}


def _code(status: int, answer: Any) -> str:
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) else f"http_{status}"


def _message(status: int, answer: Any) -> str:
    said = [answer.get(name) for name in ("title", "detail")] if isinstance(answer, dict) else []
    return ": ".join(str(words) for words in said if words) or f"the gateway answered {status}"


def _issues(found: Any, many: bool) -> Tuple[List[Issue], Optional[int]]:
    """The fields at fault in the first event that has any, and in a batch the index of that event."""
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    issues = [Issue(tuple(entry.get("path") or ()), str(entry.get("message"))) for entry in entries]
    if not many:
        return issues, None
    event = next((issue.path[0] for issue in issues if issue.path and isinstance(issue.path[0], int)), None)
    return [Issue(issue.path[1:], issue.message) for issue in issues if issue.path[:1] == (event,)], event


def _cancel_requested(answer: Any) -> Optional[bool]:
    asked = answer.get("cancel_requested") if isinstance(answer, dict) else None
    return asked if isinstance(asked, bool) else None


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # a proxy answers with a page of its own; the status says enough
