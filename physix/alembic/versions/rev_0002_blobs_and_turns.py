"""Trajectories in a blob, a projection of turns, checkpoints of running rebuilds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the new; the projections start empty, as the server rebuilds them after a migration."""
    op.add_column("events", sa.Column("blob", sa.LargeBinary))
    op.drop_column("episodes", "matches")
    op.create_index("ix_episodes_started_at", "episodes", ["started_at"])
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
    op.create_table(
        "checkpoints",
        sa.Column("projection", sa.String(32), primary_key=True),
        sa.Column("position", _BIG, nullable=False),
    )
    # A pending rebuild from the start: whoever opens the log next completes it.
    op.execute("INSERT INTO checkpoints (projection, position) VALUES ('episodes', 0)")


def downgrade() -> None:
    """Go back to the projection of episodes alone; events written since then cannot be read below 0002."""
    op.drop_table("checkpoints")
    op.drop_table("turns")
    op.drop_index("ix_episodes_started_at", "episodes")
    op.add_column("episodes", sa.Column("matches", sa.JSON, nullable=False, server_default="[]"))
    op.drop_column("events", "blob")
