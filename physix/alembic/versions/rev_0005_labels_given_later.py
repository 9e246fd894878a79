"""What people put on episodes and what policies said on them, to be found.

An index of the events that put labels on an episode, few among many; and one of trigrams over the text of
every turn, empty: searches fill it. An installation may lack FTS5 or pg_trgm: then lists are scanned.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LABELLED = sa.text("type = 'EpisodeLabelled'")
_SEARCH_ON_SQLITE = (
    # Contentless: the text stays in the events, the index holds which trigrams a turn has and no more.
    "CREATE VIRTUAL TABLE search_said USING fts5(text, content='', tokenize='trigram', detail=none)",
)
_SEARCH_ON_POSTGRES = (
    """
    DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE TABLE search_said (position BIGINT PRIMARY KEY, text TEXT NOT NULL);
        CREATE INDEX search_said_text ON search_said USING gin (text gin_trgm_ops);
    EXCEPTION WHEN OTHERS THEN NULL;
    END $$
    """,
)


def upgrade() -> None:
    """Add both."""
    op.create_index(
        "ix_events_labelled",
        "events",
        ["stream", "version"],
        sqlite_where=_LABELLED,
        postgresql_where=_LABELLED,
    )
    for statement in _search():
        op.execute(statement)


def _search() -> tuple[str, ...]:
    if op.get_context().dialect.name == "postgresql":
        return _SEARCH_ON_POSTGRES
    options = {name for (name,) in op.get_bind().execute(sa.text("PRAGMA compile_options"))}
    return _SEARCH_ON_SQLITE if "ENABLE_FTS5" in options else ()


def downgrade() -> None:
    """Drop both; a program of 0004 refuses an episode that was labelled later."""
    op.drop_index("ix_events_labelled", "events")
    op.execute("DROP TABLE IF EXISTS search_said")
