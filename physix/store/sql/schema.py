"""The tables. Alembic creates them; this is what the code reads and what drift is checked against."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()
_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

events = Table(
    "events",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),
    # Position of the episode's first event: 8 bytes a row and index entry where its id takes up to 64.
    Column("stream", _BIG, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(32), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("recorded_at", _BIG, nullable=False),  # microseconds since 1970-01-01 UTC
    Column("episode_id", String(64)),  # on first events only
    # What lists show of a turn, on its RewardComputed; `outcome` also on EpisodeFinished.
    Column("turn", Integer),
    Column("outcome", String(32)),  # of the simulation; why the episode finished
    Column("match", Float),
    Column("total", Float),
    Column("generalisation", Float),
    Column("solved", Boolean),
    Column("payload", Text, nullable=False),  # JSON without the trajectories
    UniqueConstraint("stream", "version", name="uq_events_stream_version"),
    Index(
        "ix_events_episode_id",
        "episode_id",
        unique=True,
        sqlite_where=text("episode_id IS NOT NULL"),
        postgresql_where=text("episode_id IS NOT NULL"),
    ),
)

# Apart from the events, so that a pass over a log reads a quarter of its bytes.
trajectories = Table(
    "trajectories",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),  # of the event they belong to
    Column("blob", LargeBinary, nullable=False),  # see physix.store.codec
)

commands = Table(
    "commands",
    metadata,
    Column("episode_id", String(64), primary_key=True),
    Column("command_id", String(128), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("first_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),
)

episodes = Table(
    "episodes",
    metadata,
    Column("episode_id", String(64), primary_key=True),
    Column("position", _BIG, nullable=False),
    Column("version", Integer, nullable=False),
    Column("system_id", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("tier", Integer),
    Column("seed", _BIG),
    Column("policy", String(128), nullable=False),
    Column("door", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("outcome", String(32)),
    Column("turns", Integer, nullable=False),
    Column("max_turns", Integer, nullable=False),
    Column("best_match", Float, nullable=False),
    Column("best_total", Float, nullable=False),
    Column("generalisation", Float),
    Column("started_at", _BIG, nullable=False),  # microseconds since 1970-01-01 UTC
    Column("updated_at", _BIG, nullable=False),
    Index("ix_episodes_position", "position", unique=True),
    Index("ix_episodes_started_at", "started_at"),
    Index("ix_episodes_system_position", "system_id", "position"),
    Index("ix_episodes_policy_position", "policy", "position"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("projection", String(32), primary_key=True),
    Column("position", _BIG, nullable=False),  # of the last event that a running rebuild has taken in
)
