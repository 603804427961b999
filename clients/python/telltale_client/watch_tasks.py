"""Awaits with a limit, and calls that block."""

import asyncio
import threading
from typing import Any, Awaitable, Callable, Optional, TypeVar

Answer = TypeVar("Answer")


async def within(seconds: float, awaited: Awaitable[Answer]) -> Answer:
    """Raises asyncio.TimeoutError. `asyncio.wait_for` before Python 3.12 may swallow a cancellation of its caller."""
    task = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait((task,), timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
        if task.cancelled():
            raise RuntimeError("it was cancelled")
        return task.result()
    finally:
        task.cancel()


async def in_thread(call: Callable[[], Any]) -> Any:
    """The thread holds up nothing, also not the end of the process, if the call never returns."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def settle(answer: Any, fault: Optional[BaseException]) -> None:
        if not done.done():
            done.set_result(answer) if fault is None else done.set_exception(fault)

    def run() -> None:
        answer, fault = None, None
        try:
            answer = call()
        except BaseException as raised:
            # A future takes no StopIteration, and SystemExit would end the loop that waits.
            is_plain = isinstance(raised, Exception) and not isinstance(raised, StopIteration)
            fault = raised if is_plain else RuntimeError(type(raised).__name__)
        try:
            loop.call_soon_threadsafe(settle, answer, fault)
        except RuntimeError:
            pass  # the loop has ended, and nobody waits

    threading.Thread(target=run, name="telltale-call", daemon=True).start()
    return await done


def raise_in_loop(fault: BaseException) -> None:
    """Raises what is no Exception, as KeyboardInterrupt, where it ends no task of a watch: out of the loop, as from any callback."""

    def raised() -> None:
        raise fault

    asyncio.get_running_loop().call_soon(raised)
