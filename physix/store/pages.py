"""Cursors of the episode list: the position of the last episode seen."""

from __future__ import annotations

from physix.errors import BadInputError


def parse_cursor(cursor: str | None) -> int | None:
    """Return the position below which the page starts, None for the first page.

    Raises:
        BadInputError: the cursor is not one of ours.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise BadInputError(f"Cursor {cursor[:40]!r} is not one that this list gave out.")
    return int(cursor)
