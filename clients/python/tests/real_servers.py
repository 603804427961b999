"""A Redis and a gateway of a test's own, on free ports of this machine."""

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 90


# No package of Debian has them.
BEYOND_PACKAGES = {"dramatiq"}


def needed(what, found):
    """For `unittest.skipUnless`. Says aloud what a skipped test lacks; under CI=true nothing else may be absent."""
    if not found:
        if os.environ.get("CI") == "true" and what not in BEYOND_PACKAGES:
            raise RuntimeError(f"{what} is missing, and CI=true lets nothing be skipped")
        print(f"skipped for want of {what}", flush=True)
    return unittest.skipUnless(found, f"{what} is missing")


def installed(module):
    return importlib.util.find_spec(module) is not None


def program(name):
    places = [str(ROOT / "node_modules/.bin"), os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(places))


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_until(condition, what):
    """Asks until the answer is true, and answers it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(what() if callable(what) else what)


class Server:
    """A program that listens on `port`, and keeps what it needs in a folder of its own."""

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _says(self, answer, to=b""):
        """Whether it begins so when it is connected to, or asked."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(to)
                return connection.recv(16).startswith(answer)
        except OSError:
            return False


class RedisServer(Server):
    def __init__(self, *options):
        self._options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="telltale-redis-")
        self.start()

    def start(self):
        command = [program("redis-server"), "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        command += ["--dir", self._folder.name, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, "Redis did not start")

    def _answers(self):
        return self._says(b"+PONG", to=b"PING\r\n")


class Sentinel(RedisServer):
    """Watches one server, by the name `primary`."""

    def __init__(self, watched):
        self._watched = watched
        super().__init__()

    def start(self):
        settings = Path(self._folder.name) / "sentinel.conf"
        settings.write_text(f"bind 127.0.0.1\nport {self.port}\nsentinel monitor primary 127.0.0.1 {self._watched.port} 1\n")
        command = [program("redis-server"), str(settings), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, "the sentinel did not start")


class NatsServer(Server):
    """With JetStream. A message may have `most_bytes`; `more` is added to its configuration."""

    def __init__(self, most_bytes=1_048_576, more=""):
        self.port = free_port()
        self.url = self.url_of()
        self._folder = tempfile.TemporaryDirectory(prefix="telltale-nats-")
        settings = Path(self._folder.name) / "nats.conf"
        store = f'jetstream {{ store_dir: "{self._folder.name}" }}'
        settings.write_text(f"host: 127.0.0.1\nport: {self.port}\nmax_payload: {most_bytes}\n{store}\n{more}\n")
        command = [program("nats-server"), "-c", str(settings)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "NATS did not start")

    def url_of(self, user=""):
        """`user` is `name:password@`."""
        return f"nats://{user}127.0.0.1:{self.port}"

    def _answers(self):
        return self._says(b"INFO")


class Gateway:
    """`bun run src/main.ts`, configured by the environment alone."""

    def __init__(self, **env):
        self._secret = secrets.token_hex(32)
        self._env = {"PATH": os.environ["PATH"], "LOG_LEVEL": "warn", "JWT_SECRET_KEY": self._secret, **env}
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            [program("bun"), "run", "src/main.ts"],
            cwd=ROOT,
            env={**self._env, "PORT": str(self._port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: self._get("/ready", quiet=True) is not None, "the gateway did not start")

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def kill(self):
        self._process.kill()
        self._process.wait()

    def token(self, scope="analysis:publish analysis:cancel", **more):
        claims = {"sub": "worker", "scope": scope, "exp": int(time.time()) + 3600, **more}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{signed}.{_base64(hmac.new(self._secret.encode(), signed.encode(), hashlib.sha256).digest())}"

    def state(self, analysis_id):
        return self._get(f"/v1/analyses/{analysis_id}")

    def events(self, analysis_id):
        return self._get(f"/v1/analyses/{analysis_id}/events?limit=1000")["events"]

    def wait_for(self, analysis_id, status):
        """Until the analysis has the status; answers its state."""
        seen = [None]

        def has_it():
            seen[0] = self.state(analysis_id)
            return seen[0]["status"] == status and seen[0]

        return wait_until(has_it, lambda: f"{analysis_id} never was {status}: {seen[0]}")

    def cancel(self, analysis_id):
        """The status of the answer."""
        request = self._request(f"/v1/analyses/{analysis_id}/cancel", b"{}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    def _request(self, path, data=None):
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        return urllib.request.Request(self.url + path, data, headers)

    def _get(self, path, quiet=False):
        try:
            with urllib.request.urlopen(self._request(path), timeout=30) as answer:
                text = answer.read()
                return json.loads(text) if re.match(rb"\s*[\[{]", text) else {}
        except OSError:
            if quiet:
                return None
            raise


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
