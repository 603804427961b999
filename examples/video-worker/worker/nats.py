"""A publisher for NATS, with nothing but a socket.

NATS speaks text: the worker says who it is, and sends each event with a subject to answer on. The answer comes from the
stream that keeps the event for Telltale, whether or not a gateway runs. nats-py does the same and more.
"""

import itertools
import json
import socket
import uuid
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 5


class NatsError(Exception):
    """The event could not be handed over."""


class Nats:
    """Has the publish() of a Redis connection: it answers how many took the event."""

    def __init__(self, url):
        self._url = urlsplit(url.split(",")[0])
        self._inbox = f"_INBOX.{uuid.uuid4().hex}"
        self._numbers = itertools.count()
        self._socket = None
        self._lines = None

    def publish(self, channel, event):
        """Sends the event until the stream has it, five times at most. The id makes it one event however often it comes."""
        subject, data = channel.replace(":", ".", 1), event.encode()
        head = f"NATS/1.0\r\nNats-Msg-Id: {uuid.uuid4()}\r\n\r\n".encode()
        fault = None
        for _ in range(5):
            try:
                return self._publish_once(subject, head, data)
            except (OSError, ValueError) as error:
                fault = error
                self._close()
        raise NatsError(str(fault))

    def _publish_once(self, subject, head, data):
        if self._socket is None:
            self._connect()
        reply = f"{self._inbox}.{next(self._numbers)}"
        sizes = f"{len(head)} {len(head) + len(data)}"
        self._socket.sendall(f"HPUB {subject} {reply} {sizes}\r\n".encode() + head + data + b"\r\n")
        answer = self._answer(reply)
        if answer is None:
            # No stream listens to the subject: no gateway has ever run.
            return 0
        if "error" in answer:
            raise ValueError(answer["error"].get("description"))
        return 1

    def _connect(self):
        self._socket = socket.create_connection(
            (self._url.hostname, self._url.port or 4222), timeout=TIMEOUT_SECONDS
        )
        self._lines = self._socket.makefile("rb")
        options = {"verbose": False, "lang": "python", "version": "1", "headers": True, "no_responders": True}
        user, password = self._url.username, self._url.password
        if password is not None:
            options.update(user=unquote(user), **{"pass": unquote(password)})
        elif user is not None:
            options["auth_token"] = unquote(user)
        self._socket.sendall(f"CONNECT {json.dumps(options)}\r\nSUB {self._inbox}.* 1\r\n".encode())

    def _answer(self, reply):
        """The answer on the subject; None if nobody listens to the subject that was published on."""
        while True:
            line = self._lines.readline()
            if not line:
                raise OSError("the connection was closed")
            word, *words = line.decode().split()
            if word == "PING":
                self._socket.sendall(b"PONG\r\n")
            elif word == "-ERR":
                raise OSError(line.decode().strip())
            elif word in ("MSG", "HMSG"):
                payload = self._lines.read(int(words[-1]) + 2)
                # An answer that comes late is that of an earlier attempt.
                if words[0] == reply:
                    return None if word == "HMSG" else json.loads(payload)

    def _close(self):
        if self._socket is not None:
            self._socket.close()
        self._socket = None
