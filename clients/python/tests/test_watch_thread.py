"""The thread of all watches: what is called in it, in a forked child and at the end of the process."""

import asyncio
import gc
import os
import signal
import threading
import traceback
import unittest
import uuid

from telltale_client import awatch, watch
from telltale_client.watch_types import Live

from .cutting_proxy import CuttingProxy
from .real_servers import needed, program, wait_until
from .watched import WithGateway, called, eventually, status

CHILD_SECONDS = 60


@needed("bun", program("bun"))
class AListener(WithGateway):
    def live(self, **options):
        watching = self.watch(**options)
        wait_until(lambda: isinstance(watching.snapshot.connection, Live) and watching.snapshot.analysis, "it is live")
        return watching

    def raised_in_listener(self, watching, call):
        """The exception of the call, made in the first round of the listeners."""
        told = []

        def listener():
            if not told:
                told.append(fault_of(call))

        watching.subscribe(listener)
        self.publish(status())
        return wait_until(lambda: told, "the listener was called")[0]

    def test_that_waits_for_its_own_thread_is_told_so_at_once(self):
        watching = self.live(token=self.gateway.token)
        for name, call in [
            ("cancel", watching.cancel),
            ("iterate", lambda: list(watching)),
            ("iterate another", lambda: list(watch(self.id, url=self.gateway.url, token=self.gateway.token))),
        ]:
            with self.subTest(name):
                fault = self.raised_in_listener(watching, call)
                self.assertIsInstance(fault, RuntimeError)
                self.assertIn("in a thread of its own", str(fault))

    def test_that_nobody_could_call_is_refused_at_once(self):
        async def later():
            pass

        watching = self.watch()
        for listener in (None, "print", later):
            with self.assertRaisesRegex(TypeError, "a listener is a function"):
                watching.subscribe(listener)

    def test_subscribes_opens_and_closes(self):
        watching, other, opened, told = self.live(), str(uuid.uuid4()), [], []

        def call():
            opened.append(watch(other, url=self.gateway.url, token=self.gateway.token))
            opened[0].subscribe(lambda: told.append(opened[0].snapshot))
            watching.retry_now()
            watching.close()

        self.assertIsNone(self.raised_in_listener(watching, call))
        self.addCleanup(opened[0].close)
        wait_until(lambda: told and told[-1].analysis, "the other watch is live")
        self.assertEqual(watching.snapshot.connection.status, "closed")

    def test_that_raises_anything_ends_no_watch(self):
        for fault in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
            with self.subTest(fault.__name__):
                self.id = str(uuid.uuid4())
                watching, other, told = self.live(), self.live(), []

                def raises():
                    told.append(1)
                    raise fault("raised by a test")

                watching.subscribe(raises)
                with self.assertLogs("asyncio", "ERROR"):
                    self.publish(status(message="one"), status(message="two"))
                    for one in (watching, other):
                        wait_until(lambda: one.snapshot.analysis["message"] == "two", "it goes on")
                    wait_until(lambda: len(told) > 1, "the listener is called again")
                    watching.close()
                    wait_until(lambda: watching.snapshot.connection.status == "closed", "it is closed")

    def test_whose_handler_of_faults_ends_the_thread_ends_every_watch_with_an_error(self):
        watching, ended = self.live(), []

        def ends_it():
            asyncio.get_running_loop().set_exception_handler(raises)
            raise ValueError("raised by a test")

        def raises(*_):
            raise SystemExit("raised by a test")

        reading = threading.Thread(target=lambda: ended.append(fault_of(lambda: list(watching))))
        reading.start()
        hook, threading.excepthook = threading.excepthook, lambda _: None
        try:
            watching.subscribe(ends_it)
            self.publish(status())
            reading.join(CHILD_SECONDS)
        finally:
            threading.excepthook = hook
        self.assertEqual([type(fault) for fault in ended], [RuntimeError])
        self.assertIsInstance(fault_of(watching.cancel), RuntimeError)
        watching.close()
        self.live()

    def test_that_another_ended_in_the_same_round_is_not_called(self):
        for open_watch in (self.live, None):
            told, stops = [], []

            def first():
                told.append("first")
                stops[0]()

            if open_watch:
                watching = open_watch()
                watching.subscribe(first)
                stops.append(watching.subscribe(lambda: told.append("second")))
                self.publish(status())
                wait_until(lambda: watching.snapshot.analysis["status"] == "running", "the event came")
            else:
                self.id = str(uuid.uuid4())
                self.play(self.two_listeners(first, stops, told))
            self.assertNotIn("second", told)
            self.assertIn("first", told)

    async def two_listeners(self, first, stops, told):
        async with self.awatch() as watching:
            watching.subscribe(first)
            stops.append(watching.subscribe(lambda: told.append("second")))
            await eventually(lambda: watching.snapshot.analysis, "it is live")

    def test_that_raises_KeyboardInterrupt_in_asyncio_ends_the_loop_after_the_others_were_called(self):
        told = []

        async def interrupted():
            watching = awatch(self.id, url=self.gateway.url, token=self.gateway.token)
            watching.subscribe(lambda: (_ for _ in ()).throw(KeyboardInterrupt))
            watching.subscribe(lambda: told.append(1))
            await asyncio.sleep(CHILD_SECONDS)

        with self.assertRaises(KeyboardInterrupt):
            asyncio.run(interrupted())
        self.assertTrue(told)


@needed("bun", program("bun"))
class AForkedChild(WithGateway):
    def test_can_neither_use_nor_harm_the_watches_of_its_parent(self):
        with CuttingProxy(self.gateway.url) as proxy:
            watching = self.watch(url=proxy.url, token=self.gateway.token)
            events = iter(watching)
            self.assertEqual([next(events)["event_type"] for _ in range(2)], ["analysis_state", "caught_up"])
            calls = [watching.cancel, lambda: watching.subscribe(print), lambda: list(watching), lambda: next(events)]

            def child():
                faults = [fault_of(call) for call in calls]
                watching.close()
                watching.retry_now()
                return all("belongs to the process that opened it" in str(fault) for fault in faults)

            self.assertEqual(self.forked(child), 0)
            self.publish(status())
            self.assertEqual(next(events)["event_type"], "status_update")
            self.assertEqual(proxy.connections, 1)

    def test_that_frees_its_copies_of_a_loop_leaves_the_connections_of_its_parent_alone(self):
        with CuttingProxy(self.gateway.url) as proxy:
            self.play(self.fork_in_loop(proxy))

    async def fork_in_loop(self, proxy):
        watching = self.awatch(url=proxy.url)
        await eventually(lambda: watching.snapshot.analysis, "it is live")

        tasks = asyncio.all_tasks() - {asyncio.current_task()}

        def child():
            for task in tasks:
                try:
                    task.get_coro().throw(asyncio.CancelledError)
                except BaseException:
                    pass
            gc.collect()
            return True

        self.assertEqual(self.forked(child), 0)
        await called(self.publish, status())
        await eventually(lambda: watching.snapshot.analysis["status"] == "running", "the event came")
        self.assertEqual(proxy.connections, 1)
        watching.close()

    def test_watches_by_itself(self):
        watching = self.watch()
        wait_until(lambda: watching.snapshot.analysis, "it is live")

        def child():
            own = self.watch()
            wait_until(lambda: own.snapshot.analysis, "it is live")
            own.close()
            return True

        self.assertEqual(self.forked(child), 0)

    def forked(self, child):
        """The exit code of a process that is forked here: 0 if `child` answers true. One that hangs is killed."""
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(CHILD_SECONDS)
            try:
                os._exit(0 if child() else 1)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fault_of(call):
    try:
        call()
    except BaseException as fault:
        return fault


if __name__ == "__main__":
    unittest.main()
