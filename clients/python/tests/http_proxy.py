"""A proxy on a port of this machine that reads requests, and one that ends TLS."""

import asyncio
import contextlib
import ssl
import threading
from urllib.parse import urlsplit


class InThread:
    """Serves on a loop in a thread of its own, until the `with` block is left."""

    tls = None

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_):
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _start(self):
        self._server = await asyncio.start_server(self._guarded, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, reader, writer):
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._serve(reader, writer)
        writer.close()

    async def _pass_on(self, near, host, port, first=b""):
        reader, writer = near
        far_reader, far_writer = await asyncio.open_connection(host, port)
        try:
            far_writer.write(first)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            far_writer.close()


class HttpProxy(InThread):
    """Keeps the heads that it was sent. If it has a `password`, it answers nobody without it."""

    def __init__(self, password=""):
        self.heads = []
        self._password = password

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        method, target, _ = head.split(" ", 2)
        if self._password not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            host, _, port = target.rpartition(":")
            await self._pass_on((reader, writer), host.strip("[]"), int(port))
        else:
            where = urlsplit(target)
            first = head.replace(f"{where.scheme}://{where.netloc}", "", 1).encode("latin-1")
            await self._pass_on((reader, writer), where.hostname, where.port, first)


class KeepingProxy(InThread):
    """Passes on nothing but whole answers."""

    def __init__(self, url):
        self._to = urlsplit(url)
        self._open = set()
        self.requests = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def cut(self):
        """Ends all connections."""
        self._do(self._cut())

    async def _cut(self):
        for task in self._open:
            task.cancel()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._open.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
            try:
                far_writer.write(await reader.readuntil(b"\r\n\r\n"))
                self.requests += 1
                writer.write(await far_reader.read())
            finally:
                far_writer.close()
        finally:
            self._open.discard(task)


class TlsEnd(InThread):
    """Passes the bytes within TLS on to `url`."""

    def __init__(self, url, certificate, key):
        self._to = urlsplit(url)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)

    async def _serve(self, reader, writer):
        await self._pass_on((reader, writer), self._to.hostname, self._to.port)


async def pump(reader, writer):
    while True:
        data = await reader.read(65_536)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()
