"""Short keys and whole numbers in place of repeated text; a turn's numbers beside its event.

A row of `events` names its episode by the position of the episode's first event, and its time by
microseconds; trajectories have a table of their own. The projection of turns goes: what it held
are columns of RewardComputed rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 500  # rows of events, with their trajectories, in memory at once


def upgrade() -> None:
    """Write every event anew; the list of episodes starts empty and is rebuilt after the migration."""
    new = op.create_table(
        "events_0003",
        sa.Column("position", _BIG, primary_key=True, autoincrement=False),
        sa.Column("stream", _BIG, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("recorded_at", _BIG, nullable=False),
        sa.Column("episode_id", sa.String(64)),
        sa.Column("turn", sa.Integer),
        sa.Column("outcome", sa.String(32)),
        sa.Column("match", sa.Float),
        sa.Column("total", sa.Float),
        sa.Column("generalisation", sa.Float),
        sa.Column("solved", sa.Boolean),
        sa.Column("payload", sa.Text, nullable=False),
        sa.UniqueConstraint("stream", "version", name="uq_events_stream_version"),
    )
    blobs = op.create_table(
        "trajectories",
        sa.Column("position", _BIG, primary_key=True, autoincrement=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
    )
    rows = _read(
        "SELECT e.*, f.position AS stream FROM events e "
        "JOIN events f ON f.episode_id = e.episode_id AND f.version = 1"
    )
    outcome = None
    for chunk in rows:
        written = []
        for row in chunk:
            payload = json.loads(row["payload"])
            if row["type"] == "SimulationRun":
                # The three events of a turn follow each other: they are appended in one piece.
                outcome = payload["simulation"]["outcome"]
            written.append(
                {
                    **{name: row[name] for name in ("position", "stream", "version", "type")},
                    **{name: row[name] for name in ("schema_version", "payload")},
                    "recorded_at": _microseconds(row["recorded_at"]),
                    "episode_id": row["episode_id"] if row["version"] == 1 else None,
                    **_shown(row["type"], payload, outcome),
                }
            )
        op.bulk_insert(new, written)
        op.bulk_insert(
            blobs,
            [{"position": row["position"], "blob": row["blob"]} for row in chunk if row["blob"] is not None],
        )
    op.drop_table("events")
    op.rename_table("events_0003", "events")
    present = sa.text("episode_id IS NOT NULL")
    op.create_index(
        "ix_events_episode_id",
        "events",
        ["episode_id"],
        unique=True,
        sqlite_where=present,
        postgresql_where=present,
    )
    _make_immutable("events")
    _make_immutable("trajectories")
    op.drop_table("turns")
    _begin_episodes_anew(_BIG)


def downgrade() -> None:
    """Write every event as revision 0002 did; both projections are rebuilt by the program that reads it."""
    old = op.create_table(
        "events_0002",
        sa.Column("position", _BIG, primary_key=True, autoincrement=True),
        sa.Column("episode_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.Column("blob", sa.LargeBinary),
        sa.UniqueConstraint("episode_id", "version", name="uq_events_episode_version"),
    )
    rows = _read(
        "SELECT e.*, t.blob, f.episode_id AS name FROM events e JOIN events f ON f.position = e.stream "
        "LEFT JOIN trajectories t ON t.position = e.position"
    )
    for chunk in rows:
        written = [
            {
                **{name: row[name] for name in ("position", "version", "type", "schema_version", "blob")},
                "episode_id": row["name"],
                "payload": _complete(row["type"], row["payload"]),
                "recorded_at": (_EPOCH + timedelta(microseconds=row["recorded_at"])).isoformat(
                    timespec="microseconds"
                ),
            }
            for row in chunk
        ]
        op.bulk_insert(old, written)
    op.drop_table("events")
    op.drop_table("trajectories")
    op.rename_table("events_0002", "events")
    _make_immutable("events")
    op.create_table(
        "turns",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("turn", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("equation", sa.Text, nullable=False),
        sa.Column("match", sa.Float, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("generalisation", sa.Float),
        sa.Column("solved", sa.Boolean, nullable=False),
    )
    _begin_episodes_anew(sa.String(32))


def _read(query: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a query over `events e` in position order, in chunks."""
    connection = op.get_bind()
    after = 0
    while True:
        statement = sa.text(f"{query} WHERE e.position > :after ORDER BY e.position LIMIT {_CHUNK}")
        chunk = [dict(row._mapping) for row in connection.execute(statement, {"after": after})]
        if not chunk:
            return
        yield chunk
        after = chunk[-1]["position"]


def _shown(kind: str, payload: dict[str, Any], outcome: str | None) -> dict[str, Any]:
    nothing = dict.fromkeys(("turn", "outcome", "match", "total", "generalisation", "solved"))
    if kind == "EpisodeFinished":
        return {**nothing, "outcome": payload["reason"]}
    if kind != "RewardComputed":
        return nothing
    return {
        "turn": payload["turn"],
        "outcome": outcome,
        "match": payload["reward"]["match"],
        "total": payload["reward"]["total"],
        "generalisation": payload["generalisation"],
        "solved": payload["solved"],
    }


def _complete(kind: str, text: str) -> str:
    """Return a payload with the fields that 0002 always wrote."""
    payload = {"type": kind, **json.loads(text)}
    if kind == "HypothesisSubmitted":
        payload.setdefault("raw_completion", None)
    if kind == "SimulationRun":
        payload["simulation"].setdefault("predictions", [])
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


def _microseconds(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)


def _begin_episodes_anew(time: Any) -> None:
    """Create an empty list of episodes whose times have a type, and leave a rebuild pending."""
    op.drop_table("episodes")
    op.create_table(
        "episodes",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("system_id", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("tier", sa.Integer),
        sa.Column("seed", _BIG),
        sa.Column("policy", sa.String(128), nullable=False),
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(32)),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("max_turns", sa.Integer, nullable=False),
        sa.Column("best_match", sa.Float, nullable=False),
        sa.Column("best_total", sa.Float, nullable=False),
        sa.Column("generalisation", sa.Float),
        sa.Column("started_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
    )
    op.create_index("ix_episodes_position", "episodes", ["position"], unique=True)
    op.create_index("ix_episodes_started_at", "episodes", ["started_at"])
    op.create_index("ix_episodes_system_position", "episodes", ["system_id", "position"])
    op.create_index("ix_episodes_policy_position", "episodes", ["policy", "position"])
    op.execute("DELETE FROM checkpoints WHERE projection = 'episodes'")
    op.execute("INSERT INTO checkpoints (projection, position) VALUES ('episodes', 0)")


def _make_immutable(table: str) -> None:
    on_postgres = op.get_context().dialect.name == "postgresql"
    for action in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{action} BEFORE {action.upper()} ON {table} "
            + (
                "EXECUTE FUNCTION events_refuse()"
                if on_postgres
                else "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
            )
        )
