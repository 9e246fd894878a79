"""Running async code from a script, a notebook with a loop of its own, or a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

T = TypeVar("T")


def run_anywhere(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` comes to. Where a loop runs already (Jupyter), in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, work).result()
