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
)

metadata = MetaData()
_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

events = Table(
    "events",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=True),
    Column("episode_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(32), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("payload", Text, nullable=False),  # JSON without the trajectories
    Column("blob", LargeBinary),  # the trajectories, see physix.store.codec
    Column("recorded_at", String(32), nullable=False),
    UniqueConstraint("episode_id", "version", name="uq_events_episode_version"),
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
    Column("started_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("ix_episodes_position", "position", unique=True),
    Index("ix_episodes_started_at", "started_at"),
    Index("ix_episodes_system_position", "system_id", "position"),
    Index("ix_episodes_policy_position", "policy", "position"),
)

turns = Table(
    "turns",
    metadata,
    Column("episode_id", String(64), primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("position", _BIG, nullable=False),  # of its RewardComputed
    Column("outcome", String(32), nullable=False),
    Column("equation", Text, nullable=False),
    Column("match", Float, nullable=False),
    Column("total", Float, nullable=False),
    Column("generalisation", Float),
    Column("solved", Boolean, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("projection", String(32), primary_key=True),
    Column("position", _BIG, nullable=False),  # of the last event that a running rebuild has taken in
)
