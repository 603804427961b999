import gc
import socket
import threading
import unittest
import uuid

from telltale_client import CancelRefused, WatchRefused, awatch, watch
from telltale_client.watch_types import Closed, Finished, Live, Waiting

from .real_servers import PATIENCE_SECONDS, needed, program, wait_until
from .watched import VERDICT, WithGateway, status


@needed("bun", program("bun"))
class AWatch(WithGateway):
    def test_begins_with_the_state_gives_each_event_and_ends_with_the_analysis(self):
        self.publish(status())
        seen = []
        for event in self.watch(until="terminal"):
            seen.append(event["event_type"])
            if event["event_type"] == "caught_up":
                self.publish(status("model_inference"), VERDICT)
        self.assertEqual(seen, ["analysis_state", "caught_up", "status_update", "result_update"])

    def test_that_is_caught_up_says_so_to_a_loop_that_begins_late(self):
        self.publish(status())
        watching = self.watch(token=self.gateway.token)
        first, second, of_another = iter(watching), iter(watching), iter(self.watch(token=self.gateway.token))
        seen = [[next(events) for _ in range(2)] for events in (first, second, of_another)]
        for state, caught_up in seen:
            self.assertEqual((state["event_type"], caught_up["event_type"]), ("analysis_state", "caught_up"))
            self.assertEqual(caught_up["last_event_id"], state["last_event_id"])

    def test_shows_the_state_that_the_gateway_has(self):
        self.publish(status())
        watching = self.watch(until="terminal")
        told = []
        stop = watching.subscribe(lambda: told.append(watching.snapshot))
        wait_until(lambda: watching.snapshot.analysis, "it is connected")
        self.publish(status("model_inference", current=1, total=4, unit="frames"), VERDICT)
        wait_until(lambda: watching.snapshot.connection == Finished(), "it is finished")
        self.assertEqual(watching.snapshot.analysis, self.gateway.state(self.id))
        self.assertIs(told[-1], watching.snapshot)
        self.assertEqual([event["event_type"] for event in watching], ["analysis_state"])
        stop()

    def test_is_closed_by_another_thread_while_it_waits(self):
        watching = self.watch()
        closing = threading.Thread(target=lambda: [event for event in watching])
        closing.start()
        wait_until(lambda: isinstance(watching.snapshot.connection, Live), "it is live")
        watching.close()
        closing.join(PATIENCE_SECONDS)
        self.assertFalse(closing.is_alive())
        self.assertEqual(watching.snapshot.connection, Closed())

    def test_whose_loop_is_left_is_closed(self):
        watching = self.watch()
        for _ in watching:
            break
        wait_until(lambda: watching.snapshot.connection == Closed(), "it is closed")

    def test_ends_with_the_last_reference_to_it_unless_somebody_listens(self):
        options, told = {"url": self.gateway.url, "token": self.gateway.token()}, []
        watch(self.id, **options)
        gc.collect()
        wait_until(lambda: self.analyses_watched() == 0, "it is over")
        stop = watch(self.id, **options).subscribe(lambda: told.append(1))
        gc.collect()
        self.publish(status())
        wait_until(lambda: self.analyses_watched() == 1 and told, "it goes on")
        stop()
        wait_until(lambda: self.analyses_watched() == 0, "it is over")

    def analyses_watched(self):
        return self.gateway._get("/ws/health")["websocket_stats"]["active_analyses"]

    def test_says_that_the_analysis_stalls_and_who_cancels_it(self):
        self.publish(status())
        watching = self.watch(token=self.gateway.token)
        wait_until(lambda: watching.snapshot.stalled, "it is stalled")
        watching.cancel("enough")
        asked = wait_until(lambda: watching.snapshot.cancel_requested, "somebody asked for the end")
        self.assertEqual((asked["user_id"], asked["reason"]), ("worker", "enough"))
        self.publish(status("cancelled"))
        wait_until(lambda: watching.snapshot.analysis["status"] == "cancelled", "it is cancelled")
        self.assertFalse(watching.snapshot.stalled)
        self.assertIsNone(watching.snapshot.cancel_requested)
        with self.assertRaises(CancelRefused) as refused:
            watching.cancel()
        self.assertEqual(refused.exception.code, "already_ended")

    def test_that_the_token_does_not_allow_is_refused(self):
        with self.assertRaises(WatchRefused) as refused:
            list(self.watch(token=self.gateway.token("", analyses=[str(uuid.uuid4())])))
        self.assertEqual(refused.exception.code, 4003)

    def test_without_a_gateway_waits_and_closes(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            watching = self.watch(url=f"http://127.0.0.1:{unused.getsockname()[1]}")
            connection = wait_until(
                lambda: isinstance(watching.snapshot.connection, Waiting) and watching.snapshot.connection, "it waits"
            )
            self.assertEqual(connection.code, 1006)
            self.assertIsNone(watching.snapshot.analysis)
            watching.close()
        self.assertEqual(list(watching), [])

    def test_asks_a_function_again_that_raised_and_takes_one_that_is_asynchronous(self):
        asked = []

        async def token():
            asked.append(1)
            if len(asked) == 1:
                raise OSError("no backend")
            return self.gateway.token("")

        watching = self.watch(token=token)
        wait_until(lambda: watching.snapshot.analysis, "it is connected")
        self.assertEqual(len(asked), 2)

    def test_needs_an_address_and_a_token(self):
        for url, token in [(None, "t"), ("redis://127.0.0.1", "t"), ("http://127.0.0.1", None)]:
            with self.subTest(url=url, token=token), self.assertRaises(ValueError):
                watch(self.id, url=url, token=token)
        with self.assertRaises(RuntimeError):
            awatch(self.id, url=self.gateway.url, token="t")


if __name__ == "__main__":
    unittest.main()
