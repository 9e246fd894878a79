"""The tables. Alembic creates them; this is what the code reads and what drift is checked against.

Rows are never built from these classes on the way in: it costs 22 times the insert. Appends move
positional tuples, in the order of a table's columns, straight to the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter

from sqlalchemy import Index, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from physix.limits import MAX_EPISODE_ID
from physix.store.projection import LABELLED, storable
from physix.store.rows import Big, CommandRow, EpisodeFields

metadata = MetaData()
# By what a list is narrowed or sorted, each with an index that ends in the position.
ORDERS = ("status", "outcome", "tier", "title", "turns", "best_match", "best_total", "length")
_PRESENT = text("episode_id IS NOT NULL")
_LABELLED = text(f"type = '{LABELLED}'")


class _Table(SQLModel, registry=registry(metadata=metadata)):
    """Keeps our tables out of SQLModel's own metadata, which a host application may use."""

    metadata = metadata


class EventRecord(_Table, table=True):
    """One event, without its trajectories."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("stream", "version", name="uq_events_stream_version"),
        Index(
            "ix_events_episode_id",
            "episode_id",
            unique=True,
            sqlite_where=_PRESENT,
            postgresql_where=_PRESENT,
        ),
        Index(
            "ix_events_labelled",
            "stream",
            "version",
            sqlite_where=_LABELLED,
            postgresql_where=_LABELLED,
        ),
    )

    position: int = Field(primary_key=True, sa_type=Big, sa_column_kwargs={"autoincrement": False})
    # Position of the episode's first event: 8 bytes a row and index entry where its id takes up to 64.
    stream: int = Field(sa_type=Big)
    version: int
    type: str = Field(max_length=32)
    schema_version: int
    recorded_at: int = Field(sa_type=Big)  # microseconds: a pass over events makes no datetimes
    episode_id: str | None = Field(max_length=MAX_EPISODE_ID)  # on first events only
    # What lists show of a turn, on its RewardComputed; `outcome` also on EpisodeFinished.
    turn: int | None
    outcome: str | None = Field(max_length=32)  # of the simulation; why the episode finished
    match: float | None
    total: float | None
    generalisation: float | None
    solved: bool | None
    emitted: float | None
    payload: str = Field(sa_type=Text)  # JSON without the trajectories
    seal: bytes | None = Field(sa_type=LargeBinary)  # on the last event of a transaction: physix.store.seals


class TrajectoryRecord(_Table, table=True):
    """The arrays of an event; apart, so that a pass over a log reads a quarter of its bytes."""

    __tablename__ = "trajectories"

    # Of the event they belong to.
    position: int = Field(primary_key=True, sa_type=Big, sa_column_kwargs={"autoincrement": False})
    blob: bytes = Field(sa_type=LargeBinary)  # see physix.store.codec


class CommandRecord(_Table, CommandRow, table=True):
    """An idempotency key."""

    __tablename__ = "commands"


class EpisodeRecord(_Table, EpisodeFields, table=True):
    """The projection of an episode's events."""

    __tablename__ = "episodes"
    __table_args__ = (
        Index("ix_episodes_position", "position", unique=True),
        Index("ix_episodes_started_at", "started_at"),
        Index("ix_episodes_system_position", "system_id", "position"),
        Index("ix_episodes_policy_position", "policy", "position"),
        *(Index(f"ix_episodes_{name}", name, "position") for name in ORDERS),
    )

    episode_id: str = Field(primary_key=True, max_length=MAX_EPISODE_ID)
    position: int = Field(sa_type=Big)  # of the first event
    version: int
    length: int = Field(sa_type=Big)  # microseconds from the first event to the last


class LabelRecord(_Table, table=True):
    """One label of an episode: a projection of its first event, and of what was put on it since."""

    __tablename__ = "labels"
    __table_args__ = (Index("ix_labels_value", "name", "value", "position"),)

    # Of the episode's first event.
    position: int = Field(primary_key=True, sa_type=Big, sa_column_kwargs={"autoincrement": False})
    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class CheckpointRecord(_Table, table=True):
    """How far a running rebuild has come."""

    __tablename__ = "checkpoints"

    projection: str = Field(primary_key=True, max_length=32)
    position: int = Field(sa_type=Big)  # of the last event taken in


events = metadata.tables["events"]
trajectories = metadata.tables["trajectories"]
labels = metadata.tables["labels"]
commands = metadata.tables["commands"]
episodes = metadata.tables["episodes"]
checkpoints = metadata.tables["checkpoints"]


def labels_of(position: int, labels: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """Return the rows of `labels` for an episode, by the position of its first event."""
    return [(position, storable(name), storable(value)) for name, value in labels.items()]


_ordered = itemgetter(*episodes.columns.keys())


def episode_values(row: Mapping[str, object]) -> tuple[object, ...]:
    """Return a row of `episodes`, given by name, in the order of its columns."""
    values: tuple[object, ...] = _ordered(row)
    return values
