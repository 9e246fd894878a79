"""The door for TRL's `environment_factory`: one episode as an object whose methods are tools.

Imports neither torch nor TRL nor OpenEnv: it talks JSON over HTTP to a running `physix serve`, so one
server serves every trainer process and every episode is in its log.
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from typing import Any

from physix.errors import BadInputError, PhysixError

_DEFAULT_URL = "http://127.0.0.1:8000"
_TIMEOUT_S = 60.0
_RESET_COLUMNS = frozenset(
    "seed system_id tier split index noise trajectories max_turns profile reward_mode constants hint".split()
)


class PhysiXEpisode:
    """One episode on the server at `PHYSIX_URL` (with `PHYSIX_TOKEN` where it asks for one).

    TRL calls `reset(**row)` with the columns of a dataset row, offers `submit_hypothesis` to the
    model as a tool, and asks `get_reward()` once at the end.
    """

    def __init__(self) -> None:
        self._url = os.environ.get("PHYSIX_URL", _DEFAULT_URL).rstrip("/")
        self._episode: dict[str, str] = {}
        self._best = 0.0
        self._done = False

    def reset(self, **row: Any) -> str:
        """Start an episode from the row's columns that `reset` knows; others are the trainer's own.

        Returns:
            The problem in words: hint, variables, and the motion as a table.

        Raises:
            BadInputError: a column's value is refused; the message says why.
            PhysixError: the server cannot be reached.
        """
        options = {name: row[name] for name in _RESET_COLUMNS & row.keys() if row[name] is not None}
        observation = self._post("/reset", options)["observation"]
        self._episode = {name: observation[name] for name in ("episode_id", "token")}
        self._best, self._done = 0.0, False
        variables = ", ".join(f"{v['name']} [{v['unit'] or '?'}]" for v in observation["variables"])
        return f"{observation['hint']}\nVariables: {variables}\n{observation['table']}"

    def submit_hypothesis(self, equation: str, params: dict[str, float] | None = None) -> str:
        """Propose an equation of motion and read how well it reproduces the measurements.

        Args:
            equation: for example "d2y/dt2 = -g + k*vy**2"; several are separated by ";".
            params: the numeric value of every constant that the equation names.

        Returns:
            The score of this proposal, and what its residuals look like.
        """
        if self._done:
            return "The episode is over; no more proposals are accepted."
        action = {"equation": equation, "params": params or {}}
        body = {"action": action, "request_id": secrets.token_hex(16), **self._episode}
        try:
            answer = self._post("/step", body)
        except BadInputError as error:
            return f"Refused: {error}"  # the model's arguments were wrong, and it can put them right
        observation = answer["observation"]
        self._done = bool(answer["done"])
        self._best = max(self._best, float(observation["reward_breakdown"]["total"]))
        end = "The episode is over." if self._done else f"Proposals left: {observation['turns_remaining']}."
        match = observation["reward_breakdown"]["match"]
        return f"Match {match:.3f}, score {answer['reward']:.3f}. {observation['mismatch']} {end}"

    def get_reward(self) -> float:
        """Return the best turn total of the episode, in [0, 1]; 0 if nothing was proposed."""
        return self._best

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        token = os.environ.get("PHYSIX_TOKEN")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(  # noqa: S310  # the operator's own address
            self._url + path, json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            detail = error.read(4_096).decode("utf-8", "replace")
            raise BadInputError(f"{path} answered {error.code}: {detail}") from error
        except OSError as error:
            raise PhysixError(f"Cannot reach {self._url}: {error}. Is `physix serve` running?") from error
