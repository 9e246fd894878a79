"""A server that is away: how long every door waits for it, and what becomes of the episode then.

An outage says nothing of the agent, so it is never a turn and never a reward. Each request is tried
again, with growing pauses, until the server has been away for `PHYSIX_OUTAGE_S` seconds (120 by
default, 0 tries once); then it is raised as an InfrastructureError. Requests carry ids, so that one whose
answer was lost is not played twice.

Several servers (`PHYSIX_URL=http://a:8000,http://b:8000`) share the episodes: an episode's id tells which of
them is its home, and the others are asked while that one is away. Servers of one log answer for each other;
one that does not know the episode is passed over.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from physix.errors import BadInputError, ConflictError, InfrastructureError
from physix.settings import Settings

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 10.0
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_AWAY = frozenset({429, 502, 503, 504})
_REFUSED = frozenset({400, 413, 422})  # what was sent was wrong, and whoever sent it can put it right


def pauses(limit_s: float, *, clock: Callable[[], float] = time.monotonic) -> Iterator[float]:
    """Yield how many seconds to wait before each new try, until `limit_s` have passed since the first."""
    end = clock() + limit_s
    wait = _FIRST_WAIT_S
    while (left := end - clock()) > 0:
        # Trainers that lost one server at one moment come back at different ones.
        yield min(left, wait * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
        wait = min(_LONGEST_WAIT_S, 2 * wait)


def in_order(addresses: Sequence[str], episode_id: object) -> tuple[str, ...]:
    """Return the servers in the order in which an episode asks them: the same in every process."""
    first = zlib.crc32(str(episode_id).encode()) % len(addresses)
    return (*addresses[first:], *addresses[:first])


def addresses_of(url: str) -> tuple[str, ...]:
    """Return the servers that `PHYSIX_URL` names, separated by commas.

    Raises:
        BadInputError: it names none, or one that is no address.
    """
    found = tuple(part.strip().rstrip("/") for part in url.split(",") if part.strip())
    wrong = [one for one in found if not one.startswith(("http://", "https://"))]
    if wrong or not found:
        raise BadInputError(
            f"PHYSIX_URL {(wrong or [url])[0][:80]!r} is no address; write http://HOST:PORT, several with "
            "commas."
        )
    return found


class Door:
    """JSON over HTTP to running `physix serve`s, through outages."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        outage_s: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._addresses = addresses_of(url)
        self._outage_s = Settings().outage_s if outage_s is None else outage_s
        self._sleep = sleep
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(headers=headers, timeout=_TIMEOUT, transport=transport)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request that may be sent twice.

        Raises:
            BadInputError: the server refuses what was sent; the message says why.
            ConflictError: the episode exists already, or has moved on.
            InfrastructureError: the servers stayed away, or failed.
        """
        waiting = pauses(self._outage_s)
        while True:
            answer, reason = self._ask(path, body)
            if answer is not None:
                return _read(answer, path)
            wait = next(waiting, None)
            if wait is None:
                raise InfrastructureError(
                    f"Cannot reach {self.url} within {self._outage_s:g} s ({reason}). "
                    "Is `physix serve` running? PHYSIX_OUTAGE_S sets how long to wait for it."
                )
            self._sleep(wait)

    def _ask(self, path: str, body: dict[str, Any]) -> tuple[httpx.Response | None, str]:
        """Return the first answer of a server that is there and knows the episode, or why there is none."""
        unknown: httpx.Response | None = None
        reason = ""
        for address in in_order(self._addresses, body.get("episode_id")):
            try:
                answer = self._client.post(address + path, json=body)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code in _AWAY:
                reason = f"{path} answered {answer.status_code}: {answer.text[:300]}"
            elif answer.status_code == httpx.codes.NOT_FOUND:
                unknown = answer
            else:
                return answer, ""
        # While one is away it may be the one that knows.
        return (None, reason) if reason else (unknown, "")


def _read(answer: httpx.Response, path: str) -> dict[str, Any]:
    said = f"{path} answered {answer.status_code}: {answer.text[:4_096]}"
    if answer.status_code in _REFUSED:
        raise BadInputError(_detail(answer) or said)
    if answer.status_code == httpx.codes.CONFLICT:
        raise ConflictError(said)
    if not answer.is_success:
        raise InfrastructureError(said)
    found: dict[str, Any] = answer.json()
    return found


def _detail(answer: httpx.Response) -> str | None:
    """Return what a problem document says, in plain words: a model may be shown it."""
    try:
        body = answer.json()
    except ValueError:
        return None
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else None
