"""The door for TRL's `environment_factory`: one episode as an object whose methods are tools.

Imports neither torch nor TRL nor OpenEnv: it talks JSON over HTTP to a running `physix serve`, so one
server serves every trainer process and every episode is in its log.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from physix.errors import BadInputError, ConflictError, InfrastructureError
from physix.training.doors.outage import Door

_DEFAULT_URL = "http://127.0.0.1:8000"
_RESET_COLUMNS = frozenset(
    "seed system_id tier split index noise trajectories max_turns profile reward_mode constants hint".split()
)


class PhysiXEpisode:
    """One episode on the server at `PHYSIX_URL` (with `PHYSIX_TOKEN` where it asks for one).

    TRL calls `reset(**row)` with the columns of a dataset row, offers `submit_hypothesis` to the
    model as a tool, and asks `get_reward()` once at the end. A server that is away is waited for, see
    `physix.training.doors.outage`; an episode that it broke off has no reward.
    """

    def __init__(self) -> None:
        url, token = os.environ.get("PHYSIX_URL", _DEFAULT_URL), os.environ.get("PHYSIX_TOKEN")
        self._door = Door(url, token=token)
        self._episode: dict[str, str] = {}
        self._best = 0.0
        self._done = False
        self._broken: InfrastructureError | None = None

    def reset(self, **row: Any) -> str:
        """Start an episode from the row's columns that `reset` knows; others are the trainer's own.

        Returns:
            The problem in words: hint, variables, and the motion as a table.

        Raises:
            BadInputError: a column's value is refused; the message says why.
            InfrastructureError: the server stayed away.
        """
        options = {name: row[name] for name in _RESET_COLUMNS & row.keys() if row[name] is not None}
        self._best, self._done, self._broken = 0.0, False, None
        observation = self._begin(options)["observation"]
        variables = ", ".join(f"{v['name']} [{v['unit'] or '?'}]" for v in observation["variables"])
        return f"{observation['hint']}\nVariables: {variables}\n{observation['table']}"

    def submit_hypothesis(self, equation: str, params: dict[str, float] | None = None) -> str:
        """Propose an equation of motion and read how well it reproduces the measurements.

        Args:
            equation: for example "d2y/dt2 = -g + k*vy**2"; several are separated by ";".
            params: the numeric value of every constant that the equation names.

        Returns:
            The score of this proposal, and what its residuals look like.

        Raises:
            InfrastructureError: the server stayed away, or failed.
        """
        if self._done:
            return "The episode is over; no more proposals are accepted."
        action = {"equation": equation, "params": params or {}}
        body = {"action": action, "request_id": secrets.token_hex(16), **self._episode}
        try:
            answer = self._door.post("/step", body)
        except BadInputError as error:
            return f"Refused: {error}"  # the model's arguments were wrong, and it can put them right
        except InfrastructureError as error:
            # The trainer may show the model whatever a tool raises; `get_reward` raises it once more.
            self._broken = error
            raise
        observation = answer["observation"]
        self._done = bool(answer["done"])
        self._best = max(self._best, float(observation["reward_breakdown"]["total"]))
        end = "The episode is over." if self._done else f"Proposals left: {observation['turns_remaining']}."
        match = observation["reward_breakdown"]["match"]
        return f"Match {match:.3f}, score {answer['reward']:.3f}. {observation['mismatch']} {end}"

    def get_reward(self) -> float:
        """Return the best turn total of the episode, in [0, 1]; 0 if nothing was proposed.

        Raises:
            InfrastructureError: an outage broke the episode off, which is no fault of the model's.
        """
        if self._broken is not None:
            raise self._broken
        return self._best

    def _begin(self, options: dict[str, Any]) -> dict[str, Any]:
        # Chosen here, so that a reset whose answer was lost is resumed instead of leaving an orphan.
        self._episode = {"episode_id": secrets.token_hex(16), "token": secrets.token_urlsafe(24)}
        try:
            return self._door.post("/reset", {**options, **self._episode})
        except ConflictError:
            return self._door.post("/reset", {**self._episode, "resume": True})
