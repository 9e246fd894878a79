"""A log that stays open while a trainer runs, for callers on threads and event loops of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from physix.engine import EpisodeEngine
from physix.store import open_log

T = TypeVar("T")


class KeptLog:
    """An engine over one open log, on an event loop in a thread of its own."""

    def __init__(self, engine: EpisodeEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine, self._loop = engine, loop

    def call(self, ask: Callable[[EpisodeEngine], Awaitable[T]]) -> T:
        """Return what the engine answers; for callers without an event loop."""
        return self._asked(ask).result()

    async def answer(self, ask: Callable[[EpisodeEngine], Awaitable[T]]) -> T:
        """Return what the engine answers; for callers on any event loop."""
        return await asyncio.wrap_future(self._asked(ask))

    def _asked(self, ask: Callable[[EpisodeEngine], Awaitable[T]]) -> Future[T]:
        async def run() -> T:
            return await ask(self._engine)

        return asyncio.run_coroutine_threadsafe(run(), self._loop)


@contextmanager
def keep_log(url: str) -> Iterator[KeptLog]:
    """Open a log until the block is left.

    Raises:
        StorageError: it cannot be opened.
    """
    ready: Future[KeptLog] = Future()
    stop: Future[None] = Future()

    async def serve() -> None:
        async with open_log(url) as log:
            ready.set_result(KeptLog(EpisodeEngine(log), asyncio.get_running_loop()))
            await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="physix-kept-log", daemon=True)
    thread.start()
    kept = ready.result()
    try:
        yield kept
    finally:
        stop.set_result(None)
        thread.join()
