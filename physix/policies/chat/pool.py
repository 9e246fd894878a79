"""Several servers of one model: who is asked next, how many requests each has in flight, who is left alone.

A request goes to the healthy server with the fewest in flight and waits while all of them have as many as
they may. A server that fails is left alone for a second, then twice as long each time; when all have failed,
the one that has rested longest is asked, so that one server alone is always asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import anyio

from physix.errors import BadInputError

_FIRST_REST_S = 1.0
_LONGEST_REST_S = 60.0


@dataclass(slots=True)
class Endpoint:
    """One server."""

    url: str
    in_flight: int = 0
    failures: int = 0  # since it last answered
    rests_until: float = 0.0


class Pool:
    """Servers that answer alike. Lives on one event loop."""

    def __init__(
        self, urls: Collection[str], *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.endpoints = tuple(Endpoint(url) for url in urls)
        self._most = most
        self._clock = clock
        self._freed = anyio.Event()

    def free(self, tried: Collection[str] = ()) -> Endpoint | None:
        """Return whom to ask now, of those not yet tried; None while all of them have enough in flight.

        Raises:
            ValueError: all of them were tried.
        """
        left = [one for one in self.endpoints if one.url not in tried]
        now = self._clock()
        healthy = [one for one in left if one.rests_until <= now]
        asked = healthy or [min(left, key=lambda one: one.rests_until)]
        open_ = [one for one in asked if one.in_flight < self._most]
        return min(open_, key=lambda one: one.in_flight) if open_ else None

    async def wait(self, at_most_s: float) -> None:
        """Return when a request has ended somewhere, or after a while."""
        with anyio.move_on_after(at_most_s):
            await self._freed.wait()

    @contextmanager
    def asking(self, endpoint: Endpoint) -> Iterator[None]:
        """Count a request to a server for as long as the block lasts."""
        endpoint.in_flight += 1
        try:
            yield
        finally:
            endpoint.in_flight -= 1
            self._freed.set()
            self._freed = anyio.Event()

    def answered(self, endpoint: Endpoint) -> None:
        """A server did what it should."""
        endpoint.failures, endpoint.rests_until = 0, 0.0

    def failed(self, endpoint: Endpoint) -> None:
        """A server failed: leave it alone for a while."""
        rest = min(_LONGEST_REST_S, _FIRST_REST_S * 2 ** min(endpoint.failures, 16))
        endpoint.failures += 1
        endpoint.rests_until = self._clock() + rest


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[tuple[str, ...], int], Pool]] = (
    WeakKeyDictionary()
)


def pool_of(urls: tuple[str, ...], *, most: int) -> Pool:
    """Return the pool of these servers that all policies of this event loop share."""
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    return pools.setdefault((urls, most), Pool(urls, most=most))


def urls_of(setting: str) -> tuple[str, ...]:
    """Return the base URLs that a setting names, separated by commas.

    Raises:
        BadInputError: it names none, or one that is no address.
    """
    urls = tuple(dict.fromkeys(part.strip().rstrip("/") for part in setting.split(",") if part.strip()))
    wrong = [url for url in urls if not url.startswith(("http://", "https://"))]
    if wrong or not urls:
        raise BadInputError(
            f"PHYSIX_OPENAI_BASE_URL {(wrong or [setting])[0][:80]!r} is no address; "
            "write http://HOST:PORT/v1, several with commas."
        )
    return urls
