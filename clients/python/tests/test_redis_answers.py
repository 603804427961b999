import socket
import threading
import unittest

from telltale_client.transport import Away, Source

from .real_servers import installed, needed


class ARedisThatLosesAnswers:
    """Takes each entry of the inbox and closes the connection in place of an answer. It is a Cluster of one server, too."""

    def __init__(self):
        self.entries = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listening.close()

    def _accept(self):
        try:
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            pass  # the test is over

    def _serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            while True:
                count = lines.readline()
                if not count:
                    return
                words = [lines.read(int(lines.readline()[1:]) + 2)[:-2] for _ in range(int(count[1:]))]
                if words[0].upper() == b"XADD":
                    self.entries.append(dict(zip(words[3::2], words[4::2])))
                    return
                words = [word.upper() for word in words]
                connection.sendall(self._answer(words))

    def _answer(self, words):
        if words[0] == b"COMMAND":
            return b"*1\r\n*6\r\n$4\r\nxadd\r\n:-5\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n"
        if words[:2] == [b"CLUSTER", b"SLOTS"]:
            return b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:%d\r\n$2\r\nab\r\n" % self.port
        return b"$20\r\ncluster_enabled:1\r\n\r\n\r\n" if words[0] == b"INFO" else b"+OK\r\n"


@needed("redis-py", installed("redis"))
class AnEventWhoseAnswerIsLost(unittest.TestCase):
    def test_is_sent_once_for_each_try_with_a_key_of_its_own(self):
        from telltale_client.redis_transport import RedisTransport

        for scheme in ("redis", "redis+cluster"):
            with self.subTest(scheme=scheme):
                server = ARedisThatLosesAnswers()
                self.addCleanup(server.stop)
                transport = RedisTransport(f"{scheme}://127.0.0.1:{server.port}", durable=True)
                self.addCleanup(transport.close)
                for key in ("one", "one", "two"):
                    with self.assertRaises(Away):
                        transport.send(Source("id"), ["{}"], key)
                keys = [entry.get(b"idempotency_key") for entry in server.entries]
                self.assertEqual(keys, [b"one:0", b"one:0", b"two:0"])
                self.assertEqual([entry[b"event"] for entry in server.entries], [b"{}"] * 3)


if __name__ == "__main__":
    unittest.main()
