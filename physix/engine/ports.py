"""What the engine needs from the outside: a log to append to, judges that verify, policies that propose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from physix.engine.discovery import Discovery
from physix.engine.events import Event, Provenance, RecordedEvent, RewardMode
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import (
    Constants,
    FunctionSet,
    Hypothesis,
    Mismatch,
    Reward,
    VariableFit,
    Verification,
    VerifierConfig,
)


class EventLog(Protocol):
    """An append-only log of episodes. Every implementation passes the suite in physix.store.contract."""

    async def append(
        self,
        episode_id: str,
        events: Sequence[Event],
        *,
        expected_version: int,
        command_id: str | None = None,
        command_digest: str = "",
        recorded_at: datetime | None = None,
    ) -> tuple[RecordedEvent, ...]:
        """Commit `events` as versions expected_version+1.. in one transaction and return them.

        A `command_id` seen before on this episode with the same digest returns the first answer and
        appends nothing. Only what was appended now holds the very objects of `events`: so a caller
        knows its own turn from one that another sent under the same id. `recorded_at` (UTC) is for
        events that happened elsewhere.

        Raises:
            ConflictError: the stream is at another version (the message names it), the stream
                has finished, or the command id was used with another digest.
            StorageError: the log cannot be written; nothing was appended.
        """
        ...

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """Return the episode's events with version > `after_version`, in order; () if unknown."""
        ...

    async def read_all(
        self,
        *,
        after_position: int = 0,
        episode_ids: Sequence[str] | None = None,
        limit: int = 1000,
    ) -> tuple[RecordedEvent, ...]:
        """Return up to `limit` events with position > `after_position`, in position order."""
        ...

    def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """Yield past events, then live ones as they commit: no gap, no repeat, never ends."""
        ...

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """Return the events a command appended earlier, None if it is new.

        Raises:
            ConflictError: the id was used with another digest.
        """
        ...


class Judge(Protocol):
    """Where hypotheses are verified: off the event loop, which many episodes share."""

    @property
    def waiting(self) -> int:
        """How many hypotheses wait for a core."""
        ...

    async def verify(
        self, task: Task, truth: Truth, hypothesis: Hypothesis, *, best_match: float, config: VerifierConfig
    ) -> Verification:
        """Return what `physix.engine.verifier.verify` does, to the bit.

        Raises:
            InfrastructureError: there is nobody to judge; it says nothing of the hypothesis.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTurn:
    """What an agent knows of an earlier turn."""

    turn: int
    equation: str
    params: dict[str, float | None]
    rationale: str
    fitted: dict[str, float]
    outcome: str
    reward: Reward
    fits: dict[str, VariableFit]
    mismatch: str
    findings: Mismatch | None = None  # what `mismatch` says; None: unparsed, or recorded before it was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a policy sees. Holds no truth and no generalisation score."""

    episode_id: str
    task: Task
    turn: int  # the turn to play next, 1-based
    turns_remaining: int
    reward_mode: RewardMode
    constants: Constants
    solved_threshold: float
    history: tuple[PastTurn, ...]
    functions: FunctionSet = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy's answer."""

    hypothesis: Hypothesis
    provenance: Provenance
    raw_completion: str | None = None
    discovery: Discovery | None = None  # all that a search found, where it has something new to say


TokenSink = Callable[[str], None]


class Policy(Protocol):
    """Whatever proposes hypotheses. One instance plays one episode."""

    @property
    def name(self) -> str:
        """The registry name, e.g. `search`."""
        ...

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """Return the next hypothesis; cancellable. `on_token` receives text while it is written.

        A policy must be able to continue from `observation.history` alone: an episode may be
        resumed in another process.

        Raises:
            PolicyError: the policy or its server failed; the message says what it did.
        """
        ...
