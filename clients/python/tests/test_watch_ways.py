"""The way of a watch to its gateway: proxies, TLS, names and their addresses."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from telltale_client import Analysis, watch_address
from telltale_client.proxies import proxy_to
from telltale_client.watch_core import TRANSPORTS

from .cutting_proxy import CuttingProxy
from .http_proxy import HttpProxy, TlsEnd
from .real_servers import PATIENCE_SECONDS, needed, program
from .watched import WithGateway, eventually

SECRET = "bWU6cy9lY3JldA=="  # me:s/ecret, as a proxy is told
FOLDER = Path(__file__).parents[1]


def environment(**names):
    """No other variable than these names a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return mock.patch.dict(os.environ, {**kept, **names}, clear=True)


@needed("bun", program("bun"))
class AProxy(WithGateway):
    async def is_live(self, transport, **options):
        watching = self.awatch(transports=(transport,), **options)
        await eventually(lambda: watching.snapshot.analysis, lambda: watching.snapshot)
        self.assertEqual(watching.snapshot.connection.transport, transport.name)
        watching.close()

    def test_of_the_environment_is_told_who_asks_by_every_transport(self):
        for transport in TRANSPORTS:
            for address in ("http://me:s%2Fecret@127.0.0.1:{}", "me:s%2Fecret@127.0.0.1:{}"):
                with self.subTest(transport=transport.name, address=address), HttpProxy(SECRET) as proxy:
                    with environment(http_proxy=address.format(proxy.port)):
                        self.play(self.is_live(transport))
                    self.assertTrue(proxy.heads)

    def test_is_told_who_cancels_and_who_tells(self):
        with HttpProxy(SECRET) as proxy, environment(http_proxy=f"http://me:s%2Fecret@127.0.0.1:{proxy.port}"):
            with Analysis(self.id, url=self.gateway.url, token=self.gateway.token()) as a:
                a.report(progress=0.5)
                self.watch(token=self.gateway.token).cancel()
        self.assertEqual(sum(head.startswith("POST http://") and "/cancel " in head for head in proxy.heads), 1)
        self.assertEqual(self.gateway.state(self.id)["stages"][0]["stage"], "initializing")

    def test_that_refuses_is_named_as_the_reason(self):
        async def refused(transport):
            watching = self.awatch(transports=(transport,))
            await eventually(lambda: watching.snapshot.connection.status == "waiting", "it waits")
            self.assertIn("407", watching.snapshot.connection.reason)
            self.assertNotIn("ecret", watching.snapshot.connection.reason)
            watching.close()

        for transport in TRANSPORTS:
            with self.subTest(transport=transport.name), HttpProxy(SECRET) as proxy:
                with environment(http_proxy=f"http://me:wrong-secret@127.0.0.1:{proxy.port}"):
                    self.play(refused(transport))

    @needed("openssl", program("openssl"))
    def test_leads_to_a_gateway_with_an_authority_of_ones_own(self):
        with tempfile.TemporaryDirectory(prefix="telltale-tls-") as folder:
            key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
            command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            self.addCleanup(watch_address._tls.cache_clear)
            watch_address._tls.cache_clear()
            with TlsEnd(self.gateway.url, certificate, key) as end, HttpProxy() as proxy:
                for transport in TRANSPORTS:
                    for names in ({}, {"https_proxy": f"http://127.0.0.1:{proxy.port}"}):
                        with self.subTest(transport=transport.name, **names):
                            with environment(SSL_CERT_FILE=certificate, **names):
                                self.play(self.is_live(transport, url=f"https://localhost:{end.port}"))
                self.assertEqual({head.split(" HTTP")[0] for head in proxy.heads}, {f"CONNECT localhost:{end.port}"})

    def test_is_left_out_for_hosts_and_ports_that_need_none(self):
        with environment(http_proxy="http://proxy:3128", no_proxy="inner.example,gateway:8000"):
            hosts = [("inner.example", 80), ("a.inner.example", 80), ("gateway", 8000), ("gateway", 8001)]
            self.assertEqual([proxy_to(False, *host) is None for host in hosts], [True, True, True, False])

    def test_of_another_kind_is_refused_without_a_word_of_its_password(self):
        for address in ("socks5://me:secret@proxy:1080", "https://me:secret@proxy", "http://me:secret@proxy:port"):
            with environment(https_proxy=address), self.assertRaises(OSError) as fault:
                proxy_to(True, "gateway", 443)
            self.assertIn("HTTPS_PROXY", str(fault.exception))
            self.assertNotIn("secret", str(fault.exception))

    def test_is_asked_for_an_address_of_IPv6_in_brackets(self):
        with HttpProxy("nobody knows it") as proxy, environment(https_proxy=f"http://127.0.0.1:{proxy.port}"):
            with self.assertRaises(watch_address.Ended):
                asyncio.run(watch_address.connect(watch_address.address_of("https://[::1]:8443")))
        self.assertTrue(proxy.heads[0].startswith("CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n"))


@needed("bun", program("bun"))
class AName(WithGateway):
    def test_is_tried_by_its_next_address_if_the_first_one_does_not_answer(self):
        with CuttingProxy(self.gateway.url) as proxy, socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
            ports = [silent.getsockname()[1], int(proxy.url.rsplit(":", 1)[1])]
            infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
            found = socket.getaddrinfo

            def answer(host, *more, **named):
                return infos if host == "gateway.example" else found(host, *more, **named)

            with full(silent), mock.patch("socket.getaddrinfo", answer):
                with mock.patch.object(watch_address, "PLACE_SECONDS", 0.2):
                    self.play(self.is_live("http://gateway.example"))

    async def is_live(self, url):
        async with self.awatch(url=url) as watching:
            await eventually(lambda: watching.snapshot.analysis, lambda: watching.snapshot)

    def test_whose_address_nobody_says_does_not_hold_up_the_end_of_the_process(self):
        program = (
            "import socket, time\n"
            "asked = []\n"
            "def never(*_, **__):\n"
            "    asked.append(1)\n"
            "    time.sleep(3600)\n"
            "socket.getaddrinfo = never\n"
            "from telltale_client import watch\n"
            "watching = watch('0f8fad5b-d9cb-469f-a165-70867728950e', url='http://gateway.example', token='t')\n"
            "while not asked:\n"
            "    time.sleep(0.01)\n"
        )
        ended = subprocess.run([sys.executable, "-c", program], cwd=FOLDER, timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(ended.returncode, 0)


class full:
    """Connections to a server that accepts none, until it takes no more."""

    def __init__(self, server):
        self._server, self._lines = server, []

    def __enter__(self):
        for _ in range(8):
            line = socket.socket()
            line.setblocking(False)
            line.connect_ex(self._server.getsockname())
            self._lines.append(line)

    def __exit__(self, *_):
        for line in self._lines:
            line.close()


if __name__ == "__main__":
    unittest.main()
