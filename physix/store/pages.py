"""Orders and cursors of the episode list: a page starts after the last episode of the page before."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable

import orjson

from physix.errors import BadInputError
from physix.store.rows import EpisodeOrder, EpisodePage, EpisodeRow

Key = str | int | float

# Equal keys are told apart by position, the newest episode first.
_KEYS: dict[str, Callable[[EpisodeRow], Key]] = {
    "started": lambda row: row.position,
    "system": lambda row: row.title,
    "policy": lambda row: row.policy,
    "outcome": lambda row: row.outcome or "",
    "turns": lambda row: row.turns,
    "match": lambda row: row.best_match,
    "total": lambda row: row.best_total,
    "length": lambda row: round((row.updated_at - row.started_at).total_seconds() * 1e6),
}
_TEXTS = {"system", "policy", "outcome"}
_CURSOR = re.compile(r"([0-9]{1,18})(?:\.([A-Za-z0-9_-]{1,400}={0,2}))?(?:~([0-9]{1,18}))?")


def key_of(row: EpisodeRow, order: EpisodeOrder) -> Key:
    """Return by what an episode is sorted."""
    return _KEYS[order.by](row)


def cursor_after(row: EpisodeRow, order: EpisodeOrder, total: int | None = None) -> str:
    """Return the cursor of the page that follows an episode.

    It may carry the total, so that only the first page counts.
    """
    counted = "" if total is None else f"~{total}"
    if order.by == "started":
        return f"{row.position}{counted}"
    key = base64.urlsafe_b64encode(orjson.dumps(key_of(row, order))).decode()
    return f"{row.position}.{key}{counted}"


def total_of(cursor: str | None) -> int | None:
    """Return the total that a cursor carries, None if it carries none."""
    found = _CURSOR.fullmatch(cursor) if cursor is not None else None
    return int(found[3]) if found is not None and found[3] is not None else None


def parse_cursor(cursor: str | None, order: EpisodeOrder) -> tuple[Key, int] | None:
    """Return key and position after which the page starts, None for the first page.

    Raises:
        BadInputError: the cursor is not one of ours, or is one of another order.
    """
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is not None:
        position, encoded = int(found[1]), found[2]
        if encoded is None and order.by == "started":
            return position, position
        if encoded is not None and order.by != "started":
            key = _decoded(encoded)
            if key is not None and isinstance(key, str) == (order.by in _TEXTS):
                return key, position
    raise BadInputError(
        f"Cursor {cursor[:40]!r} is not one that this list gave out in this order; "
        "leave it out to start anew."
    )


def page_of(
    matching: Iterable[EpisodeRow], order: EpisodeOrder, cursor: str | None, size: int
) -> EpisodePage:
    """Sort episodes in memory and cut out the page after a cursor."""
    rows = sorted(matching, key=lambda row: row.position, reverse=True)
    rows.sort(key=lambda row: key_of(row, order), reverse=order.descending)  # stable, also when reversed
    start = 0
    after = parse_cursor(cursor, order)
    if after is not None:
        start = sum(not follows(row, order, *after) for row in rows)
    items = tuple(rows[start : start + size])
    more = start + size < len(rows)
    return EpisodePage(
        items=items, next_cursor=cursor_after(items[-1], order) if more else None, total=len(rows)
    )


def follows(row: EpisodeRow, order: EpisodeOrder, key: Key, position: int) -> bool:
    """Return whether an episode comes after the one that a cursor names."""
    own = key_of(row, order)
    if own == key:
        return row.position < position
    return own < key if order.descending else own > key  # type: ignore[operator]  # one order, one type


def _decoded(encoded: str) -> Key | None:
    try:
        key = orjson.loads(base64.urlsafe_b64decode(encoded))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    return key if isinstance(key, str | int | float) and not isinstance(key, bool) else None
