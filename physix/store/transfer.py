"""Moving a log: JSONL, one event a line, checksummed. The way from SQLite to PostgreSQL, and a backup.

The first line names the format; each event line holds the row as stored (payload as JSON text,
blob as base64), so that nothing is re-encoded; the last line holds the number of events and the
SHA-256 of all bytes before it. A file without a right last line is refused before anything is
imported.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.errors import BadInputError, ConflictError
from physix.store.codec import decode, encode
from physix.store.log import Log

FORMAT = "physix-log/1"
_READ = 500
_MAX_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    events: int  # appended now
    known: int  # in the log already, and equal
    episodes: int


async def export_lines(log: Log, episode_ids: Sequence[str] | None = None) -> AsyncIterator[bytes]:
    """Yield the lines of an export, newline included: whole log or some episodes, by position."""
    digest = hashlib.sha256()
    position = 0
    count = 0

    def counted(line: bytes) -> bytes:
        digest.update(line)
        return line

    yield counted(orjson.dumps({"format": FORMAT}) + b"\n")
    while True:
        batch = await log.read_all(after_position=position, episode_ids=episode_ids, limit=_READ)
        if not batch:
            break
        for recorded in batch:
            count += 1
            yield counted(event_line(recorded))
        position = batch[-1].position
    yield orjson.dumps({"events": count, "sha256": digest.hexdigest()}) + b"\n"


def event_line(recorded: RecordedEvent) -> bytes:
    """Return one event as a line."""
    encoded = encode(recorded.event)
    line = {
        "episode_id": recorded.episode_id,
        "version": recorded.version,
        "recorded_at": recorded.recorded_at.isoformat(timespec="microseconds"),
        "type": encoded.type,
        "schema_version": SCHEMA_VERSION,
        "payload": encoded.payload,
        "blob": None if encoded.blob is None else b64encode(encoded.blob).decode(),
    }
    return orjson.dumps(line) + b"\n"


def check_file(path: Path) -> int:
    """Return how many events a file holds, after checking its format and checksum.

    Raises:
        BadInputError: it is no export, was cut off, or was changed.
    """
    digest = hashlib.sha256()
    last = b""
    lines = 0
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            if lines:
                digest.update(last)
            last = line
            lines += 1
            if lines == 1 and _loaded(line, path, 1).get("format") != FORMAT:
                raise BadInputError(f"{path} is no export of a log: its first line is not {FORMAT!r}.")
    if lines < 2:
        raise BadInputError(f"{path} is no export of a log: it has {lines} lines.")
    trailer = _loaded(last, path, lines)
    if set(trailer) != {"events", "sha256"}:
        raise BadInputError(f"{path} was cut off: its last line is no checksum.")
    if trailer["sha256"] != digest.hexdigest() or trailer["events"] != lines - 2:
        raise BadInputError(f"{path} was changed after it was written: its checksum does not match.")
    return lines - 2


def read_events(path: Path) -> Iterable[tuple[str, int, datetime, Event]]:
    """Yield (episode id, version, recorded at, event) of a checked file.

    Raises:
        BadInputError: a line is no event.
        StorageError: an event is damaged or of a newer schema.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            row = _loaded(line, path, number)
            if "format" in row or "sha256" in row:
                continue
            try:
                blob = None if row["blob"] is None else b64decode(row["blob"], validate=True)
                event = decode(row["type"], row["schema_version"], row["payload"], blob)
                yield row["episode_id"], row["version"], datetime.fromisoformat(row["recorded_at"]), event
            except (KeyError, TypeError, ValueError) as error:
                raise BadInputError(f"{path}, line {number}, is no event: {str(error)[:200]}.") from error


async def import_file(log: Log, path: Path) -> Imported:
    """Append what a file holds and the log does not; repeating it appends nothing.

    Raises:
        BadInputError: the file is no whole, unchanged export; nothing was appended.
        ConflictError: an episode is in the log with other events; those before it were appended.
    """
    check_file(path)
    appended = known = 0
    streams: dict[str, list[tuple[int, datetime, Event]]] = {}
    episodes: set[str] = set()
    for episode_id, version, recorded_at, event in read_events(path):
        episodes.add(episode_id)
        waiting = streams.setdefault(episode_id, [])
        waiting.append((version, recorded_at, event))
        if event.type in _COMPLETE:
            new, old = await _append(log, episode_id, streams.pop(episode_id))
            appended += new
            known += old
    if streams:
        raise BadInputError(f"{path} ends in the middle of a turn of {len(streams)} episodes.")
    return Imported(events=appended, known=known, episodes=len(episodes))


_COMPLETE = frozenset({"EpisodeStarted", "RewardComputed", "PolicyFailed", "EpisodeFinished"})


async def _append(log: Log, episode_id: str, events: list[tuple[int, datetime, Event]]) -> tuple[int, int]:
    first, recorded_at, _ = events[0]
    present = await log.read(episode_id, after_version=first - 1)
    expected = [event for _, _, event in events]
    if [one.event for one in present[: len(expected)]] == expected:
        return 0, len(expected)
    if present:
        raise ConflictError(
            f"Episode {episode_id} is in the log already, with other events from version {first} on."
        )
    await log.append(episode_id, expected, expected_version=first - 1, recorded_at=recorded_at)
    return len(expected), 0


def _loaded(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"{path}, line {number}, is no JSON: {error}.") from error
    if not isinstance(row, dict):
        raise BadInputError(f"{path}, line {number}, is no JSON object.")
    return row
