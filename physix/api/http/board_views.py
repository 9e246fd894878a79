"""What boards look like over HTTP, and what of them a caller may be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from physix.api.access import Access
from physix.api.http.bodies import Body
from physix.engine.events import FinishReason
from physix.engine.verifier.types import Profile
from physix.limits import (
    DEFAULT_TURNS,
    MAX_BOARD_EPISODES,
    MAX_BOARD_SEEDS,
    MAX_BOARD_WORDS,
    MAX_POLICY_NAME,
    MAX_TITLE,
    MAX_TURNS,
    MIN_TOLD_TOGETHER,
)
from physix.training.board.files import Header, State
from physix.training.board.plan import Plan
from physix.training.board.play import Result, Status
from physix.training.board.suites import SPLITS
from physix.training.board.table import TELL_OF_TRUTH, Difference, Row
from physix.training.intervals import Interval


class SuiteView(BaseModel):
    """A suite that a board can be asked for."""

    name: str
    about: str
    problems: int = Field(
        description="at one seed and one noise level; where seeds are indexes, in the whole suite"
    )
    seeds_are_indexes: bool = Field(description="each seed is one task: seeds 0 to problems - 1")
    takes_seeds: bool
    takes_noise: bool
    operator_only: bool = Field(description="its truth is held back: only the operator starts boards on it")


class NewBoard(Body):
    """What to play: every policy on every problem."""

    name: str = Field(default="", max_length=MAX_TITLE, description="as the list shows it")
    policies: list[Annotated[str, Field(max_length=MAX_POLICY_NAME)]] = Field(
        min_length=1, max_length=MAX_BOARD_WORDS
    )
    suites: list[Annotated[str, Field(max_length=64)]] = Field(
        min_length=1, max_length=MAX_BOARD_WORDS, description="e.g. odebench, real, builtin:damped_spring"
    )
    first_seed: int = Field(default=0, ge=0, le=2**40)
    seeds: int = Field(default=1, ge=1, le=MAX_BOARD_SEEDS)
    noises: list[float | None] = Field(
        default=[None], min_length=1, max_length=16, description="shares; null: as the suite has it"
    )
    drop: float = Field(default=0.0, ge=0.0, le=0.9, description="share of ODEBench's samples left out")
    profile: Profile = "strict"
    max_turns: int = Field(default=DEFAULT_TURNS, ge=1, le=MAX_TURNS)
    repetitions: int = Field(default=1, ge=1, le=100)
    concurrency: int = Field(default=2, ge=1, le=256, description="episodes at a time, as the server allows")

    def plan(self, board_id: str) -> Plan:
        """Return it as what a board plays.

        Raises:
            BadInputError: it cannot be played.
        """
        return Plan(
            name=board_id,
            policies=tuple(self.policies),
            suites=tuple(self.suites),
            seeds=tuple(range(self.first_seed, self.first_seed + self.seeds)),
            noises=tuple(self.noises),
            drop=self.drop,
            profile=self.profile,
            max_turns=self.max_turns,
            repetitions=self.repetitions,
        )


class EstimateView(BaseModel):
    """What a board would cost; nothing is started."""

    episodes: int
    turns_at_most: int
    most_episodes: int = MAX_BOARD_EPISODES
    cannot_be_asked: dict[str, int] = Field(description="policy to episodes it has no way to read")
    cpu_s: float | None = Field(description="by what these policies took on boards known here")
    concurrency: int = Field(description="as this server allows")
    seconds: float | None = Field(description="cpu_s shared by the workers")
    unknown: list[str] = Field(description="policies that no board here tells the cost of")


class PlanView(BaseModel):
    """What a board plays."""

    policies: list[str]
    suites: list[str]
    first_seed: int
    seeds: int
    noises: list[float | None]
    drop: float
    profile: Profile
    max_turns: int
    repetitions: int


class BoardSummary(BaseModel):
    """One board in the list, and in its stream."""

    id: str
    name: str
    state: State
    by: Literal["operator", "player"]
    created_at: datetime
    updated_at: datetime
    plan: PlanView
    done: int
    total: int
    errors: int = Field(description="episodes whose worker or server broke; they say nothing of a policy")
    eta_s: float | None
    played_s: float
    concurrency: int
    command: str
    note: str
    versions: dict[str, str]


class IntervalView(BaseModel):
    """A share or a mean with its 95 % interval; null where the data say nothing of it."""

    mean: float | None
    low: float | None
    high: float | None


class BoardRowView(BaseModel):
    """One policy on one suite at one noise level."""

    policy: str
    suite: str
    noise: float | None
    n: int = Field(description="episodes that count; not_asked are among them, as failures")
    not_asked: int
    failed: int
    parse_failures: int
    errors: int
    cpu_median_s: float | None
    cpu_most_s: float | None
    metrics: dict[str, IntervalView]
    withheld: list[str] = Field(description="metrics that are not told to this caller")
    why_withheld: str | None


class DifferenceView(BaseModel):
    """How much better a policy is than another on the very same tasks."""

    policy: str
    than: str
    suite: str
    noise: float | None
    metric: str
    n: int
    interval: IntervalView


class CeilingView(BaseModel):
    """What ODEBench's own truths reach under this evaluator."""

    reconstructed: int
    generalised: int
    n: int


class BoardView(BoardSummary):
    """A board with its table."""

    rows: list[BoardRowView]
    systems: list[BoardRowView] = Field(
        description="the rows of `builtin` system by system; `suite` is `builtin:SYSTEM`"
    )
    than: str | None = Field(description="the policy that the differences are to")
    differences: list[DifferenceView]
    ceiling: CeilingView | None


class BoardEpisodeView(BaseModel):
    """One episode of a board; what tells of the truth is for the operator."""

    episode_id: str
    policy: str
    suite: str
    case: str
    seed: int
    noise: float | None
    repetition: int
    status: Status
    reason: FinishReason | None
    note: str
    solved: bool
    turns: int
    cpu_s: float | None
    match: float | None = Field(description="null where the task is held back: half of it tells of the truth")
    reconstructed: bool | None = None
    generalised: bool | None = None
    recovered: bool | None = None
    form: bool | None = None
    generalisation: float | None = None


class BoardEpisodeList(BaseModel):
    """Episodes of a board, in the order in which they ended."""

    items: list[BoardEpisodeView]
    total: int


class BoardList(BaseModel):
    """The boards, newest first."""

    items: list[BoardSummary]


def why_withheld(row: Row, header: Header, caller: Access, *, least: int | None = None) -> str | None:
    """Return why a row's metrics that tell of the truth are kept from a caller; None: they are told.

    Args:
        least: episodes of the smallest of the rows whose sum is told too. Where one of them is too small to
            be told none is: the sum less the others would be it.
    """
    if caller.operator:
        return None
    if is_held(row.suite, caller):
        if header.by == "player":
            # Boards of their own choice would let a player ask for one task as the difference of two.
            return "the truth of these tasks is held back, and the board is not the operator's"
        if header.state != "finished":
            # Two looks at a board between which one episode ended differ by that episode.
            return "the truth of these tasks is held back, and the board has not finished"
    if (row.n if least is None else least) < MIN_TOLD_TOGETHER:
        return f"told over {MIN_TOLD_TOGETHER} episodes and more, or to the operator"
    return None


def is_held(suite: str, caller: Access) -> bool:
    """Tell whether the truth of a suite's tasks is kept from a caller."""
    name = suite.partition(":")[0]
    return not caller.operator and (name in SPLITS or (name == "builtin" and caller.holds_back(name, 0)))


def secret_metrics(suite: str, caller: Access) -> tuple[str, ...]:
    """Return the metrics that say of a single episode what a caller may not be told of it.

    Of tasks held back the match is one: under `strict` half of it is how far the law carries over.
    """
    return (*TELL_OF_TRUTH, "match") if is_held(suite, caller) else TELL_OF_TRUTH


def system_views(systems: Sequence[Row], header: Header, caller: Access) -> list[BoardRowView]:
    """Return rows that together are rows of the table, as far as the caller may be told of them."""
    least: dict[tuple[str, float | None], int] = {}
    for row in systems:
        key = row.policy, row.noise
        least[key] = min(row.n, least.get(key, row.n))
    return [
        row_view(row, caller, why_withheld(row, header, caller, least=least[row.policy, row.noise]))
        for row in systems
    ]


def difference_told(one: Difference, caller: Access, rows: Sequence[BoardRowView]) -> bool:
    """Tell whether a caller may be told a difference; `rows` are those of the two policies.

    One of fewer tasks than a row is of would tell, with the other row, what the tasks left out are worth.
    """
    if any(one.metric in row.withheld for row in rows):
        return False
    if caller.operator or one.metric not in secret_metrics(one.suite, caller):
        return True
    return one.n >= MIN_TOLD_TOGETHER and all(one.n == row.n for row in rows)


def row_view(row: Row, caller: Access, why: str | None) -> BoardRowView:
    """Return a row of the table; `why` is the reason for which what tells of the truth is left out."""
    withheld = [name for name in row.metrics if name in secret_metrics(row.suite, caller)] if why else []
    metrics = {name: interval_view(one) for name, one in row.metrics.items() if name not in withheld}
    return BoardRowView(
        **{**asdict(row), "metrics": metrics}, withheld=withheld, why_withheld=why if withheld else None
    )


def interval_view(found: Interval) -> IntervalView:
    """Return an interval."""
    return IntervalView(mean=found.mean, low=found.low, high=found.high)


def episode_view(one: Result, caller: Access) -> BoardEpisodeView:
    """Return one episode of a board, as far as the caller may be told what it is worth."""
    secret = set() if caller.operator else set(secret_metrics(one.suite, caller))
    told = {name: None if name in secret else value for name, value in asdict(one).items()}
    return BoardEpisodeView.model_validate({name: told[name] for name in BoardEpisodeView.model_fields})
