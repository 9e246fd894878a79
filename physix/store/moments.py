"""Moments as the databases hold them: whole microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE = timedelta(microseconds=1)


def microseconds(when: datetime) -> int:
    """Return a moment, which must have a time zone, as microseconds."""
    return (when - _EPOCH) // _ONE


def moment(count: int) -> datetime:
    """Return the moment that `microseconds` made a number of, in UTC."""
    return _EPOCH + timedelta(microseconds=count)
