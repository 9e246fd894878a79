"""Who asks, and what of a task's secret they may be told.

A secret belongs to a task, not to an episode: while its truth is held back it is told of no episode on it,
running or finished, to nobody but an operator. So a twin of a running episode that was ended at
once, a sibling of its group, a fork or a comparison tells nothing.

| | operator | player |
|---|---|---|
| law, correctness | once the episode has ended | likewise, unless the task is held back |
| generalisation | always | not of a task held back, nor of an owned episode that runs |
| turns on a task held back, their worth, its labels | always | in the open, or with the episode's own token |

In the open is what somebody plays through the page: the episode has no token. What a client holds the
token of, and what a board, a trainer or a command of the operator's plays, is theirs alone. Held back are
the tasks of the evaluation splits, and with `PHYSIX_HOLD_TRUTH` all sampled ones.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request

from physix.engine import EpisodeStarted
from physix.engine.systems.task import Task, is_evaluation, is_measured
from physix.errors import ForbiddenError
from physix.settings import Settings
from physix.store.rows import OPEN_DOOR, Ranked

EPISODE_TOKEN = "X-Episode-Token"  # noqa: S105  # the name of a header
UNNAMED_SYSTEM = "unnamed"  # what the system of an evaluation task is called to players
_HELD = (
    "Episode {} is on a task whose truth is held back, so its turns are told only to whoever holds the "
    "episode's token (Authorization: Bearer), if it has one, and to the operator of the server."
)


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may be told. The default is a player of a server that holds no sampled truth back."""

    operator: bool = False
    hold_truth: bool = False
    token_sha256: str | None = None  # of the token that came with the request
    published: bool = False  # what is asked about ships with the package: everyone has its turns

    def holds_back(self, system_id: str, seed: int | None) -> bool:
        """Tell whether the truth of a task is kept from this caller, whatever becomes of its episodes."""
        if self.operator or is_measured(system_id):
            return False
        return self.hold_truth or is_evaluation(system_id, seed)

    @property
    def ranked(self) -> Ranked:
        """Whose place in an order by what turns were worth may be told."""
        if self.operator:
            return "all"
        return "open" if self.hold_truth else "sampled"

    def owns(self, started: EpisodeStarted) -> bool:
        """Tell whether the caller holds the episode's token."""
        expected = started.token_sha256
        return (
            expected is not None
            and self.token_sha256 is not None
            and hmac.compare_digest(expected, self.token_sha256)
        )

    def require_control(self, started: EpisodeStarted, episode_id: str) -> None:
        """Refuse to act on an episode that is not played in the open, but for its client and the operator.

        Raises:
            ForbiddenError: it belongs to another client, or was begun elsewhere.
        """
        if not (self.operator or self.owns(started) or is_open(started)):
            raise ForbiddenError(episode_id, _elsewhere(started, episode_id))

    def may_read(self, started: EpisodeStarted) -> bool:
        """Tell whether the turns of an episode may be told: what another agent found may be the law."""
        held = self.holds_back(started.task.system_id, started.task.seed)
        return not held or self.published or is_open(started) or self.owns(started)

    def require_read(self, started: EpisodeStarted, episode_id: str) -> None:
        """Refuse to tell the turns of an episode.

        Raises:
            ForbiddenError: they are held back from this caller.
        """
        if not self.may_read(started):
            raise ForbiddenError(episode_id, _HELD.format(episode_id[:80]))

    def told(self, started: EpisodeStarted, *, ended: bool) -> Told:
        """Return what may be told of an episode."""
        held = self.holds_back(started.task.system_id, started.task.seed)
        owned_and_running = started.token_sha256 is not None and not ended
        return Told(
            truth=ended and not held,
            generalisation=self.operator or not (held or owned_and_running),
            seed=not held,
            labels=not held or self.owns(started),
            system=self.operator or not is_evaluation(started.task.system_id, started.task.seed),
        )


@dataclass(frozen=True, slots=True)
class Told:
    """Which secrets of an episode may be told."""

    truth: bool  # law and correctness
    generalisation: bool
    seed: bool  # a sampled task can be drawn again from it
    labels: bool  # put on it since: they are whatever somebody wrote who may know its law
    system: bool  # naming the system of an evaluation task tells half its law

    def task(self, task: Task) -> Task:
        """Return the task with what may be told of it."""
        if not self.system:
            # Beside the names of the variables the tier would tell which system it is.
            task = replace(task, system_id=UNNAMED_SYSTEM, tier=None)
        if not self.seed and task.seed is not None:
            opaque = hashlib.sha256(task.task_id.encode()).hexdigest()[:12]
            task = replace(task, seed=None, task_id=f"{task.system_id}/{opaque}")
        return task


def is_open(started: EpisodeStarted) -> bool:
    """Tell whether an episode is played in the open: through the page, by nobody in particular."""
    return started.door == OPEN_DOOR and started.token_sha256 is None


def require_open(started: EpisodeStarted, episode_id: str) -> None:
    """Refuse to play what was not begun in the open: a stranger's turn would count as its player's.

    Raises:
        ForbiddenError: it has a token, or was begun elsewhere.
    """
    if not is_open(started):
        raise ForbiddenError(episode_id, _elsewhere(started, episode_id))


def _elsewhere(started: EpisodeStarted, episode_id: str) -> str | None:
    if started.token_sha256 is not None:
        return None
    return f"Episode {episode_id[:80]} was not begun through the page: it is played on where it was."


EVERYTHING = Access(
    operator=True
)  # for what never leaves this machine by itself: files that its owner writes


def access_of(request: Request) -> Access:
    """Return what the caller of this request may be told; the guard has checked who it is."""
    settings: Settings = request.app.state.settings
    state: dict[str, Any] = request.scope.get("state", {})
    # Where the server has a token of its own, `Authorization` carries that one.
    token: str | None = request.headers.get(EPISODE_TOKEN) or state.get("bearer")
    return Access(
        operator=bool(state.get("operator")),
        hold_truth=settings.holds_truth,
        token_sha256=None if token is None else hashlib.sha256(token.encode()).hexdigest(),
    )


Caller = Annotated[Access, Depends(access_of)]
