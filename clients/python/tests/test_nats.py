import logging
import socket
import threading
import unittest
import uuid
from unittest import mock

from telltale_client import Analysis, Cancelled, nats_transport
from telltale_client.nats_transport import NatsTransport
from telltale_client.transport import Source

from .real_servers import Gateway, NatsServer, needed, program, wait_until
from .test_analysis import summary

# Those of OPERATING.md for a worker, and those that it named before there were heartbeats.
USERS = """authorization { users = [
  { user: "gateway", password: "g" }
  { user: "worker", password: "w", permissions: {
    publish: ["analysis.>", "telltale.inbox", "telltale.heartbeat.*"], subscribe: ["_INBOX.>"] } }
  { user: "former", password: "f", permissions: { publish: ["analysis.>", "telltale.inbox"], subscribe: ["_INBOX.>"] } }
] }"""
STATUS = '{"event_type": "status_update", "task_id": "1", "progress": 0.5, "current_stage": "uploading", "message": "half"}'


@needed("nats-server", program("nats-server"))
@needed("bun", program("bun"))
class AWorkerOnNatsWithRightsOfItsOwn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nats = NatsServer(more=USERS)
        cls.addClassCleanup(cls.nats.stop)
        cls.gateway = Gateway(NATS_URL=cls.nats.url_of("gateway:g@"))
        cls.addClassCleanup(cls.gateway.stop)

    def setUp(self):
        self.id = str(uuid.uuid4())

    def test_CAN_11_is_told_while_it_publishes_that_somebody_cancels(self):
        with self.assertRaises(Cancelled):
            with Analysis(self.id, url=self.nats.url_of("worker:w@")) as a:
                a.wait()
                self.assertEqual(self.gateway.cancel(self.id), 202)
                for _ in a.track(iter(int, 1), stage="model_inference"):
                    pass
        self.gateway.wait_for(self.id, "cancelled")
        self.assertEqual(self.gateway.cancel(self.id), 409)

    def test_CAN_11_is_told_while_it_computes_and_may_ignore_it(self):
        with Analysis(self.id, url=self.nats.url_of("worker:w@")) as a:
            a.wait()
            self.assertEqual(self.gateway.cancel(self.id), 202)
            wait_until(lambda: a.cancelled, "it was not told")
        self.gateway.wait_for(self.id, "completed")

    def test_is_completed_without_the_right_to_ask_and_one_line_says_so(self):
        where = self.nats.url_of("former:f@")
        with mock.patch.object(nats_transport, "FORBIDDEN_SECONDS", 0.0), self.assertLogs("telltale_client") as logs:
            transport = NatsTransport(where)
            self.assertEqual([transport.poll(Source(self.id)) for _ in range(3)], [None] * 3)
            transport.send(Source(self.id), [STATUS], "key")
            transport.close()
        self.assertEqual([record.levelno for record in logs.records], [logging.WARNING])
        self.assertIn("telltale.heartbeat", logs.output[0])
        wait_until(lambda: summary(self.gateway.events(self.id)) == ["uploading"], "it was not stored")


@needed("nats-server", program("nats-server"))
class AHeartbeatOnNatsWithoutAGateway(unittest.TestCase):
    def setUp(self):
        self.nats = NatsServer()
        self.addCleanup(self.nats.stop)
        self.transport = NatsTransport(self.nats.url)
        self.addCleanup(self.transport.close)
        self.source = Source(str(uuid.uuid4()))

    def poll(self):
        return self.transport.poll(self.source), self.transport.poll_is_beat

    def test_tells_nothing_and_is_no_fault(self):
        self.assertEqual([self.poll() for _ in range(3)], [(None, False)] * 3)

    def test_names_its_run(self):
        asked = self.listen()
        self.answers = b'{"cancel_requested": false}'
        for attempt_id, told in ((None, "{}"), ("one", '{"attempt_id": "one"}')):
            self.source = Source(self.source.analysis_id, attempt_id)
            self.assertEqual((self.poll(), asked.pop()), ((False, True), told))

    def test_that_is_not_answered_in_time_holds_nothing_up(self):
        asked = self.listen()
        with mock.patch.object(nats_transport, "HEARTBEAT_SECONDS", 0.1):
            self.assertEqual([self.poll() for _ in range(3)], [(None, False)] * 3)
        wait_until(lambda: asked, "nobody was asked")
        self.assertEqual(len(asked), 1)
        with mock.patch.object(self.transport, "_heartbeats_at", 0.0):
            self.answers = b'{"cancel_requested": true}'
            self.assertEqual(self.poll(), (True, True))
            for other in (b'{"code": "not_an_analysis_id"}', b"[]", b"null", b'{"cancel_requested": 1}'):
                self.answers = other
                self.assertEqual(self.poll(), (None, False))

    def listen(self):
        """Hears the heartbeats as a gateway does, and answers `self.answers` if there is one."""
        self.answers = b""
        asked = []
        connection = socket.create_connection(("127.0.0.1", self.nats.port))
        lines = connection.makefile("rb")
        connection.sendall(b"CONNECT {}\r\nSUB telltale.heartbeat.* 1\r\nPING\r\n")
        while not lines.readline().startswith(b"PONG"):
            pass

        def hear():
            for line in lines:
                if line.startswith(b"MSG "):
                    asked.append(lines.readline().strip().decode())
                    if self.answers:
                        reply, size = line.split()[3].decode(), len(self.answers)
                        connection.sendall(f"PUB {reply} {size}\r\n".encode() + self.answers + b"\r\n")

        thread = threading.Thread(target=hear)
        thread.start()
        self.addCleanup(connection.close)
        self.addCleanup(lines.close)
        self.addCleanup(thread.join)
        self.addCleanup(connection.shutdown, socket.SHUT_RDWR)
        return asked
