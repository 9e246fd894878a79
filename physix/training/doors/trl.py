"""The door for TRL's `environment_factory`: one episode as an object whose methods are tools.

Imports neither torch nor TRL nor OpenEnv: it talks JSON over HTTP to a running `physix serve`, so one
server serves every trainer process and every episode is in its log.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import Any

from physix.errors import BadInputError, ConflictError, InfrastructureError
from physix.training.doors.outage import Door
from physix.training.doors.words import NOT_COUNTED, question, verdict

_DEFAULT_URL = "http://127.0.0.1:8000"
_RESET_COLUMNS = frozenset(
    "seed system_id tier split index noise trajectories max_turns profile reward_mode constants hint".split()
)
# What pays for the truth; a column of the row wins.
_DEFAULTS = {"profile": "strict", "reward_mode": "gain"}
_OVER = "The episode is over; no more proposals are accepted."


class PhysiXEpisode:
    """One episode on the server at `PHYSIX_URL` (with `PHYSIX_TOKEN` where it asks for one).

    TRL calls `reset(**row)` with the columns of a dataset row, offers `submit_hypothesis` to the
    model as a tool, and adds `get_reward()`, asked for once at the end, to what `reward_funcs` pay.

    A server that is away is waited for, see `physix.training.doors.outage`; an episode that it broke
    off has no reward. With `PHYSIX_RUN` set, episodes bear that label: `physix log end --run` finds those
    that a killed run left behind.
    """

    def __init__(self) -> None:
        url, token = os.environ.get("PHYSIX_URL", _DEFAULT_URL), os.environ.get("PHYSIX_TOKEN")
        self._door = Door(url, token=token)
        self._episode: dict[str, str] = {}
        self._best = 0.0
        self._done = False
        self._broken: InfrastructureError | None = None
        self._answering = False

    def reset(self, **row: Any) -> str:
        """Start an episode from the row's columns that `reset` knows; others are the trainer's own.

        Returns:
            What is asked for (grammar, when a law counts as found, how many proposals there are) and the
            problem in words: hint, variables, and the motion as a table.

        Raises:
            BadInputError: a column's value is refused; the message says why.
            InfrastructureError: the server stayed away.
        """
        given = {name: row[name] for name in _RESET_COLUMNS & row.keys() if row[name] is not None}
        run = os.environ.get("PHYSIX_RUN")
        self._best, self._done, self._broken = 0.0, False, None
        observation = self._begin({**_DEFAULTS, **given, **({"run": run} if run else {})})["observation"]
        return question(observation)

    async def submit_hypothesis(self, equation: str, params: dict[str, float | None] | None = None) -> str:
        """Propose an equation of motion and read how well it reproduces the measurements.

        Args:
            equation: for example "d2y/dt2 = -g + k*vy**2"; several are separated by ";".
            params: the numeric value of every constant that the equation names; null leaves one to be fitted,
                where the rules say so.

        Returns:
            The score of this proposal, and what its residuals look like.

        Raises:
            InfrastructureError: the server stayed away, or failed.
        """
        # TRL runs the asynchronous calls of one message together and waits for all of them: a call that
        # begins while another is being answered was written without having read the answer. Plain functions
        # it calls one after the other, as if the model had read between: so there is no plain one.
        if self._answering:
            return NOT_COUNTED
        self._answering = True
        try:
            return await asyncio.to_thread(self._submit, equation, params)
        finally:
            self._answering = False

    def get_reward(self) -> float:
        """Return the best turn total of the episode, in [0, 1]; 0 if nothing was proposed.

        Raises:
            InfrastructureError: an outage broke the episode off, which is no fault of the model's.
        """
        if self._broken is not None:
            raise self._broken
        return self._best

    def _submit(self, equation: str, params: dict[str, float | None] | None) -> str:
        if self._done:
            return _OVER
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
        return verdict(observation, done=self._done)

    def _begin(self, options: dict[str, Any]) -> dict[str, Any]:
        # Chosen here, so that a reset whose answer was lost is resumed instead of leaving an orphan.
        self._episode = {"episode_id": secrets.token_hex(16), "token": secrets.token_urlsafe(24)}
        try:
            return self._door.post("/reset", {**options, **self._episode})
        except ConflictError:
            return self._door.post("/reset", {**self._episode, "resume": True})
