"""Moving a log: JSONL, one event a line, checksummed. The way from SQLite to PostgreSQL, and a backup.

The first line names the format; each event line holds payload (as JSON text), blob (as base64),
time and idempotency key, so that the log it is imported into answers as this one does; the last
line holds the number of events and the SHA-256 of all bytes before it. A file without a right
last line is refused before anything is imported.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NotRequired

import anyio
import orjson
from anyio import to_thread
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.errors import BadInputError, ConflictError, PhysixError
from physix.store.codec import decode, encode
from physix.store.rows import CommandRow, Log

FORMAT = "physix-log/1"
_READ = 500
_AT_ONCE = 128  # appends that an import keeps under way
_MAX_LINE = 64 * 1024 * 1024


_FRAME = {"format", "sha256"}  # of the first and the last line


class _Command(TypedDict):
    id: str
    digest: str


class _Row(TypedDict):
    episode_id: str
    version: int
    recorded_at: str
    type: str
    schema_version: int
    payload: str
    blob: str | None
    command: NotRequired[_Command]


_ROW = TypeAdapter(_Row)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    events: int  # appended now
    known: int  # in the log already, and equal
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event of a file."""

    episode_id: str
    version: int
    recorded_at: datetime
    event: Event
    command: dict[str, str] | None  # that it is the first event of


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
        commands = {
            (row.episode_id, row.first_version): row
            for row in await log.list_commands(sorted({one.episode_id for one in batch}))
        }
        for recorded in batch:
            count += 1
            yield counted(event_line(recorded, commands.get((recorded.episode_id, recorded.version))))
        position = batch[-1].position
    yield orjson.dumps({"events": count, "sha256": digest.hexdigest()}) + b"\n"


def event_line(recorded: RecordedEvent, command: CommandRow | None = None) -> bytes:
    """Return one event as a line; the first event of a command also names the command."""
    encoded = encode(recorded.event)
    line: dict[str, object] = {
        "episode_id": recorded.episode_id,
        "version": recorded.version,
        "recorded_at": recorded.recorded_at.isoformat(timespec="microseconds"),
        "type": encoded.type,
        "schema_version": SCHEMA_VERSION,
        "payload": encoded.payload,
        "blob": None if encoded.blob is None else b64encode(encoded.blob).decode(),
    }
    if command is not None:
        line["command"] = {"id": command.command_id, "digest": command.digest}
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
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if 1 < number < lines:
                _row(line, path, number)
    return lines - 2


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the events of a checked file.

    Raises:
        BadInputError: a line is no event.
        StorageError: an event is damaged or of a newer schema.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if _FRAME & _loaded(line, path, number).keys():
                continue
            row = _row(line, path, number)
            try:
                blob = None if row["blob"] is None else b64decode(row["blob"], validate=True)
                yield Line(
                    episode_id=row["episode_id"],
                    version=row["version"],
                    recorded_at=datetime.fromisoformat(row["recorded_at"]),
                    event=decode(row["type"], row["schema_version"], row["payload"], blob),
                    command=_command(row),
                )
            except (KeyError, TypeError, ValueError) as error:
                raise BadInputError(f"{path}, line {number}, is no event: {str(error)[:200]}.") from error


async def import_file(log: Log, path: Path) -> Imported:
    """Append what a file holds and the log does not; repeating it appends nothing.

    Raises:
        BadInputError: the file is no whole, unchanged export; nothing was appended.
        ConflictError: an episode is in the log with other events; those before it were appended.
    """
    await to_thread.run_sync(check_file, path)
    appended = known = episodes = 0
    streams: dict[str, list[Line]] = {}
    waiting: list[list[Line]] = []
    for line in read_lines(path):
        stream = streams.setdefault(line.episode_id, [])
        stream.append(line)
        episodes += line.version == 1
        if line.event.type in _COMPLETE:
            waiting.append(streams.pop(line.episode_id))
        if len(waiting) == _AT_ONCE:
            new, old = await _append_all(log, waiting)
            appended, known = appended + new, known + old
            waiting = []
    new, old = await _append_all(log, waiting)
    if streams:
        raise BadInputError(f"{path} ends in the middle of a turn of {len(streams)} episodes.")
    return Imported(events=appended + new, known=known + old, episodes=episodes)


_COMPLETE = frozenset(
    {"EpisodeStarted", "RewardComputed", "PolicyFailed", "EpisodeLabelled", "EpisodeFinished"}
)


async def _append_all(log: Log, chunks: list[list[Line]]) -> tuple[int, int]:
    """Append whole turns in their order, sharing transactions; return how many events are new and known."""
    first: dict[str, int] = {}
    for chunk in chunks:
        first.setdefault(chunk[0].episode_id, chunk[0].version)
    present = {
        name: {one.version: one for one in await log.read(name, after_version=version - 1)}
        for name, version in first.items()
    }
    missing = [chunk for chunk in chunks if not _is_present(chunk, present[chunk[0].episode_id])]
    refused: list[PhysixError] = []

    async def append(chunk: list[Line]) -> None:
        opening = chunk[0]
        command = opening.command or {}
        try:
            await log.append(
                opening.episode_id,
                [line.event for line in chunk],
                expected_version=opening.version - 1,
                recorded_at=opening.recorded_at,
                command_id=command.get("id"),
                command_digest=command.get("digest", ""),
            )
        except PhysixError as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        # Tasks start in order, and a log takes appends in the order in which they come.
        for chunk in missing:
            tasks.start_soon(append, chunk)
    if refused:
        raise refused[0]
    new = sum(map(len, missing))
    return new, sum(map(len, chunks)) - new


def _is_present(chunk: list[Line], present: dict[int, RecordedEvent]) -> bool:
    found = [present.get(line.version) for line in chunk]
    if not any(found):
        return False
    for line, one in zip(chunk, found, strict=True):
        if one is None or one.event != line.event:
            raise ConflictError(
                f"Episode {line.episode_id} is in the log already, with other events from version "
                f"{chunk[0].version} on."
            )
    return True


def _command(row: _Row) -> dict[str, str] | None:
    command = row.get("command")
    return None if command is None else {"id": command["id"], "digest": command["digest"]}


def _row(line: bytes, path: Path, number: int) -> _Row:
    """Return the row of an event, its fields of the types that `event_line` writes."""
    try:
        row = _ROW.validate_python(_loaded(line, path, number), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise BadInputError(f"{path}, line {number}, is no event: {where}: {first['msg']}.") from error
    return row


def _loaded(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"{path}, line {number}, is no JSON: {error}.") from error
    if not isinstance(row, dict):
        raise BadInputError(f"{path}, line {number}, is no JSON object.")
    return row
