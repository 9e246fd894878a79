"""A chain of seals over the events, labels in a table, an index for every order of the list.

`events` gets the reward as it was emitted and the seal of each transaction's last event. What was
written before is sealed here, in pieces: from now on it cannot be altered unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from physix.store.seals import START, Sealed, command_text, seal

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BY_CODE_POINT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_CHUNK = 256  # events under one seal, with their trajectories in memory at once
_ORDERS = ("status", "outcome", "tier", "title", "turns", "best_match", "best_total", "length")
# Parts of names, found by their trigrams. An installation may lack the extension: then lists are scanned.
_SEARCH_ON_POSTGRES = (
    """
    DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX search_episodes ON episodes
            USING gin (episode_id gin_trgm_ops, title gin_trgm_ops, policy gin_trgm_ops);
    EXCEPTION WHEN OTHERS THEN NULL;
    END $$
    """,
)
_SEARCH_ON_SQLITE = (
    "CREATE VIRTUAL TABLE search USING fts5(episode_id, title, policy, content='episodes', "
    "content_rowid='position', tokenize='trigram')",
    """
    CREATE TRIGGER episodes_search_insert AFTER INSERT ON episodes BEGIN
        INSERT INTO search(rowid, episode_id, title, policy)
        VALUES (new.position, new.episode_id, new.title, new.policy);
    END
    """,
    """
    CREATE TRIGGER episodes_search_delete AFTER DELETE ON episodes BEGIN
        INSERT INTO search(search, rowid, episode_id, title, policy)
        VALUES ('delete', old.position, old.episode_id, old.title, old.policy);
    END
    """,
)


def upgrade() -> None:
    """Seal every event; the list of episodes starts empty and is rebuilt after the migration."""
    op.add_column("events", sa.Column("emitted", sa.Float))
    op.add_column("events", sa.Column("seal", sa.LargeBinary))
    _allow_updates()
    _fill()
    _refuse_updates()
    op.create_table(
        "labels",
        sa.Column("position", _BIG, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("ix_labels_value", "labels", ["name", "value", "position"])
    _begin_episodes_anew(
        sa.Column("outcome", _BY_CODE_POINT, nullable=False),
        sa.Column("total_reward", sa.Float, nullable=False),
        sa.Column("parse_failures", sa.Integer, nullable=False),
        sa.Column("policy_failures", sa.Integer, nullable=False),
        sa.Column("length", _BIG, nullable=False),
    )
    for name in _ORDERS:
        op.create_index(f"ix_episodes_{name}", "episodes", [name, "position"])
    for statement in _search():
        op.execute(statement)


def _search() -> tuple[str, ...]:
    if _on_postgres():
        return _SEARCH_ON_POSTGRES
    options = {name for (name,) in op.get_bind().execute(sa.text("PRAGMA compile_options"))}
    return _SEARCH_ON_SQLITE if "ENABLE_FTS5" in options else ()


def downgrade() -> None:
    """Drop the seals; the list is rebuilt by the program that reads it."""
    op.drop_table("labels")
    if not _on_postgres():
        op.execute("DROP TABLE IF EXISTS search")
    _begin_episodes_anew(sa.Column("outcome", sa.String(32)))
    _allow_updates()
    # A failed policy showed nothing below 0004.
    op.execute("UPDATE events SET outcome = NULL WHERE type = 'PolicyFailed'")
    op.drop_column("events", "seal")
    op.drop_column("events", "emitted")
    _refuse_updates()


def _fill() -> None:
    events = sa.table("events", *map(sa.column, ("position", "emitted", "outcome", "seal")))
    place = events.c.position == sa.bindparam("at")
    shows = sa.update(events).where(place).values(emitted=sa.bindparam("e"), outcome=sa.bindparam("o"))
    seals = sa.update(events).where(place).values(seal=sa.bindparam("s"))
    connection = op.get_bind()
    previous = START
    for chunk in _read():
        told = [_shown(row) for row in chunk if row["type"] in ("RewardComputed", "PolicyFailed")]
        if told:
            connection.execute(shows, told)
        previous = seal(previous, [_sealed(row) for row in chunk])
        connection.execute(seals, {"at": chunk[-1]["position"], "s": previous})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    payload = json.loads(row["payload"])
    outcome = row["outcome"]
    if row["type"] == "PolicyFailed" and payload.get("raw_completion") is not None:
        outcome = "not_parsed"
    return {"at": row["position"], "e": payload.get("emitted"), "o": outcome}


def _sealed(row: dict[str, Any]) -> Sealed:
    command = ""
    if row["command_id"] is not None:
        command = command_text(*(row[n] for n in ("command_id", "digest", "first_version", "last_version")))
    return Sealed(**{name: row[name] for name in Sealed._fields if name != "command"}, command=command)


def _read() -> Iterator[list[dict[str, Any]]]:
    """Yield all events in order of position, in chunks, with arrays and commands."""
    statement = sa.text(
        "SELECT e.*, t.blob, c.command_id, c.digest, c.first_version, c.last_version FROM events e "
        "JOIN events f ON f.position = e.stream LEFT JOIN trajectories t ON t.position = e.position "
        "LEFT JOIN commands c ON c.episode_id = f.episode_id AND c.first_version = e.version "
        "WHERE e.position > :after ORDER BY e.position LIMIT :most"
    )
    after = 0
    while True:
        found = [
            dict(row._mapping) for row in op.get_bind().execute(statement, {"after": after, "most": _CHUNK})
        ]
        if not found:
            return
        yield found
        after = found[-1]["position"]


def _allow_updates() -> None:
    op.execute("DROP TRIGGER events_refuse_update" + (" ON events" if _on_postgres() else ""))


def _refuse_updates() -> None:
    op.execute(
        "CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events "
        + (
            "EXECUTE FUNCTION events_refuse()"
            if _on_postgres()
            else "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
        )
    )


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"


def _begin_episodes_anew(*columns: sa.Column[Any]) -> None:
    op.drop_table("episodes")
    op.create_table(
        "episodes",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("system_id", sa.String(64), nullable=False),
        sa.Column("title", _BY_CODE_POINT, nullable=False),
        sa.Column("tier", sa.Integer),
        sa.Column("seed", _BIG),
        sa.Column("policy", _BY_CODE_POINT, nullable=False),
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("max_turns", sa.Integer, nullable=False),
        sa.Column("best_match", sa.Float, nullable=False),
        sa.Column("best_total", sa.Float, nullable=False),
        sa.Column("generalisation", sa.Float),
        sa.Column("started_at", _BIG, nullable=False),
        sa.Column("updated_at", _BIG, nullable=False),
        *columns,
    )
    op.create_index("ix_episodes_position", "episodes", ["position"], unique=True)
    op.create_index("ix_episodes_started_at", "episodes", ["started_at"])
    op.create_index("ix_episodes_system_position", "episodes", ["system_id", "position"])
    op.create_index("ix_episodes_policy_position", "episodes", ["policy", "position"])
    op.execute("DELETE FROM checkpoints WHERE projection = 'episodes'")
    op.execute("INSERT INTO checkpoints (projection, position) VALUES ('episodes', 0)")
