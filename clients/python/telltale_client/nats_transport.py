"""Events through NATS, with nothing but a socket.

NATS speaks text: the worker says who it is, and sends each event with a subject to answer on. The answer comes from the
stream that keeps the event for Telltale, whether or not a gateway runs.
"""

import itertools
import json
import logging
import socket
import time
import uuid
from typing import Any, BinaryIO, Dict, Optional, Sequence
from urllib.parse import unquote, urlsplit

from .transport import Away, Refused, Source

log = logging.getLogger("telltale_client")

ANSWER_SECONDS = 5.0
# A gateway that takes longer has too much to do, and events wait meanwhile.
HEARTBEAT_SECONDS = 2.0
# After a heartbeat that nobody answered in time, and after one that this user may not send.
PAUSE_SECONDS = 10.0
FORBIDDEN_SECONDS = 60.0
# More than the header with the message's id has.
HEAD_BYTES = 128


class NatsTransport:
    """One connection to NATS. A message's id makes it one event, however often it is sent within two minutes."""

    poll_seconds = 10.0
    poll_is_beat = False
    answers = False
    largest_batch = 100

    def __init__(self, url: str) -> None:
        first, *others = url.split(",")
        self._user = urlsplit(first)
        # A connection that is lost is made to the next one.
        self._servers = itertools.cycle([self._user, *(urlsplit(f"nats://{one.split('//')[-1]}") for one in others)])
        self._inbox = f"_INBOX.{uuid.uuid4().hex}"
        self._numbers = itertools.count()
        self._socket: Optional[socket.socket] = None
        self._lines: Optional[BinaryIO] = None
        self._most_bytes = float("inf")  # in a message, as the server said
        self._heartbeats_at = 0.0
        self._is_forbidden = False

    def send(self, source: Source, events: Sequence[str], key: str) -> Optional[bool]:
        try:
            connected = self._socket or self._connect()
            for number, event in enumerate(events):
                if len(event.encode()) + HEAD_BYTES > self._most_bytes:
                    # The server would cut the connection, at every try.
                    raise Refused("event_too_large", f"NATS takes {self._most_bytes} bytes at most", event=number)
            for number, event in enumerate(events):
                self._publish(connected, f"analysis.{source.analysis_id}", event.encode(), f"{key}-{number}")
        except (OSError, ValueError) as fault:
            self.close()
            raise Away(f"NATS: {fault}") from fault
        return None

    def poll(self, source: Source) -> Optional[bool]:
        """A gateway answers. While none does, nothing is known, and the last status is the sign of life."""
        self.poll_is_beat = False
        if time.monotonic() < self._heartbeats_at:
            return None
        try:
            connected = self._socket or self._connect()
            answer = self._heartbeat(connected, f"telltale.heartbeat.{source.analysis_id}", source.beat.encode())
        except (OSError, ValueError) as fault:
            self.close()
            raise Away(f"NATS: {fault}") from fault
        told = answer.get("cancel_requested") if isinstance(answer, dict) else None
        self.poll_is_beat = isinstance(told, bool)
        return told if isinstance(told, bool) else None

    def forget_cancel(self, source: Source) -> None:
        pass  # the gateway knows which events end a request

    def close(self) -> None:
        kept, self._socket, self._lines = self._socket, None, None
        if kept is not None:
            kept.close()

    def _publish(self, connected: socket.socket, subject: str, data: bytes, message_id: str) -> None:
        head = f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n".encode()
        reply = f"{self._inbox}.{next(self._numbers)}"
        sizes = f"{len(head)} {len(head) + len(data)}"
        connected.sendall(f"HPUB {subject} {reply} {sizes}\r\n".encode() + head + data + b"\r\n")
        answer = self._answer(reply)
        if answer is None:
            raise OSError("no stream listens: no gateway has ever run")
        if "error" in answer:
            raise ValueError(answer["error"].get("description"))

    def _heartbeat(self, connected: socket.socket, subject: str, data: bytes) -> Any:
        """The answer of a gateway, or None."""
        reply = f"{self._inbox}.{next(self._numbers)}"
        connected.settimeout(HEARTBEAT_SECONDS)
        try:
            connected.sendall(f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n")
            answer = self._answer(reply)
        except socket.timeout:
            self._heartbeats_at = time.monotonic() + PAUSE_SECONDS
            self.close()  # nothing can be read after a timeout
            return None
        except PermissionError as fault:
            self._heartbeats_at = time.monotonic() + FORBIDDEN_SECONDS
            if not self._is_forbidden:
                log.warning("requests to cancel are not heard: %s", fault)
            self._is_forbidden = True
            answer = None
        connected.settimeout(ANSWER_SECONDS)
        return answer

    def _connect(self) -> socket.socket:
        server = next(self._servers)
        connected = socket.create_connection((server.hostname or "127.0.0.1", server.port or 4222), ANSWER_SECONDS)
        options: Dict[str, Any] = {"verbose": False, "lang": "python", "version": "1", "headers": True}
        options["no_responders"] = True
        user, password = self._user.username, self._user.password
        if password is not None:
            options.update(user=unquote(user or ""), **{"pass": unquote(password)})
        elif user is not None:
            options["auth_token"] = unquote(user)
        connected.sendall(f"CONNECT {json.dumps(options)}\r\nSUB {self._inbox}.* 1\r\n".encode())
        self._socket, self._lines = connected, connected.makefile("rb")
        word, _, said = self._lines.readline().partition(b" ")
        if word != b"INFO":
            raise OSError("the server does not speak NATS")
        self._most_bytes = json.loads(said).get("max_payload", float("inf"))
        return connected

    def _answer(self, reply: str) -> Any:
        """The answer, of JSON; None if nobody listens."""
        while True:
            line = self._lines.readline() if self._lines and self._socket else b""
            if not line:
                raise OSError("the connection was closed")
            word, *words = line.decode().split()
            if word == "PING" and self._socket:
                self._socket.sendall(b"PONG\r\n")
            elif word == "-ERR" and b"permissions violation" in line.lower():
                raise PermissionError(line.decode().strip())
            elif word == "-ERR":
                raise OSError(line.decode().strip())
            elif word in ("MSG", "HMSG") and self._lines:
                payload = self._lines.read(int(words[-1]) + 2)
                if words[0] != reply:
                    continue  # an answer that comes late is that of an earlier message
                return None if word == "HMSG" else json.loads(payload)
