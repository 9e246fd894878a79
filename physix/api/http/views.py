"""What clients are told. Inner values are the engine's own dataclasses."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from physix.api.access import UNNAMED_SYSTEM, Access, Told
from physix.engine import Episode, EpisodeStarted, Turn
from physix.engine.comparison import Member
from physix.engine.events import Door, EpisodeConfig, FinishReason, ForkPoint, Provenance
from physix.engine.outcome import Outcome
from physix.engine.systems.measured import Dialect, Problem, Role
from physix.engine.systems.targets import Target, targets
from physix.engine.systems.task import (
    Carried,
    InputVariable,
    Noise,
    StateVariable,
    Task,
    Trajectory,
    carried_to,
    is_evaluation,
)
from physix.engine.verifier.types import (
    Constants,
    Correctness,
    Mismatch,
    ParseReport,
    Reward,
    Simulation,
    VariableFit,
)
from physix.store.rows import OPEN_DOOR, EpisodeRow, ListedFields


class ColumnView(BaseModel):
    """One column of a file, its role, and why."""

    name: str
    label: str
    unit: str | None
    role: Role
    why: str
    first: list[float | None]  # values of the first rows; null: no number


class TableView(BaseModel):
    """How a table was read. What comes of it is there only if no problem is an error."""

    file_rows: int
    dialect: Dialect
    columns: list[ColumnView]
    problems: list[Problem]
    rows: int = 0  # shown
    held_back_rows: int = 0
    time_unit: str | None = None
    variables: list[StateVariable] = []
    inputs: list[InputVariable] = []
    noise: float = 0.0
    noises: list[Noise] = []
    shown: list[Trajectory] = []


class Standing(BaseModel):
    """What an episode has come to. By `physix.engine.outcome`: the best turn is the later one of equals."""

    status: Literal["running", "finished"]
    outcome: FinishReason | None
    turns: int
    turns_to_solve: int | None
    best_turn: int | None
    best_match: float
    best_total: float
    total_reward: float = Field(description="sum of the emitted rewards")
    generalisation: float | None = Field(description="of the best turn")
    parse_failures: int = Field(description="equations that did not parse and replies without a hypothesis")
    policy_failures: int
    policy_failure: str | None = Field(description="why the policy failed last; None if it never did")

    @classmethod
    def of(cls, outcome: Outcome, told: Told) -> Standing:
        """Project an outcome as far as it may be told."""
        return cls(**_standing(outcome, told))


def _standing(outcome: Outcome, told: Told) -> dict[str, Any]:
    fields = asdict(outcome)
    if not told.generalisation:
        fields["generalisation"] = None
    fields["outcome"] = fields.pop("reason")
    status = "finished" if outcome.reason else "running"
    return {**fields, "status": status, "turns_to_solve": outcome.turns_to_solve}


class MemberView(Standing):
    """One policy's episode in a comparison, and how it stands."""

    episode_id: str
    policy: str
    driven: bool

    @classmethod
    def of_member(cls, member: Member, told: Told, *, driven: bool) -> MemberView:
        """Project a member."""
        return cls(
            **_standing(member.outcome, told),
            episode_id=member.episode_id,
            policy=member.policy,
            driven=driven,
        )


class ComparisonView(BaseModel):
    """Several episodes on the same task."""

    comparison_id: str
    status: Literal["running", "finished"]
    system_id: str
    seed: int | None
    title: str
    members: list[MemberView]


class PreviewView(BaseModel):
    """What a hypothesis says, before a turn is spent on it: no reward, nothing compared with the data."""

    parse: ParseReport
    simulation: Simulation


class PromptMessage(BaseModel):
    """One message of a prompt."""

    role: str
    content: str


class PromptView(BaseModel):
    """What a policy was asked for a turn. `exact`: by the recorded hash it was word for word this."""

    turn: int
    messages: list[PromptMessage]
    prompt_version: str
    exact: bool


class SystemView(BaseModel):
    """A system that can be sampled."""

    id: str
    title: str
    tier: int
    held_out: bool
    description: str
    hard: str = Field(description="what is hard about finding its law")
    picture: Trajectory = Field(
        description="a motion of it, thinned and rounded: for a picture, not for fits"
    )
    variables: list[StateVariable]
    functions: list[str]


class PolicyView(BaseModel):
    """A policy and whether it can play right now."""

    name: str
    title: str
    description: str
    reachable: bool
    reason: str | None
    command: str | None
    is_default: bool
    constants: Constants | None = Field(None, description="the setting it is made for; null: any")


class TurnView(BaseModel):
    """One complete turn."""

    turn: int
    equation: str
    params: dict[str, float | None]
    rationale: str
    parse: ParseReport
    simulation: Simulation
    reward: Reward
    emitted: float
    fits: dict[str, VariableFit]
    generalisation: float | None
    match_dense: float | None
    correctness: Correctness | None = Field(
        description="against the true law; only when the episode has ended"
    )
    mismatch: str
    findings: Mismatch | None = Field(description="what `mismatch` says, as a value")
    solved: bool
    raw_completion: str | None
    provenance: Provenance
    recorded_at: datetime

    @classmethod
    def of(cls, turn: Turn, told: Told) -> TurnView:
        """Flatten the three events of a turn, as far as they may be told."""
        submitted, rewarded = turn.submitted, turn.rewarded
        return cls(
            turn=turn.number,
            equation=submitted.equation,
            params=submitted.params,
            rationale=submitted.rationale,
            parse=submitted.parse,
            simulation=turn.simulated.simulation,
            reward=rewarded.reward,
            emitted=rewarded.emitted,
            fits=rewarded.fits,
            generalisation=rewarded.generalisation if told.generalisation else None,
            match_dense=rewarded.match_dense,
            correctness=rewarded.correctness if told.truth else None,
            mismatch=rewarded.mismatch,
            findings=rewarded.findings,
            solved=rewarded.solved,
            raw_completion=submitted.raw_completion,
            provenance=submitted.provenance,
            recorded_at=turn.recorded_at,
        )


class TruthView(BaseModel):
    """The law behind the motion; shown only when the episode has ended."""

    equation: str
    params: dict[str, float]


class StartedPayload(BaseModel):
    """EpisodeStarted for the public: each field is named here, so that no new secret leaks by default."""

    task: Task
    targets: list[Target] = Field(description="the equations that a hypothesis must hold, in task order")
    config: EpisodeConfig
    carried_to: Carried | None = Field(description="what generalisation is measured on")
    policy: str
    door: Door
    engine_version: str
    fingerprint: dict[str, str]
    forked_from: ForkPoint | None
    comparison_id: str | None
    labels: dict[str, str]

    @staticmethod
    def of_started(started: EpisodeStarted, told: Told) -> StartedPayload:
        """Leave the truth out, and of the task what may not be told."""
        return StartedPayload(
            task=told.task(started.task),
            targets=list(targets(started.task.variables)),
            config=started.config,
            carried_to=carried_to(started.task, started.truth),
            policy=started.policy,
            door=started.door,
            engine_version=started.engine_version,
            fingerprint=started.fingerprint,
            forked_from=started.forked_from,
            comparison_id=started.comparison_id,
            labels=started.labels,
        )


class EpisodeView(StartedPayload):
    """One episode as the projection at a version."""

    episode_id: str
    version: int
    status: Literal["running", "finished"]
    outcome: FinishReason | None
    driven: bool = Field(description="a policy is playing it on this server right now")
    system_id: str
    seed: int | None
    turns: list[TurnView]
    standing: Standing
    best_match: float
    best_total: float
    truth: TruthView | None
    labels: dict[str, str] = Field(description="tags have no value; the note is `note`")
    fixed_labels: list[str] = Field(description="names of those it started with, which stay")
    started_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, episode: Episode, access: Access, *, driven: bool) -> EpisodeView:
        """Project an episode: no truth before the end, never the hidden trajectories.

        Raises:
            ForbiddenError: its turns are held back from this caller.
        """
        access.require_read(episode.started, episode.episode_id)
        started, finished = episode.started, episode.finished
        told = access.told(started, ended=finished is not None)
        began = StartedPayload.of_started(started, told)
        truth = started.truth
        shown = told.truth and truth.equation is not None
        return cls(
            **dict(began) | {"labels": episode.labels if told.labels else started.labels},
            episode_id=episode.episode_id,
            version=episode.version,
            status="finished" if finished else "running",
            outcome=finished.reason if finished else None,
            driven=driven,
            system_id=began.task.system_id,
            seed=began.task.seed,
            turns=[TurnView.of(turn, told) for turn in episode.turns],
            standing=Standing.of(episode.outcome, told),
            best_match=episode.best_match,
            best_total=episode.best_total,
            truth=TruthView(equation=truth.equation or "", params=truth.params) if shown else None,
            fixed_labels=list(started.labels),
            started_at=episode.started_at,
            updated_at=episode.updated_at,
        )


class EpisodeRowView(ListedFields):
    """One episode in a list. What its turns were worth is null where they are held back from the caller."""

    best_match: float | None
    best_total: float | None
    total_reward: float | None = Field(description="sum of the rewards as emitted")
    matches: list[float]
    labels: dict[str, str] = Field(description="none where the task's truth is held back from the caller")

    @classmethod
    def of(cls, row: EpisodeRow, access: Access) -> EpisodeRowView:
        """Project a row. Whether an episode is owned is in no row: while it runs, it is taken to be."""
        view = cls.model_validate(row.model_dump())
        held = access.holds_back(row.system_id, row.seed)
        if held or (row.status == "running" and not access.operator):
            view.generalisation = None
        if held:
            view.seed, view.labels = None, {}
            if is_evaluation(row.system_id, row.seed):
                view.system_id, view.tier = UNNAMED_SYSTEM, None
            if row.door != OPEN_DOOR:
                # Under `strict` half of a match is how far the law carries over.
                view.best_match = view.best_total = view.total_reward = None
                view.matches = []
        return view


class EpisodeList(BaseModel):
    """A page of episodes, newest first."""

    items: list[EpisodeRowView]
    next_cursor: str | None
    total: int = Field(description="of all pages; with a filter, 10,000 stands for that many or more")
