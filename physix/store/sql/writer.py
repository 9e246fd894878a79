"""The one thread of a process that writes: group commit, and answers when the commit is durable.

Appends that wait while a transaction runs share the next one. The append lock is taken before
any version is checked and held until the commit, so positions grow in commit order for every
reader, without holes.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, select

from physix.engine.events import (
    SCHEMA_VERSION,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    RecordedEvent,
    SimulationRun,
)
from physix.errors import ConflictError, PhysixError, StorageError
from physix.store.codec import Encoded, decode
from physix.store.moments import microseconds, moment
from physix.store.projection import TALLIED, Tally, opening_of, shown, storable
from physix.store.rules import check_append
from physix.store.seals import START, Sealed, command_text, seal
from physix.store.sql import queries, schema
from physix.store.sql.backend import Backend, connection_was_lost, storage_error

_BATCH = 256  # appends in one transaction
_FEW = 24  # events that are not worth a bulk insert
_HEADS = 4_096  # episodes whose row the writer remembers
_RECONNECTS = 40  # how often a writer that lost its server tries again,
_RECONNECT_S = 0.25  # and how long it waits in between


@dataclass(slots=True, eq=False)  # not frozen: made for every append, that takes three times as long
class Append:
    """A request to append, and where its answer goes."""

    episode_id: str
    events: tuple[Event, ...]
    encoded: tuple[Encoded, ...]
    expected_version: int
    recorded_at: datetime | None  # None: now
    command_id: str | None
    command_digest: str
    answer: asyncio.Future[tuple[RecordedEvent, ...]]


Answer = tuple[RecordedEvent, ...] | PhysixError


@dataclass(slots=True)
class _Head:
    """How far an episode has come. Changed in place; all heads are forgotten if a transaction fails."""

    stream: int
    tally: Tally
    best: tuple[float, float]  # that its row shows


@dataclass(slots=True)
class _Batch:
    """What one transaction is going to write."""

    last: int = 0  # position
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    at: int = 0  # `now` in microseconds
    answers: list[Answer] = field(default_factory=list)
    recorded: list[RecordedEvent] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)  # of `events`
    blobs: list[tuple[int, bytes]] = field(default_factory=list)  # of `trajectories`
    sealed: list[Sealed] = field(default_factory=list)  # the same, as the seal takes it
    seal: bytes = START
    new: dict[str, EpisodeStarted] = field(default_factory=dict)  # what begins in it
    heads: dict[str, _Head] = field(default_factory=dict)  # of all episodes in it
    labelled: dict[tuple[int, str], str | None] = field(default_factory=dict)  # by stream and name
    commands: dict[tuple[str, str], tuple[str, tuple[RecordedEvent, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = microseconds(self.now)


Deliver = Callable[[list[Append], list[Answer], list[RecordedEvent]], None]


class Writer:
    """Takes appends from any thread; `deliver` gets requests, their answers and all that was committed."""

    def __init__(self, backend: Backend, deliver: Deliver) -> None:
        self._backend = backend
        self._deliver = deliver
        self._requests: queue.SimpleQueue[Sequence[Append] | None] = queue.SimpleQueue()
        self._connection: Connection | None = None  # kept, as taking one from a pool costs as much as a turn
        self._heads: OrderedDict[str, _Head] = OrderedDict()
        self._last = -1  # position up to which this process has seen the log; -1: it knows nothing
        self._seal = START  # of the event at that position
        self._writing_to = 0  # last position of the batch that commits or has just been committed
        mark = backend.placeholder
        self._move, self._better, self._end = (
            f"UPDATE episodes SET {', '.join(f'{name} = {mark}' for name in names)} "  # noqa: S608  # our own table and column names, no input
            f"WHERE episode_id = {mark}"
            for names in (_MOVING, _BETTER, _ENDING)
        )
        # As text: SQLAlchemy takes 80 ms to compile its first statement, and an append would wait for it.
        self._find_seal = f"SELECT seal FROM events WHERE position = {mark}"  # noqa: S608  # a placeholder, no input
        self._find_head = f"SELECT position, {', '.join(TALLIED)} FROM episodes WHERE episode_id = {mark}"  # noqa: S608  # our own table and column names, no input
        self._find_command = f"SELECT 1 FROM commands WHERE episode_id = {mark} AND command_id = {mark}"  # noqa: S608  # our own table and column names, no input
        self._unlabel = f"DELETE FROM labels WHERE position = {mark} AND name = {mark}"  # noqa: S608  # a placeholder, no input
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write_forever, name="physix-log-writer", daemon=True)

    def start(self) -> None:
        """Begin to take appends."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then end."""
        self._stop.set()
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def put(self, requests: Sequence[Append]) -> None:
        """Queue appends; the log takes them in the order in which they come."""
        self._requests.put(requests)

    def wrote(self, position: int) -> bool:
        """Tell whether a committed position is this writer's own, and so on its way to `deliver`."""
        return position <= self._writing_to

    def _write_forever(self) -> None:
        running = True
        while running:
            batch: list[Append] = []
            requests = self._requests.get()
            while requests is not None:
                batch += requests
                if self._requests.empty() or len(batch) >= _BATCH:
                    break
                requests = self._requests.get()
            running = requests is not None
            if batch:
                self._commit(batch)
        self._let_go()

    def _commit(self, requests: list[Append]) -> None:
        """Write a batch and answer its callers; whatever the driver raises, the writer lives on."""
        batch = _Batch()
        remembered = bool(self._heads)
        try:
            answers = self._transact(batch, requests)
        except Exception as error:
            self._distrust()
            if not connection_was_lost(error):
                if len(requests) > 1 or remembered:
                    # One append may have spoiled the transaction, or a head that another process has left
                    # behind: each gets a transaction of its own, and looks at what is there.
                    for request in requests:
                        self._commit([request])
                    return
                answers, batch = [storage_error(self._backend, error)], _Batch()
            elif (committed := self._find_out(batch)) is False:
                # The server is back and has nothing of it.
                batch = _Batch()
                try:
                    answers = self._transact(batch, requests)
                except Exception as again:
                    self._distrust()
                    answers, batch = [storage_error(self._backend, again)] * len(requests), _Batch()
            elif committed:
                answers = batch.answers
            else:
                answers, batch = [self._unclear(error)] * len(requests), _Batch()
        self._remember(batch)
        self._deliver(requests, answers, batch.recorded)

    def _distrust(self) -> None:
        """Forget what was known of the log: nobody knows what has become of it."""
        self._heads.clear()
        self._last, self._writing_to = -1, 0

    def _transact(self, batch: _Batch, requests: list[Append]) -> list[Answer]:
        """Write a batch in one transaction; an append that is refused leaves the others alone."""
        try:
            connection = self._connected()
            batch.last = self._backend.begin(connection)
            if batch.last != self._last:
                # Another process has written. A head that it left behind is found out, since no version is
                # there twice; but where a log was set back, none is to be trusted.
                if batch.last < self._last:
                    self._heads.clear()
                self._seal = self._read_seal(connection, batch.last)
            batch.answers = [self._decide(connection, batch, request) for request in requests]
            if batch.recorded:
                self._write(connection, batch)
            else:
                self._backend.commit(connection)
        except BaseException:
            self._let_go()
            raise
        return batch.answers

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._backend.direct()
        return self._connection

    def _let_go(self) -> None:
        """Close the connection; after an error nobody knows what has become of it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _find_out(self, batch: _Batch) -> bool | None:
        """Tell whether a batch whose connection broke was committed; None if nobody can be asked."""
        for _ in range(_RECONNECTS):
            try:
                with self._backend.writer.begin() as connection:
                    self._backend.lock(connection)
                    if not batch.recorded:
                        return False
                    first, last = batch.rows[0], batch.rows[-1]
                    found = connection.execute(
                        select(schema.events.c.position).where(
                            schema.events.c.position.in_([first[0], last[0]]),
                            schema.events.c.recorded_at == first[_AT],
                            schema.events.c.payload.in_([first[_PAYLOAD], last[_PAYLOAD]]),
                        )
                    ).all()
                    return len(found) == len({first[0], last[0]})
            except Exception as error:
                if not connection_was_lost(error):
                    return None
                self._stop.wait(_RECONNECT_S)
        return None

    def _unclear(self, error: Exception) -> StorageError:
        unclear = StorageError(
            f"The log {self._backend.label} was lost while it was written to, and does not come back. "
            "Whether the append was recorded is unknown: repeat it with the same command id."
        )
        unclear.__cause__ = error
        return unclear

    def _decide(self, connection: Connection, batch: _Batch, request: Append) -> Answer:
        try:
            if request.command_id is not None:
                earlier = self._known_command(connection, batch, request)
                if earlier is not None:
                    return earlier
            head = self._heads.get(request.episode_id) or self._read_head(connection, request.episode_id)
            tally = head.tally if head is not None else None
            check_append(request.episode_id, tally, request.events, request.expected_version)
        except ConflictError as error:
            return error
        now, at = batch.now, batch.at
        if request.recorded_at is not None:
            now = request.recorded_at.astimezone(UTC)
            at = microseconds(now)
        started = request.events[0]
        if head is None and isinstance(started, EpisodeStarted):
            head = _Head(batch.last + 1, Tally(), (0.0, 0.0))
            batch.new[request.episode_id] = started
        if head is None:
            raise TypeError("an append that passed its check begins an episode or continues one")
        recorded = []
        outcome = None
        version = head.tally.version
        asked = ""
        if request.command_id is not None:
            last = version + len(request.events)
            asked = command_text(request.command_id, request.command_digest, version + 1, last)
        for event, encoded in zip(request.events, request.encoded, strict=True):
            batch.last += 1
            version += 1
            one = RecordedEvent(
                episode_id=request.episode_id,
                version=version,
                position=batch.last,
                recorded_at=now,
                event=event,
            )
            recorded.append(one)
            if isinstance(event, SimulationRun):
                outcome = event.simulation.outcome
            if isinstance(event, EpisodeLabelled):
                changes = event.labels.items()
                batch.labelled |= {(head.stream, storable(name)): value for name, value in changes}
            seen = shown(event, outcome)
            head.tally.advance(encoded.type, version, at, seen)
            place = (batch.last, head.stream, version, encoded.type, SCHEMA_VERSION, at)
            named = request.episode_id if version == 1 else None
            batch.rows.append((*place, named, *seen, encoded.payload, None))
            batch.sealed.append(Sealed(*place, named, encoded.payload, encoded.blob, asked))
            asked = ""
            if encoded.blob is not None:
                batch.blobs.append((batch.last, encoded.blob))
        batch.recorded += recorded
        self._heads[request.episode_id] = batch.heads[request.episode_id] = head
        answer = tuple(recorded)
        if request.command_id is not None:
            batch.commands[request.episode_id, request.command_id] = (request.command_digest, answer)
        return answer

    def _read_seal(self, connection: Connection, last: int) -> bytes:
        """Return the seal of the newest event.

        Raises:
            StorageError: it has none: something else than this program wrote to the log.
        """
        if last == 0:
            return START
        found = self._backend.look(connection, self._find_seal, (last,))
        if found is None or not found[0]:
            raise StorageError(
                f"Event {last}, the newest, is not sealed, so another program wrote it. "
                "See what `physix log verify` says; nothing was appended."
            )
        return bytes(found[0])

    def _read_head(self, connection: Connection, episode_id: str) -> _Head | None:
        found = self._backend.look(connection, self._find_head, (episode_id,))
        if found is None:
            return None
        tally = Tally(*found[1:])
        return _Head(found[0], tally, _best(tally))

    def _known_command(
        self, connection: Connection, batch: _Batch, request: Append
    ) -> tuple[RecordedEvent, ...] | None:
        key = request.episode_id, request.command_id or ""
        known = batch.commands.get(key)
        if known is not None:
            if known[0] != request.command_digest:
                raise _reused(key[1])
            return known[1]
        if self._backend.look(connection, self._find_command, key) is None:
            return None
        with self._backend.readers.connect() as reading:
            return command(reading, *key, request.command_digest)

    def _write(self, connection: Connection, batch: _Batch) -> None:
        moved, better, ended = _changes(batch)
        new = [_new_episode(name, batch.new[name], batch.heads[name]) for name in sorted(batch.new)]
        commands = [
            (episode_id, command_id, digest, answer[0].version, answer[-1].version)
            for (episode_id, command_id), (digest, answer) in batch.commands.items()
        ]
        # What was put on an episode in the transaction it began in comes after what it began with.
        labels: dict[tuple[int, str], str | None] = {
            (stream, label): value
            for name, started in batch.new.items()
            for stream, label, value in schema.labels_of(batch.heads[name].stream, started.labels)
        }
        labels |= batch.labelled
        kept = [(*key, storable(value)) for key, value in labels.items() if value is not None]
        batch.seal = seal(self._seal, batch.sealed)
        batch.rows[-1] = (*batch.rows[-1][:-1], batch.seal)
        many = len(batch.rows) > _FEW
        if many:
            self._backend.bulk_insert(connection, schema.events, batch.rows)
            self._backend.bulk_insert(connection, schema.trajectories, batch.blobs)
        with self._backend.together(connection):
            if not many:
                self._backend.few_insert(connection, schema.events, batch.rows)
                self._backend.few_insert(connection, schema.trajectories, batch.blobs)
            self._backend.few_insert(connection, schema.episodes, new)
            self._backend.move_rows(connection, self._unlabel, list(batch.labelled))
            self._backend.few_insert(connection, schema.labels, kept)
            self._backend.move_rows(connection, self._move, moved)
            self._backend.move_rows(connection, self._better, better)
            self._backend.move_rows(connection, self._end, ended)
            self._backend.few_insert(connection, schema.commands, commands)
            # From here to the answer a watcher may see these positions: they are our own.
            self._writing_to = batch.last
            self._backend.announce(connection)
            self._backend.commit(connection)

    def _remember(self, batch: _Batch) -> None:
        if not batch.answers:
            return
        self._last = batch.last
        self._seal = batch.seal if batch.recorded else self._seal
        for episode_id in batch.heads:
            if episode_id in self._heads:
                self._heads.move_to_end(episode_id)
        while len(self._heads) > _HEADS:
            self._heads.popitem(last=False)


# While an episode runs, the columns that only its end changes are left alone, and so are their indexes; and
# those of its best turn in most turns: one caller then writes 10 pages a turn, not 12.
_BEST = ("best_match", "best_total")
_ENDING = tuple(name for name in TALLIED if name != "started_at")
_BETTER = tuple(name for name in _ENDING if name not in ("status", "outcome"))
_MOVING = tuple(name for name in _BETTER if name not in _BEST)
_best, _moving, _better, _ending = (attrgetter(*names) for names in (_BEST, _MOVING, _BETTER, _ENDING))
_AT, _PAYLOAD = (schema.events.columns.keys().index(name) for name in ("recorded_at", "payload"))


_Rows = list[tuple[Any, ...]]


def _changes(batch: _Batch) -> tuple[_Rows, _Rows, _Rows]:
    """Return what moves in the rows of episodes that were there: whose best stays, whose does not, ended."""
    moved: _Rows = []
    better: _Rows = []
    ended: _Rows = []
    for name, head in batch.heads.items():
        tally = head.tally
        best = _best(tally)
        if name not in batch.new:
            if tally.status != "running":
                ended.append((*_ending(tally), name))
            elif best == head.best:
                moved.append((*_moving(tally), name))
            else:
                better.append((*_better(tally), name))
        head.best = best
    return moved, better, ended


def _new_episode(name: str, started: EpisodeStarted, head: _Head) -> tuple[Any, ...]:
    place = {"episode_id": name, "position": head.stream}
    return schema.episode_values({**place, **opening_of(started), **head.tally.columns()})


def recorded_of(row: Row[Any]) -> RecordedEvent:
    """Return the event that a row of `queries.recorded` holds."""
    return RecordedEvent(
        episode_id=row.name,
        version=row.version,
        position=row.position,
        recorded_at=moment(row.recorded_at),
        event=decode(row.type, row.schema_version, row.payload, row.blob),
    )


def command(
    connection: Connection, episode_id: str, command_id: str, digest: str
) -> tuple[RecordedEvent, ...] | None:
    """Return the events a command appended earlier, None if it is new.

    Raises:
        ConflictError: the id was used with another digest.
    """
    table = schema.commands.c
    known = connection.execute(
        select(table.digest, table.first_version, table.last_version).where(
            table.episode_id == episode_id, table.command_id == command_id
        )
    ).one_or_none()
    if known is None:
        return None
    if known.digest != digest:
        raise _reused(command_id)
    events = schema.events.c
    query = (
        queries.recorded()
        .where(
            queries.name == episode_id,
            events.version.between(known.first_version, known.last_version),
        )
        .order_by(events.version)
    )
    return tuple(map(recorded_of, connection.execute(query)))


def _reused(command_id: str) -> ConflictError:
    return ConflictError(f"Command id {command_id!r} was used for another request.")
