"""The seven things that can happen in an episode. Past tense, immutable, finite numbers only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from physix.engine.discovery import Discovery
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import (
    Correctness,
    Mismatch,
    ParseReport,
    Reward,
    Simulation,
    VariableFit,
    VerifierConfig,
)
from physix.limits import DEFAULT_TURNS

SCHEMA_VERSION = 4

RewardMode = Literal["total", "gain"]
# `fits`: it passed on what was shown, and nothing was held back that could confirm it.
FinishReason = Literal["solved", "fits", "budget_exhausted", "abandoned", "policy_failed"]
Door = Literal["openenv", "interactive", "cli", "training", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeConfig:
    """The rules of one episode."""

    verifier: VerifierConfig = field(default_factory=VerifierConfig)
    max_turns: int = DEFAULT_TURNS
    reward_mode: RewardMode = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkPoint:
    """The episode and turn that another episode branched from."""

    episode_id: str
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a hypothesis came from, as far as its policy can tell."""

    policy: str
    model: str | None = None
    sampling: dict[str, float] = field(default_factory=dict)
    latency_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_sha256: str | None = None
    prompt_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeStarted:
    """A task was handed to a policy. `truth` is never part of an agent-facing view."""

    type: Literal["EpisodeStarted"] = "EpisodeStarted"
    task: Task
    truth: Truth
    config: EpisodeConfig
    policy: str
    door: Door
    rules: int  # of the verdict, `physix.engine.verifier.types.RULES` at the time
    engine_version: str
    fingerprint: dict[str, str]
    forked_from: ForkPoint | None = None
    comparison_id: str | None = None
    token_sha256: str | None = None  # of the secret that lets a client resume the episode
    labels: dict[str, str] = field(default_factory=dict)  # whatever a run wants to find it by


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisSubmitted:
    """A turn began: the text as it came, and what the parser made of it."""

    type: Literal["HypothesisSubmitted"] = "HypothesisSubmitted"
    turn: int
    equation: str
    params: dict[str, float | None]
    rationale: str
    raw_completion: str | None = None
    provenance: Provenance
    parse: ParseReport
    discovery: Discovery | None = None  # all that the policy found, where it is new with this turn


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRun:
    """The hypothesis was integrated, or could not be."""

    type: Literal["SimulationRun"] = "SimulationRun"
    turn: int
    simulation: Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardComputed:
    """The turn is complete: its reward and what the agent reads about it.

    `emitted` is the number handed to an RL consumer under the episode's reward mode.
    """

    type: Literal["RewardComputed"] = "RewardComputed"
    turn: int
    reward: Reward
    emitted: float
    fits: dict[str, VariableFit]
    generalisation: float | None
    mismatch: str
    solved: bool
    match_dense: float | None = None
    correctness: Correctness | None = None
    passed: bool = False  # on what is shown; nothing is held back that could confirm it
    findings: Mismatch | None = (
        None  # what `mismatch` says, as a value; None: unparsed, or recorded before it was kept
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFailed:
    """A policy or its server did not produce a hypothesis."""

    type: Literal["PolicyFailed"] = "PolicyFailed"
    turn: int
    policy: str
    reason: str
    attempt: int
    attempts_allowed: int
    raw_completion: str | None = None  # a reply that held no hypothesis; None: there was no reply


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeLabelled:
    """Somebody tagged an episode or wrote a note on it, while it ran or after. It is part of no turn."""

    type: Literal["EpisodeLabelled"] = "EpisodeLabelled"
    labels: dict[str, str | None]  # what changes; None takes a label away


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFinished:
    """Nothing but labels follows this in a stream."""

    type: Literal["EpisodeFinished"] = "EpisodeFinished"
    reason: FinishReason
    turns: int
    best_match: float
    best_total: float


Event = (
    EpisodeStarted
    | HypothesisSubmitted
    | SimulationRun
    | RewardComputed
    | PolicyFailed
    | EpisodeLabelled
    | EpisodeFinished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event with its place in the log."""

    episode_id: str
    version: int  # 1..n within the episode, without holes
    position: int  # increasing over the whole log
    recorded_at: datetime  # UTC
    event: Event
