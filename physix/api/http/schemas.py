"""What the HTTP API takes and gives. Inner values are the engine's own dataclasses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, TypeAdapter

from physix.api.access import UNNAMED_SYSTEM, Access, Told
from physix.engine import Episode, RecordedEvent, Turn
from physix.engine.comparison import Member
from physix.engine.events import (
    Door,
    EpisodeConfig,
    EpisodeFinished,
    EpisodeStarted,
    FinishReason,
    ForkPoint,
    HypothesisSubmitted,
    PolicyFailed,
    Provenance,
    RewardComputed,
    RewardMode,
    SimulationRun,
)
from physix.engine.outcome import Outcome, take
from physix.engine.systems.measured import Dialect, Problem, Role, RoleKind
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
    FunctionSet,
    Mismatch,
    ParseReport,
    Profile,
    Reward,
    Simulation,
    VariableFit,
)
from physix.limits import (
    DEFAULT_TURNS,
    MAX_COLUMN_NAME,
    MAX_FILE_COLUMNS,
    MAX_HOLD_BACK,
    MAX_MEMBERS,
    MAX_POLICY_NAME,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
    MAX_SYSTEM_ID,
    MAX_TURNS,
    MAX_UNIT,
    PERSON,
)
from physix.store.rows import EpisodeFields, EpisodeRow

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
StrictInt = Annotated[int, Field(strict=True)]


class Body(BaseModel):
    """A request body: an unknown field is a mistake, not an option."""

    model_config = ConfigDict(extra="forbid")


class ColumnRole(Body):
    """What a column of measured data is."""

    kind: RoleKind
    of: str | None = Field(
        default=None, max_length=MAX_COLUMN_NAME, description="rate, sigma: of which column"
    )
    order: Literal[1, 2] | None = Field(
        default=None, description="state without a rate column: 2 estimates its velocity"
    )
    unit: str | None = Field(default=None, max_length=MAX_UNIT, description="replaces what the file says")


class TableBody(Body):
    """A table of measurements and how to read it."""

    csv: str | None = Field(default=None, description="the text of a file of measurements")
    csv_base64: Base64Bytes | None = Field(
        default=None, description="or its bytes, where the server is to find out the encoding"
    )
    roles: dict[str, ColumnRole] = Field(
        default_factory=dict,
        max_length=MAX_FILE_COLUMNS,
        description="what a column is, by its name in /api/csv/check; those not named keep the proposal",
    )
    hold_back: Finite | None = Field(
        default=None,
        ge=0.0,
        le=MAX_HOLD_BACK,
        description="share of the last rows, or of the runs, kept hidden; null: 0.25 from 40 rows on",
    )
    held_back_csv: str | None = Field(default=None, description="another table, kept hidden")
    hint: str = ""
    title: str = ""


class NewTask(TableBody):
    """What to work on, from a system and seed or from a CSV, and by which rules."""

    system_id: str | None = Field(default=None, max_length=MAX_SYSTEM_ID)
    seed: StrictInt = 0
    noise: Finite | None = None
    trajectories: StrictInt = 1
    max_turns: StrictInt = Field(default=DEFAULT_TURNS, ge=1, le=MAX_TURNS)
    profile: Profile = "classic"
    constants: Constants = "declared"
    functions: FunctionSet | None = Field(
        default=None, description="basic or extended; absent: extended for measured data, else basic"
    )
    reward_mode: RewardMode = "total"


class NewSession(NewTask):
    """Start an episode."""

    policy: str = Field(
        default=PERSON, max_length=MAX_POLICY_NAME, description="who will play; `you` for a person"
    )


class NewComparison(NewTask):
    """Start the same task under several policies."""

    policies: list[Annotated[str, Field(min_length=1, max_length=MAX_POLICY_NAME)]] = Field(
        min_length=1, max_length=MAX_MEMBERS
    )


class ForkBody(Body):
    """Where to branch, and who goes on."""

    turn: StrictInt = Field(ge=0, le=MAX_TURNS)
    policy: str | None = Field(default=None, max_length=MAX_POLICY_NAME, description="absent: the original's")
    max_turns: StrictInt | None = Field(default=None, ge=1, le=MAX_TURNS)


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


class HypothesisBody(Body):
    """A person's hypothesis."""

    equation: str = Field(max_length=MAX_RECORDED_EQUATION)
    params: dict[str, Finite | None] = Field(default_factory=dict, max_length=MAX_RECORDED_PARAMS)
    rationale: str = Field(default="", max_length=MAX_RECORDED_RATIONALE)


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


class PolicyBody(Body):
    """Which policy plays; absent: the one the session was started for.

    `temperature` is for chat models; absent, the server's setting holds.
    """

    policy: str | None = Field(default=None, max_length=MAX_POLICY_NAME)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)


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


class EpisodeView(BaseModel):
    """One episode as the projection at a version."""

    episode_id: str
    version: int
    status: Literal["running", "finished"]
    outcome: FinishReason | None
    driven: bool = Field(description="a policy is playing it on this server right now")
    policy: str
    door: Door
    system_id: str
    seed: int | None
    task: Task
    targets: list[Target] = Field(description="the equations that a hypothesis must hold, in task order")
    config: EpisodeConfig
    turns: list[TurnView]
    standing: Standing
    best_match: float
    best_total: float
    truth: TruthView | None
    carried_to: Carried | None = Field(description="what generalisation is measured on")
    engine_version: str
    fingerprint: dict[str, str]
    forked_from: ForkPoint | None
    comparison_id: str | None
    labels: dict[str, str]
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
        truth, task = started.truth, told.task(started.task)
        shown = told.truth and truth.equation is not None
        return cls(
            episode_id=episode.episode_id,
            version=episode.version,
            status="finished" if finished else "running",
            outcome=finished.reason if finished else None,
            driven=driven,
            policy=started.policy,
            door=started.door,
            system_id=task.system_id,
            seed=task.seed,
            task=task,
            targets=list(targets(started.task.variables)),
            config=started.config,
            turns=[TurnView.of(turn, told) for turn in episode.turns],
            standing=Standing.of(episode.outcome, told),
            best_match=episode.best_match,
            best_total=episode.best_total,
            truth=TruthView(equation=truth.equation or "", params=truth.params) if shown else None,
            carried_to=carried_to(started.task, truth),
            engine_version=started.engine_version,
            fingerprint=started.fingerprint,
            forked_from=started.forked_from,
            comparison_id=started.comparison_id,
            labels=started.labels,
            started_at=episode.started_at,
            updated_at=episode.updated_at,
        )


class EpisodeRowView(EpisodeFields):
    """One episode in a list."""

    matches: list[float]

    @classmethod
    def of(cls, row: EpisodeRow, access: Access) -> EpisodeRowView:
        """Project a row. Whether an episode is owned is in no row: while it runs, it is taken to be."""
        view = cls.model_validate(row.model_dump())
        held = access.holds_back(row.system_id, row.seed)
        if held or (row.status == "running" and not access.operator):
            view.generalisation = None
        if held:
            view.seed = None
            if is_evaluation(row.system_id, row.seed):
                view.system_id = UNNAMED_SYSTEM
        return view


class EpisodeList(BaseModel):
    """A page of episodes, newest first."""

    items: list[EpisodeRowView]
    next_cursor: str | None
    total: int = Field(description="of all pages; with a filter, 10,000 stands for that many or more")


class StartedPayload(BaseModel):
    """EpisodeStarted for the public: each field is named here, so that no new secret leaks by default."""

    task: Task
    targets: list[Target] = Field(description="the equations that a hypothesis must hold, in task order")
    config: EpisodeConfig
    carried_to: Carried | None = Field(default=None, description="what generalisation is measured on")
    policy: str
    door: Door
    engine_version: str
    fingerprint: dict[str, str]
    forked_from: ForkPoint | None
    comparison_id: str | None
    labels: dict[str, str]

    @classmethod
    def of(cls, event: EpisodeStarted, told: Told) -> StartedPayload:
        """Leave the truth out."""
        return cls(
            task=told.task(event.task),
            targets=list(targets(event.task.variables)),
            config=event.config,
            carried_to=carried_to(event.task, event.truth),
            policy=event.policy,
            door=event.door,
            engine_version=event.engine_version,
            fingerprint=event.fingerprint,
            forked_from=event.forked_from,
            comparison_id=event.comparison_id,
            labels=event.labels,
        )


class _Envelope(BaseModel):
    episode_id: str
    version: int
    position: int
    recorded_at: datetime


class StartedEvent(_Envelope):
    """An episode began."""

    type: Literal["EpisodeStarted"] = "EpisodeStarted"
    payload: StartedPayload


class SubmittedEvent(_Envelope):
    """A hypothesis was submitted."""

    type: Literal["HypothesisSubmitted"] = "HypothesisSubmitted"
    payload: HypothesisSubmitted


class SimulatedEvent(_Envelope):
    """It was simulated."""

    type: Literal["SimulationRun"] = "SimulationRun"
    payload: SimulationRun


class _Moving(_Envelope):
    standing: Standing | None = Field(
        default=None, description="what the episode has come to with this event; a server always says it"
    )


class RewardedEvent(_Moving):
    """Its reward was computed: the turn is complete."""

    type: Literal["RewardComputed"] = "RewardComputed"
    payload: RewardComputed


class FailedEvent(_Moving):
    """The policy did not answer."""

    type: Literal["PolicyFailed"] = "PolicyFailed"
    payload: PolicyFailed


class FinishedEvent(_Moving):
    """The episode ended."""

    type: Literal["EpisodeFinished"] = "EpisodeFinished"
    payload: EpisodeFinished


PublicEvent = Annotated[
    StartedEvent | SubmittedEvent | SimulatedEvent | RewardedEvent | FailedEvent | FinishedEvent,
    Field(discriminator="type"),
]
PUBLIC_EVENT: TypeAdapter[PublicEvent] = TypeAdapter(PublicEvent)


def public_events(
    events: Sequence[RecordedEvent], access: Access, after_version: int = 0
) -> list[PublicEvent]:
    """Return recorded events as the caller may see them.

    Args:
        events: of one or more episodes, each from its beginning.
        access: who asks.
        after_version: those up to this version are only counted.

    Raises:
        ForbiddenError: the turns of an episode are held back from this caller.
    """
    ended = {one.episode_id for one in events if isinstance(one.event, EpisodeFinished)}
    standings: defaultdict[str, Outcome] = defaultdict(Outcome)
    told: dict[str, Told] = {}
    shown = []
    for recorded in events:
        episode_id, event = recorded.episode_id, recorded.event
        if isinstance(event, EpisodeStarted):
            access.require_read(event, episode_id)
            told[episode_id] = access.told(event, ended=episode_id in ended)
        outcome = standings[episode_id] = take(standings[episode_id], event)
        if recorded.version > after_version:
            shown.append(public_event(recorded, outcome, told[episode_id]))
    return shown


def public_event(recorded: RecordedEvent, outcome: Outcome, told: Told) -> PublicEvent:
    """Return a recorded event as far as it may be told, with what the episode has come to by it."""
    event = recorded.event
    standing = None
    match event:
        case RewardComputed() | PolicyFailed() | EpisodeFinished():
            standing = Standing.of(outcome, told)
        case _:
            pass
    match event:
        case EpisodeStarted():
            payload: object = StartedPayload.of(event, told)
        case RewardComputed():
            # An agent may read this stream while it plays: correctness is told by the episode, once it ended.
            generalisation = event.generalisation if told.generalisation else None
            payload = replace(event, correctness=None, generalisation=generalisation)
        case _:
            payload = event
    return PUBLIC_EVENT.validate_python(
        {
            "type": event.type,
            "episode_id": recorded.episode_id,
            "version": recorded.version,
            "position": recorded.position,
            "recorded_at": recorded.recorded_at,
            "payload": payload,
            **({"standing": standing} if standing else {}),
        }
    )
