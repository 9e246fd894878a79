"""What lists show: the rows that are projected from events, and how to ask for them.

The tables of `physix.store.sql.schema` and the views of the HTTP API derive from the fields here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel
from sqlmodel._compat import SQLModelConfig

from physix.engine.events import Door
from physix.engine.ports import EventLog
from physix.engine.systems.task import is_measured
from physix.limits import MAX_COMMAND_ID, MAX_EPISODE_ID
from physix.store.moments import microseconds, moment


class Big(TypeDecorator[int]):
    """64 bits. SQLite counts up INTEGER keys only, and its INTEGER has them."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        """See SQLAlchemy."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class Moment(Big):
    """A time, held as microseconds."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """See SQLAlchemy."""
        return value if value is None or isinstance(value, int) else microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """See SQLAlchemy."""
        return None if value is None else moment(value)


class ByCodePoint(TypeDecorator[str]):
    """Text that either database sorts by code point, also along an index."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """See SQLAlchemy."""
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class Blank(ByCodePoint):
    """Text that may be missing, held as "": it then sorts first on either database, and has an index."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """See SQLAlchemy."""
        return value or ""

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """See SQLAlchemy."""
        return value or None


class Opening(SQLModel):
    """What the first event of an episode says of it."""

    system_id: str = Field(max_length=64)
    title: str = Field(sa_type=ByCodePoint)
    tier: int | None
    seed: int | None = Field(sa_type=Big)
    policy: str = Field(max_length=128, sa_type=ByCodePoint)
    door: str = Field(max_length=16)
    max_turns: int
    started_at: datetime = Field(sa_type=Moment)


class Standing(SQLModel):
    """How an episode stands: with `Worth`, what `physix.store.projection.Tally` makes of all its events."""

    status: str = Field(max_length=16, description='"running" or "finished"')
    outcome: str | None = Field(max_length=32, sa_type=Blank, nullable=False)
    turns: int
    parse_failures: int = Field(description="equations that did not parse, replies without one")
    policy_failures: int
    generalisation: float | None = Field(description="of the turn with the best match, the later of equals")
    updated_at: datetime = Field(sa_type=Moment)


class Worth(SQLModel):
    """What the turns of an episode were worth. Every row has it; a list may keep it from its reader."""

    best_match: float
    best_total: float
    total_reward: float = Field(description="sum of the rewards as emitted")


class ListedFields(Standing, Opening):
    """One episode as any list shows it, whoever reads it."""

    episode_id: str = Field(max_length=MAX_EPISODE_ID)


class EpisodeFields(Worth, ListedFields):
    """One episode as a log knows it."""


class EpisodeRow(EpisodeFields):
    """One episode as a log lists it: a projection of its events."""

    model_config = SQLModelConfig(frozen=True)

    position: int  # of its first event: the order of the list
    version: int
    matches: tuple[float, ...]  # r_match per turn
    labels: dict[str, str]  # those it started with, and what was put on it since


# Whose place in an order by worth may be told: of all; of what is played through the page, on measured data
# and on tasks of no evaluation split; of the first two alone.
Ranked = Literal["all", "sampled", "open"]
OPEN_DOOR: Final[Door] = "interactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFilter:
    """Which episodes to list; None means any.

    `text` is looked for, in any case, in id, title and policy; one of three characters or more also in all
    that the policy said (equations, the reasons given, replies of a model), and in the labels of an episode
    that somebody has tagged. `since` and `until` bound the start, in UTC.
    `run` and `step` are the labels that training gives its rollouts; of other `labels`, None is any value.
    `ranked` is for orders by what turns were worth: an order tells what the rows do not.

    Of a task whose truth is held back, what was said and what people put on it tell too much. To the
    public, its episodes are found by their names, run and step alone, and those of an evaluation task not by
    their system or its tier either.
    """

    system: str | None = None
    policy: str | None = None
    outcome: str | None = None
    status: str | None = None
    tier: int | None = None
    text: str | None = None
    since: datetime | None = None  # inclusive
    until: datetime | None = None  # exclusive
    run: str | None = None
    step: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    public: bool = False  # the truth of evaluation tasks is held back,
    holds_sampled: bool = False  # and if public, that of all sampled ones
    ranked: Ranked = "all"

    @property
    def names_system(self) -> bool:
        """Whether being listed tells which system an episode is on, or narrows it."""
        return self.system is not None or self.tier is not None

    def holds_back(self, system_id: str, seed: int | None) -> bool:
        """Tell whether the truth of a task is held back from whoever asks."""
        return self.public and not is_measured(system_id) and (self.holds_sampled or seed is None)


TRIGRAM = 3  # characters: a shorter text is looked for in names alone

SortKey = Literal["started", "system", "policy", "outcome", "turns", "match", "total", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOrder:
    """By what to sort the list; among equals the newest episode comes first.

    `system` is the title as shown, text goes by code point, and `length` is the time from the
    first to the last event. An episode that still runs has the empty outcome.
    """

    by: SortKey = "started"
    descending: bool = True


NEWEST_FIRST = EpisodeOrder()


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePage:
    """Some episodes, in the order asked for, and where the next page starts."""

    items: tuple[EpisodeRow, ...]
    next_cursor: str | None
    total: int  # when the first page was read; a database counts a filter's up to MAX_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRow:
    """One turn as a table shows it: a projection of its three events."""

    episode_id: str
    turn: int
    position: int  # of its RewardComputed
    outcome: str  # of the simulation
    equation: str
    match: float
    total: float
    generalisation: float | None
    solved: bool


class CommandRow(SQLModel):
    """An idempotency key: which request it belongs to, and which events were its answer."""

    episode_id: str = Field(primary_key=True, max_length=MAX_EPISODE_ID)
    command_id: str = Field(primary_key=True, max_length=MAX_COMMAND_ID)
    digest: str = Field(max_length=64)
    first_version: int
    last_version: int


class Log(EventLog, Protocol):
    """An event log with its browsing projection."""

    async def list_episodes(
        self,
        wanted: EpisodeFilter,
        *,
        order: EpisodeOrder = NEWEST_FIRST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EpisodePage:
        """Return a page of episodes.

        Raises:
            BadInputError: the cursor is not one of ours, or is one of another order.
        """
        ...

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """Return the turns of some episodes, by episode and turn."""
        ...

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """Return the commands that appended to some episodes, by episode and version."""
        ...
