"""A gateway of the tests: it keeps what it is sent, and answers as a test says."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE_SECONDS = 60


class FakeGateway:
    """`answer(path, events, key)` answers (status, body); None for the answer of a gateway that stored everything."""

    def __init__(self, answer=None):
        self.answer = answer
        self.requests = []  # (path, events, key), as they came
        self.stored = []  # events of the requests that were answered 202, each key once
        self.cancel_requested = False
        self._keys = set()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, condition):
        """Until the condition holds; it is asked after each request."""
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE_SECONDS):
                raise AssertionError(f"it never came to be; stored: {self.stored}")

    def of(self, analysis_id):
        return [event for event in self.stored if event["analysis_id"] == analysis_id]

    def beats(self):
        return [path for path, _, _ in self.requests if path.endswith("/heartbeat")]

    def _take(self, path, body, key):
        events = body if isinstance(body, list) else [body]
        with self._changed:
            self.requests.append((path, events, key))
            answered = self.answer(path, events, key) if self.answer else None
            if answered is None and path.endswith("/events"):
                if key not in self._keys:
                    self.stored += events
                self._keys.add(key)
                answered = 202, {"event_ids": ["1-1"] * len(events), "cancel_requested": self.cancel_requested}
            elif answered is None:
                answered = 200, {"cancel_requested": self.cancel_requested}
            self._changed.notify_all()
        return answered

    def _handler(self):
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = gateway._take(self.path, json.loads(text), self.headers["Idempotency-Key"])
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        return Handler
