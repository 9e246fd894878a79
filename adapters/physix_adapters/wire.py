"""One episode over HTTP, with the standard library alone."""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

INSTRUCTIONS = (
    "You see a measured motion. Find its equation of motion. Propose equations with the tool "
    "submit_hypothesis, read what it says of the residual, and improve, until the episode is over.\n"
    "Write d2y/dt2 = ... for a variable with a velocity, dx/dt = ... otherwise; separate equations by ';'. "
    "Functions: sin cos tan exp log sqrt abs. Give every constant a number in params.\n\n"
)
_TIMEOUT_S = 60.0


class PhysixServerError(Exception):
    """The server refused a request or cannot be reached; the message says why."""


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


def start(url: str | None = None, **options: Any) -> Started:
    """Start an episode with the options of `reset`.

    Raises:
        PhysixServerError: an option is refused, or there is no server.
    """
    seen = _post(url, "/reset", options)["observation"]
    variables = ", ".join(f"{v['name']} [{v['unit'] or '?'}]" for v in seen["variables"])
    question = f"{seen['hint']}\nVariables: {variables}\n{seen['table']}"
    return Started(seen["episode_id"], seen["token"], question)


def submit(
    episode_id: str,
    token: str,
    equation: str,
    params: dict[str, float] | None = None,
    *,
    url: str | None = None,
) -> Turn:
    """Play one turn.

    Raises:
        PhysixServerError: the proposal cannot be recorded, or the episode is over.
    """
    body = {
        "action": {"equation": equation, "params": params or {}},
        "episode_id": episode_id,
        "token": token,
        "request_id": secrets.token_hex(16),
    }
    answer = _post(url, "/step", body)
    seen = answer["observation"]
    reward = seen["reward_breakdown"]
    end = "The episode is over." if answer["done"] else f"Proposals left: {seen['turns_remaining']}."
    told = f"Match {reward['match']:.3f}, score {reward['total']:.3f}. {seen['mismatch']} {end}"
    return Turn(told, float(reward["total"]), float(reward["match"]), bool(answer["done"]))


def rows(split: str, count: int, *, url: str | None = None) -> list[dict[str, Any]]:
    """Return the first rows of a split.

    Raises:
        PhysixServerError: there is no such split, or no server.
    """
    found: list[dict[str, Any]] = _post(
        url, "/physix/task_range", {"split": split, "start": 0, "stop": count}
    )["tasks"]
    return found


def _post(url: str | None, path: str, body: dict[str, Any]) -> dict[str, Any]:
    base = (url or os.environ.get("PHYSIX_URL", "http://127.0.0.1:8000")).rstrip("/")
    headers = {"Content-Type": "application/json"}
    if os.environ.get("PHYSIX_TOKEN"):
        headers["Authorization"] = f"Bearer {os.environ['PHYSIX_TOKEN']}"
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        detail = error.read(4_096).decode("utf-8", "replace")
        raise PhysixServerError(f"{path} answered {error.code}: {detail}") from error
    except OSError as error:
        raise PhysixServerError(f"Cannot reach {base}: {error}. Is `physix serve` running?") from error
