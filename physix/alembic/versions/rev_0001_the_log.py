"""Create the log: events, commands, and the episodes projection."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TRIGGERS = ("update", "delete")


def upgrade() -> None:
    """Create tables, indexes, and the triggers that keep events immutable."""
    op.create_table(
        "events",
        sa.Column("position", _BIG, primary_key=True, autoincrement=True),
        sa.Column("episode_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("episode_id", "version", name="uq_events_episode_version"),
    )
    op.create_table(
        "commands",
        sa.Column("episode_id", sa.String(64), primary_key=True),
        sa.Column("command_id", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("first_version", sa.Integer, nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
    )
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
        sa.Column("matches", sa.JSON, nullable=False),
        sa.Column("generalisation", sa.Float),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
    )
    op.create_index("ix_episodes_position", "episodes", ["position"], unique=True)
    op.create_index("ix_episodes_system_position", "episodes", ["system_id", "position"])
    op.create_index("ix_episodes_policy_position", "episodes", ["policy", "position"])
    on_postgres = op.get_context().dialect.name == "postgresql"
    if on_postgres:
        op.execute(
            "CREATE FUNCTION events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'events are immutable'; END $$"
        )
    for action in _TRIGGERS:
        op.execute(
            f"CREATE TRIGGER events_refuse_{action} BEFORE {action.upper()} ON events "
            + (
                "EXECUTE FUNCTION events_refuse()"
                if on_postgres
                else "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
            )
        )


def downgrade() -> None:
    """Drop everything: a log below this revision is no log."""
    on_postgres = op.get_context().dialect.name == "postgresql"
    for action in _TRIGGERS:
        op.execute(f"DROP TRIGGER events_refuse_{action}" + (" ON events" if on_postgres else ""))
    if on_postgres:
        op.execute("DROP FUNCTION events_refuse()")
    for table in ("episodes", "commands", "events"):
        op.drop_table(table)
