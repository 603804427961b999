"""A proxy that cuts all of its connections when a test says so."""

import socket
import threading
from urllib.parse import urlsplit


class CuttingProxy:
    """Passes bytes on to `url`."""

    def __init__(self, url):
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.connections = 0
        self._open = set()
        self._lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.close()
        self.cut()

    def cut(self):
        with self._lock:
            lines, self._open = self._open, set()
        for line in lines:
            end(line)

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection(self._target)
            except OSError:
                end(near)
                continue
            with self._lock:
                self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, target):
        try:
            while True:
                data = source.recv(65_536)
                if not data:
                    break
                target.sendall(data)
        except OSError:
            pass
        end(source)
        end(target)


def end(line):
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    line.close()
