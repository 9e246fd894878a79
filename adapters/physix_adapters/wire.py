"""One episode over HTTP, through outages of the server.

A server that is away is waited for as `physix.training.doors.outage` does, `PHYSIX_OUTAGE_S` seconds (120
by default); this package needs nothing of physix-live, so the rule stands here once more.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import httpx

INSTRUCTIONS = (
    "You see a measured motion. Find its equation of motion. Propose equations with the tool "
    "submit_hypothesis, one in a message, read what it says of the residual, and improve, until the episode "
    "is over.\n\n"
)
NOT_COUNTED = (
    "Not judged: only the first proposal of a message counts. "
    "Read what is said of it before you propose the next."
)
_DEFAULTS = {"profile": "strict", "reward_mode": "gain"}  # what pays for the truth
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_CLIENTS: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
_AWAY = frozenset({429, 502, 503, 504})
_REFUSED = frozenset({400, 413, 422})


class PhysixServerError(Exception):
    """Base of what goes wrong with a request; the message says why."""


class PhysixRefusedError(PhysixServerError):
    """What was sent was wrong, and whoever sent it can put it right."""


class PhysixConflictError(PhysixServerError):
    """The episode exists already, or has ended."""


class PhysixOutageError(PhysixServerError):
    """The server stayed away or failed. It says nothing of the model: such a rollout has no score."""


@dataclass(frozen=True)
class Started:
    """An episode: what plays it on, and the problem in words."""

    episode_id: str
    token: str
    question: str


@dataclass(frozen=True)
class Turn:
    """What a proposal brought."""

    answer: str
    total: float
    match: float
    done: bool


async def start(url: str | None = None, **options: Any) -> Started:
    """Start an episode with the options of `reset`.

    Raises:
        PhysixServerError: an option is refused, or there is no server.
    """
    # Chosen here, so that a reset whose answer was lost is resumed instead of leaving an orphan.
    own = {"episode_id": secrets.token_hex(16), "token": secrets.token_urlsafe(24)}
    run = os.environ.get("PHYSIX_RUN")
    wanted = {**_DEFAULTS, **options, **({"run": run} if run else {}), **own}
    try:
        seen = (await _post(url, "/reset", wanted))["observation"]
    except PhysixConflictError:
        seen = (await _post(url, "/reset", {**own, "resume": True}))["observation"]
    variables = ", ".join(f"{v['name']} [{v['unit'] or '?'}]" for v in seen["variables"])
    question = f"{seen['instructions']}\n\n{seen['hint']}\nVariables: {variables}\n{seen['table']}"
    return Started(seen["episode_id"], seen["token"], question)


async def submit(
    episode_id: str,
    token: str,
    equation: str,
    params: dict[str, float] | None = None,
    *,
    url: str | None = None,
) -> Turn:
    """Play one turn.

    Raises:
        PhysixRefusedError: the proposal cannot be recorded.
        PhysixOutageError: the server stayed away.
    """
    body = {
        "action": {"equation": equation, "params": params or {}},
        "episode_id": episode_id,
        "token": token,
        "request_id": secrets.token_hex(16),
    }
    answer = await _post(url, "/step", body)
    seen = answer["observation"]
    reward = seen["reward_breakdown"]
    end = "The episode is over." if answer["done"] else f"Proposals left: {seen['turns_remaining']}."
    told = f"Match {reward['match']:.3f}, score {reward['total']:.3f}. {seen['mismatch']} {end}"
    return Turn(told, float(reward["total"]), float(reward["match"]), bool(answer["done"]))


def rows(split: str, count: int, *, url: str | None = None) -> list[dict[str, Any]]:
    """Return the first rows of a split; blocking, as the frameworks ask for it before their loop runs.

    Raises:
        PhysixServerError: there is no such split, or no server.
    """

    async def asked() -> list[dict[str, Any]]:
        body = {"split": split, "start": 0, "stop": count}
        found: list[dict[str, Any]] = (await _post(url, "/physix/task_range", body))["tasks"]
        return found

    # In a thread of its own: somebody's loop may be running here after all.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked()).result()


async def _post(url: str | None, path: str, body: dict[str, Any]) -> dict[str, Any]:
    servers = url or os.environ.get("PHYSIX_URL", "http://127.0.0.1:8000")
    token = os.environ.get("PHYSIX_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    limit_s = _outage_s()
    waiting = pauses(limit_s)
    while True:
        unknown, reason = None, ""
        # As the package's own doors do: an episode has a home, and servers of one log stand in for it.
        for base in _in_order(servers, body.get("episode_id")):
            try:
                answer = await _client().post(base + path, json=body, headers=headers)
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code in _AWAY:
                reason = f"{path} answered {answer.status_code}: {answer.text[:300]}"
            elif answer.status_code == httpx.codes.NOT_FOUND:
                unknown = answer
            else:
                return _read(answer, path)
        if unknown is not None and not reason:
            return _read(unknown, path)
        wait = next(waiting, None)
        if wait is None:
            raise PhysixOutageError(
                f"Cannot reach {servers} within {limit_s:g} s ({reason}). Is `physix serve` running?"
            )
        await asyncio.sleep(wait)


def _outage_s() -> float:
    given = os.environ.get("PHYSIX_OUTAGE_S", "120")
    try:
        return float(given)
    except ValueError as error:
        raise PhysixServerError(f"PHYSIX_OUTAGE_S {given[:40]!r} is no number of seconds.") from error


def _in_order(servers: str, episode_id: object) -> list[str]:
    addresses = [part.strip().rstrip("/") for part in servers.split(",") if part.strip()]
    wrong = [address for address in addresses if not address.startswith(("http://", "https://"))]
    if wrong or not addresses:
        raise PhysixServerError(
            f"PHYSIX_URL {(wrong or [servers])[0][:80]!r} is no address; write http://HOST:PORT, several "
            "with commas, or leave it unset for http://127.0.0.1:8000."
        )
    first = zlib.crc32(str(episode_id).encode()) % len(addresses)
    return addresses[first:] + addresses[:first]


def _client() -> httpx.AsyncClient:
    """Return the loop's one client: all rollouts of a process share its connections, as many as there are."""
    loop = asyncio.get_running_loop()
    if loop not in _CLIENTS:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=128)
        _CLIENTS[loop] = httpx.AsyncClient(timeout=_TIMEOUT, limits=limits)
    return _CLIENTS[loop]


def pauses(limit_s: float) -> Iterator[float]:
    """Yield how many seconds to wait before each new try, until `limit_s` have passed since the first."""
    end = time.monotonic() + limit_s
    wait = 0.25
    while (left := end - time.monotonic()) > 0:
        yield min(left, wait * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
        wait = min(10.0, 2 * wait)


def _read(answer: httpx.Response, path: str) -> dict[str, Any]:
    said = f"{path} answered {answer.status_code}: {answer.text[:4_096]}"
    if answer.status_code == httpx.codes.CONFLICT:
        raise PhysixConflictError(said)
    if answer.status_code in _REFUSED:
        raise PhysixRefusedError(_detail(answer) or said)
    if not answer.is_success:
        raise PhysixOutageError(said)
    found: dict[str, Any] = answer.json()
    return found


def _detail(answer: httpx.Response) -> str | None:
    """Return what a problem document says, in plain words: a model is shown it."""
    try:
        body = answer.json()
    except ValueError:
        return None
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else None
