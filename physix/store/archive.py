"""Finished episodes as Parquet, by the month they ended in, and the log that reads them.

A run adds, for every month it found something new in, a file of events and one of episodes:
`2026-11.0001.events.parquet`, `2026-11.0001.episodes.parquet`, and another such pair whenever these hold
64,000 episodes. The latter says where each episode lies and is renamed into place last: a run that is cut
off leaves nothing half visible, and the next one goes on after its last pair.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.errors import StorageError
from physix.limits import MAX_PAGE
from physix.store.codec import decode, encode
from physix.store.pages import cursor_after, follows, page_of, parse_cursor
from physix.store.projection import project, project_turns
from physix.store.rows import (
    NEWEST_FIRST,
    CommandRow,
    EpisodeFilter,
    EpisodeOrder,
    EpisodePage,
    EpisodeRow,
    Log,
    TurnRow,
)
from physix.store.rules import matches_filter

try:
    import pyarrow as pa
    from pyarrow import dataset, parquet
except ImportError as error:
    raise StorageError("The archive needs PyArrow: pip install 'physix-live[archive]'.") from error

_GROUP = 64  # episodes in a row group: what reading one episode costs
_GROUPS = 1_000  # in a file: what its writer knows of each stays in memory until the file is whole
_ROWS_AT_ONCE = 1000  # of the index, while a page is cut from it
_EVENTS = pa.schema(
    {
        "position": pa.int64(),
        "episode_id": pa.string(),
        "version": pa.int32(),
        "type": pa.dictionary(pa.int32(), pa.string()),
        "schema_version": pa.int32(),
        "payload": pa.string(),
        "blob": pa.binary(),
        "recorded_at": pa.timestamp("us", tz="UTC"),
    }
)
_ROW_TYPES = {
    "tier": pa.int32(),
    "seed": pa.int64(),
    "matches": pa.list_(pa.float64()),
    "labels": pa.map_(pa.string(), pa.string()),
    "started_at": pa.timestamp("us", tz="UTC"),
    "updated_at": pa.timestamp("us", tz="UTC"),
}
_NUMBERS = {
    "position": pa.int64(),
    "version": pa.int32(),
    "turns": pa.int32(),
    "max_turns": pa.int32(),
    "best_match": pa.float64(),
    "best_total": pa.float64(),
    "total_reward": pa.float64(),
    "parse_failures": pa.int32(),
    "policy_failures": pa.int32(),
    "generalisation": pa.float64(),
}
_ROW_FIELDS = tuple(EpisodeRow.model_fields)
_EPISODES = pa.schema(
    {
        **{name: _ROW_TYPES.get(name) or _NUMBERS.get(name) or pa.string() for name in _ROW_FIELDS},
        "file": pa.string(),
        "row_group": pa.int32(),
    }
)


async def archive_finished(log: Log, folder: Path) -> AsyncIterator[EpisodeRow]:
    """Copy every finished episode that the folder lacks; yield each as it is copied.

    The log keeps them: nothing is ever deleted from a log.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        known = await to_thread.run_sync(_known_ids, folder)
        months: dict[str, _Month] = {}
        cursor: str | None = None
        while True:
            page = await log.list_episodes(EpisodeFilter(status="finished"), cursor=cursor, limit=MAX_PAGE)
            for row in page.items:
                if row.episode_id in known:
                    continue
                name = row.updated_at.strftime("%Y-%m")
                month = months.get(name) or months.setdefault(name, _Month(folder, name))
                await to_thread.run_sync(month.add, row, await log.read(row.episode_id))
                if month.groups >= _GROUPS:
                    await to_thread.run_sync(months.pop(name).close)
                yield row
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        for month in months.values():
            await to_thread.run_sync(month.close)
    except OSError as error:
        raise StorageError(f"The archive {folder} cannot be written: {error}.") from error


@dataclass(slots=True)
class _Month:
    """One pair of files being written."""

    folder: Path
    name: str
    stem: str = ""
    waiting: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    groups: int = 0
    in_group: int = 0
    writer: Any = None
    index: Any = None

    def __post_init__(self) -> None:
        taken = len(list(self.folder.glob(f"{self.name}.*.episodes.parquet")))
        self.stem = f"{self.name}.{taken + 1:04}"
        self.writer = parquet.ParquetWriter(self._partial("events"), _EVENTS, compression="zstd")
        self.index = parquet.ParquetWriter(self._partial("episodes"), _EPISODES, compression="zstd")

    def add(self, row: EpisodeRow, recorded: Sequence[RecordedEvent]) -> None:
        self.waiting += map(_event_row, recorded)
        found = {name: getattr(row, name) for name in _ROW_FIELDS}
        self.rows.append({**found, "file": f"{self.stem}.events.parquet", "row_group": self.groups})
        self.in_group += 1
        if self.in_group == _GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._flush_index()
        self.writer.close()
        self.index.close()
        for kind in ("events", "episodes"):
            os.replace(self._partial(kind), self.folder / f"{self.stem}.{kind}.parquet")

    def _flush_index(self) -> None:
        if self.rows:
            self.index.write_table(pa.Table.from_pylist(self.rows, _EPISODES))
            self.rows = []

    def _flush(self) -> None:
        if self.in_group:
            table = pa.Table.from_pylist(self.waiting, _EVENTS)
            self.writer.write_table(table, row_group_size=len(self.waiting))
            self.waiting, self.in_group = [], 0
            self.groups += 1
        if len(self.rows) >= _ROWS_AT_ONCE:
            self._flush_index()

    def _partial(self, kind: str) -> Path:
        return self.folder / f"{self.stem}.{kind}.partial"


def _event_row(recorded: RecordedEvent) -> dict[str, Any]:
    encoded = encode(recorded.event)
    return {
        "position": recorded.position,
        "episode_id": recorded.episode_id,
        "version": recorded.version,
        "type": encoded.type,
        "schema_version": SCHEMA_VERSION,
        "payload": encoded.payload,
        "blob": encoded.blob,
        "recorded_at": recorded.recorded_at,
    }


def _known_ids(folder: Path) -> set[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return {
        name
        for path in folder.glob("*.episodes.parquet")
        for name in parquet.read_table(path, columns=["episode_id"])["episode_id"].to_pylist()
    }


def open_archive(folder: Path) -> ArchiveLog:
    """Return the log behind a folder of archived episodes.

    Raises:
        StorageError: there is no archive in it.
    """
    if not any(folder.glob("*.episodes.parquet")):
        raise StorageError(f"The folder {folder} holds no archive; `physix log archive` writes one.")
    return ArchiveLog(folder)


class ArchiveLog:
    """Implements `Log`, read-only. Nothing but one page or one row group is ever in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def append(
        self,
        episode_id: str,
        events: Sequence[Event],
        *,
        expected_version: int,
        command_id: str | None = None,
        command_digest: str = "",
        recorded_at: datetime | None = None,
    ) -> tuple[RecordedEvent, ...]:
        """Refuse: an archive takes in nothing."""
        raise StorageError(f"The archive {self._folder} is read-only; append to the log it came from.")

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """See `Log.list_commands`; commands are not archived, as nothing can follow them."""
        return ()

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        return await to_thread.run_sync(self._read, episode_id, after_version)

    async def read_all(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read_all`."""
        wanted = None if episode_ids is None else frozenset(episode_ids)
        return await to_thread.run_sync(self._read_all, after_position, wanted, limit)

    async def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """See `EventLog.subscribe`; after the past nothing ever comes."""
        while True:
            batch = await self.read_all(after_position=after_position, episode_ids=episode_ids)
            for recorded in batch:
                yield recorded
                after_position = recorded.position
            if not batch:
                await anyio.sleep_forever()

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """See `EventLog.find_command`; commands are not archived, as nothing can follow them."""
        return None

    async def list_episodes(
        self,
        wanted: EpisodeFilter,
        *,
        order: EpisodeOrder = NEWEST_FIRST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EpisodePage:
        """See `Log.list_episodes`."""
        parse_cursor(cursor, order)  # refused before the files are read
        size = max(1, min(limit, MAX_PAGE))
        return await to_thread.run_sync(self._page, wanted, order, cursor, size)

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """See `Log.list_turns`."""
        found = [row for name in sorted(set(episode_ids)) for row in project_turns(await self.read(name))]
        return tuple(found)

    def _index(self, columns: Sequence[str], only: Any = None) -> Iterator[dict[str, Any]]:
        paths = sorted(self._folder.glob("*.episodes.parquet"))
        index = dataset.dataset(paths, schema=_EPISODES, format="parquet")
        for batch in index.to_batches(columns=list(columns), filter=only, use_threads=False):
            yield from batch.to_pylist()

    def _read(self, episode_id: str, after_version: int) -> tuple[RecordedEvent, ...]:
        only = dataset.field("episode_id") == episode_id
        for place in self._index(("file", "row_group"), only):
            with self._opened(self._folder / place["file"]) as file:
                group = file.read_row_group(place["row_group"])
            own = group.filter(only & (dataset.field("version") > after_version))
            return tuple(map(_recorded, own.to_pylist()))
        return ()

    def _read_all(self, after: int, wanted: frozenset[str] | None, limit: int) -> tuple[RecordedEvent, ...]:
        """Merge row groups by position: their episodes overlap in time, few groups at once do."""
        groups = sorted(self._groups(after))
        heap: list[tuple[int, dict[str, Any]]] = []
        found: list[RecordedEvent] = []
        for index, (_, path, number) in enumerate(groups):
            with self._opened(path) as file:
                group = file.read_row_group(number)
            for row in group.filter(dataset.field("position") > after).to_pylist():
                if wanted is None or row["episode_id"] in wanted:
                    heapq.heappush(heap, (row["position"], row))
            following = groups[index + 1][0] if index + 1 < len(groups) else None
            while heap and (following is None or heap[0][0] < following):
                found.append(_recorded(heapq.heappop(heap)[1]))
                if len(found) == limit:
                    return tuple(found)
        return tuple(found)

    def _groups(self, after: int) -> Iterator[tuple[int, Path, int]]:
        """Yield the first position, file and number of every row group that reaches beyond `after`."""
        for path in self._folder.glob("*.events.parquet"):
            if not path.with_name(path.name.replace(".events.", ".episodes.")).exists():
                continue
            with self._opened(path) as file:
                for number in range(file.metadata.num_row_groups):
                    positions = file.metadata.row_group(number).column(0).statistics
                    if positions.max > after:
                        yield positions.min, path, number

    def _page(self, wanted: EpisodeFilter, order: EpisodeOrder, cursor: str | None, size: int) -> EpisodePage:
        """Cut pages from batches of the index: no more rows than a page and a batch are in memory."""
        kept: tuple[EpisodeRow, ...] = ()
        total = 0
        rows = (
            row for row in map(self._episode_row, self._index(_ROW_FIELDS)) if matches_filter(row, wanted)
        )
        after = parse_cursor(cursor, order)
        while batch := tuple(islice(rows, _ROWS_AT_ONCE)):
            total += len(batch)
            following = tuple(row for row in batch if after is None or follows(row, order, *after))
            kept = page_of((*kept, *following), order, None, size + 1).items
        more = len(kept) > size
        items = kept[:size]
        return EpisodePage(
            items=items, next_cursor=cursor_after(items[-1], order) if more else None, total=total
        )

    def _episode_row(self, values: dict[str, Any]) -> EpisodeRow:
        if values["total_reward"] is None or values["labels"] is None:  # archived before the index had it
            return project(self._read(values["episode_id"], 0))
        return _episode_row(values)

    def _opened(self, path: Path) -> Any:
        try:
            return parquet.ParquetFile(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise StorageError(f"The archive file {path} cannot be read: {error}.") from error


def _recorded(row: dict[str, Any]) -> RecordedEvent:
    return RecordedEvent(
        episode_id=row["episode_id"],
        version=row["version"],
        position=row["position"],
        recorded_at=row["recorded_at"].astimezone(UTC),
        event=decode(row["type"], row["schema_version"], row["payload"], row["blob"]),
    )


def _episode_row(values: dict[str, Any]) -> EpisodeRow:
    times = {name: values[name].astimezone(UTC) for name in ("started_at", "updated_at")}
    told = {"matches": tuple(values["matches"]), "labels": dict(values["labels"])}
    return EpisodeRow.model_construct(**{**values, **times, **told})
