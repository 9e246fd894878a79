"""The log in memory: for tests and throw-away runs. The contract, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import anyio

from physix.engine.events import Event, RecordedEvent
from physix.errors import ConflictError
from physix.limits import MAX_PAGE
from physix.store.codec import encode
from physix.store.pages import page_of
from physix.store.projection import Tally, project, project_turns, said, tally_of
from physix.store.rows import NEWEST_FIRST, CommandRow, EpisodeFilter, EpisodeOrder, EpisodePage, TurnRow
from physix.store.rules import check_append, check_ids, matches_filter


class MemoryLog:
    """Implements `Log` for one event loop."""

    def __init__(self) -> None:
        self._events: list[RecordedEvent] = []
        self._streams: dict[str, list[RecordedEvent]] = {}
        self._tallies: dict[str, Tally] = {}
        self._commands: dict[tuple[str, str], tuple[str, tuple[RecordedEvent, ...]]] = {}
        self._bell = anyio.Event()

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
        """See `EventLog.append`."""
        check_ids(episode_id, command_id)
        if command_id is not None:
            earlier = await self.find_command(episode_id, command_id, command_digest)
            if earlier is not None:
                return earlier
        tally = self._tallies.get(episode_id)
        check_append(episode_id, tally, events, expected_version)
        now = recorded_at or datetime.now(UTC)
        recorded = []
        for offset, event in enumerate(events, start=1):
            encode(event)  # refuses what no database would hold
            one = RecordedEvent(
                episode_id=episode_id,
                version=expected_version + offset,
                position=len(self._events) + offset,
                recorded_at=now,
                event=event,
            )
            recorded.append(one)
        self._tallies[episode_id] = tally_of(recorded, tally)
        self._events += recorded
        self._streams.setdefault(episode_id, []).extend(recorded)
        if command_id is not None:
            self._commands[episode_id, command_id] = (command_digest, tuple(recorded))
        self._bell.set()
        self._bell = anyio.Event()
        return tuple(recorded)

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        return tuple(self._streams.get(episode_id, ())[after_version:])

    async def read_all(
        self,
        *,
        after_position: int = 0,
        episode_ids: Sequence[str] | None = None,
        limit: int = 1000,
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read_all`."""
        wanted = None if episode_ids is None else set(episode_ids)
        found = []
        for recorded in self._events[after_position:]:
            if wanted is None or recorded.episode_id in wanted:
                found.append(recorded)
                if len(found) == limit:
                    break
        return tuple(found)

    async def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """See `EventLog.subscribe`."""
        while True:
            bell = self._bell
            batch = await self.read_all(after_position=after_position, episode_ids=episode_ids)
            for recorded in batch:
                yield recorded
                after_position = recorded.position
            if not batch:
                await bell.wait()

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """See `EventLog.find_command`."""
        known = self._commands.get((episode_id, command_id))
        if known is None:
            return None
        if known[0] != command_digest:
            raise ConflictError(f"Command id {command_id!r} was used for another request.")
        return known[1]

    async def list_commands(self, episode_ids: Sequence[str]) -> tuple[CommandRow, ...]:
        """See `Log.list_commands`."""
        rows = [
            CommandRow(
                episode_id=episode_id,
                command_id=command_id,
                digest=digest,
                first_version=answer[0].version,
                last_version=answer[-1].version,
            )
            for (episode_id, command_id), (digest, answer) in self._commands.items()
            if episode_id in episode_ids
        ]
        return tuple(sorted(rows, key=lambda row: (row.episode_id, row.first_version)))

    async def list_turns(self, episode_ids: Sequence[str]) -> tuple[TurnRow, ...]:
        """See `Log.list_turns`."""
        rows = [
            row for name in sorted(set(episode_ids)) for row in project_turns(self._streams.get(name, []))
        ]
        return tuple(rows)

    async def list_episodes(
        self,
        wanted: EpisodeFilter,
        *,
        order: EpisodeOrder = NEWEST_FIRST,
        cursor: str | None = None,
        limit: int = 50,
    ) -> EpisodePage:
        """See `Log.list_episodes`."""
        matching = (
            row
            for recorded in self._streams.values()
            if matches_filter(row := project(recorded), wanted, said(recorded))
        )
        return page_of(matching, order, cursor, max(1, min(limit, MAX_PAGE)))
