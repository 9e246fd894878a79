"""Walking a log from its first event to its last: is everything there, in its place, as it was written?

What the events say is left to `physix.store.verify`, which plays the turns again. Here the chain of seals
is followed, every column is compared with its event, and every row of one table with those of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Row, text

from physix.store.projection import Shown
from physix.store.seals import START, Sealed, command_text, covered, differing, head_of, holds
from physix.store.sql import schema
from physix.store.sql.rebuild import labels_given, labels_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from physix.store.sql.backend import Backend

_READ = 500  # events, with their trajectories, in memory at once
_MOST = 10_000  # faults of one kind that are told: a log of which more is wrong is lost anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something in the log that is not as it was written."""

    position: int | None  # of the event; None: not of one
    episode_id: str
    field: str
    recorded: str
    expected: str


@dataclass(slots=True)
class Audit:
    """What a walk found."""

    events: int = 0
    last: int = 0  # position
    head: str = ""  # of the last seal: note it elsewhere
    head_found: bool | None = None  # None: none was asked for
    touched: set[str] = field(default_factory=set)  # episodes of the events walked over
    faults: list[Fault] = field(default_factory=list)


def audit(
    backend: Backend, *, since: int = 0, head: str | None = None, progress: Callable[[int], None]
) -> Audit:
    """Walk the log in one read transaction.

    Args:
        backend: the database.
        since: start behind the last seal up to this position.
        head: a head noted earlier; it must be one of the log's seals.
        progress: is called with the position reached.
    """
    with backend.readers.connect() as connection:
        found = Audit()
        walk = _Walk(found, *_start(connection, since))
        # The log grows meanwhile: what comes after this is not looked at.
        end = int(connection.execute(text("SELECT coalesce(max(position), 0) FROM events")).scalar_one())
        while walk.position < end:
            after = walk.position
            rows = connection.execute(text(_EVENTS), {"after": after, "end": end, "most": _READ}).all()
            if not rows:
                break
            walk.given = labels_given(connection, after, rows[-1].position)
            for row in rows:
                walk.take(row)
            walk.compare_labels(connection.execute(text(_LABELS), {"after": after, "end": walk.position}))
            progress(walk.position)
        walk.finish()
        for query, name in _QUERIES:
            for row in connection.execute(text(query), {"end": end, "most": _MOST}):
                found.faults.append(_fault(name, row))
        found.last = walk.position
        found.head = head_of(walk.seal) if walk.seal != START else ""
        if head is not None:
            found.head_found = _has_head(connection, head)
        return found


def position_at(connection: Connection, moment: int) -> int:
    """Return the position before the first event recorded at or after a moment, in microseconds."""
    query = text("SELECT min(position) FROM events WHERE recorded_at >= :moment")
    first = connection.execute(query, {"moment": moment}).scalar()
    last = connection.execute(text("SELECT coalesce(max(position), 0) FROM events")).scalar_one()
    return int(last if first is None else first - 1)


def _start(connection: Connection, since: int) -> tuple[int, bytes]:
    query = text(
        "SELECT position, seal FROM events WHERE position <= :since AND seal IS NOT NULL "
        "ORDER BY position DESC LIMIT 1"
    )
    found = connection.execute(query, {"since": since}).one_or_none() if since else None
    return (0, START) if found is None else (int(found[0]), bytes(found[1]))


def _has_head(connection: Connection, head: str) -> bool:
    sealed = connection.execute(text("SELECT seal FROM events WHERE seal IS NOT NULL ORDER BY position DESC"))
    return any(head_of(bytes(found)) == head for (found,) in sealed)


@dataclass(slots=True)
class _Walk:
    found: Audit
    position: int
    seal: bytes
    batch: dict[int, Sealed] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # episodes of the batch, by position
    outcomes: dict[int, str | None] = field(default_factory=dict)  # of a turn's simulation, by stream
    labels: dict[int, tuple[str, set[tuple[str, str]]]] = field(default_factory=dict)  # of first events
    given: dict[int, list[str]] = field(default_factory=dict)  # what was put on the episodes since

    def take(self, row: Row[Any]) -> None:
        """Look at the next event."""
        if row.position == self.position and self.batch:
            self._tell(row, "command", "two commands of one event", "one")
            return
        if row.position != self.position + 1:
            span = f"{self.position + 1}..{row.position - 1}"
            self._tell(row, "position", f"events {span} are not there", "every position from 1 on")
        self.position = row.position
        self.found.events += 1
        self._compare_columns(row)
        self.batch[row.position] = _sealed(row)
        self.names[row.position] = row.name or ""
        self.found.touched.add(row.name or "")
        if row.seal is not None:
            self._check_seal(row.position, bytes(row.seal))

    def compare_labels(self, rows: Iterable[Row[Any]]) -> None:
        """Compare the labels of the episodes that began since the last call with their events."""
        for row in rows:
            position, name, value = tuple(row)
            episode_id, wanted = self.labels.setdefault(position, ("", set()))
            if (name, value) in wanted:
                wanted.discard((name, value))
            else:
                self._add(position, episode_id, f"labels.{name}", repr(value), "no such label")
        for position, (episode_id, missing) in self.labels.items():
            for name, value in sorted(missing):
                self._add(position, episode_id, f"labels.{name}", "no row", repr(value))
        self.labels.clear()

    def finish(self) -> None:
        """Nothing follows: whatever is left was never sealed."""
        for position, name in self.names.items():
            self._add(position, name, "seal", "none", "the seal of its transaction")

    def _check_seal(self, last: int, told: bytes) -> None:
        own = [self.batch[position] for position in sorted(self.batch)]
        try:
            sound = holds(self.seal, own, told)
        except (TypeError, ValueError, AttributeError):
            sound = False  # a value that is not of its column's type: SQLite takes any
        if not sound:
            self._name(last, told)
        self.seal = told
        self.batch.clear()
        self.names.clear()

    def _name(self, last: int, told: bytes) -> None:
        first = last - covered(told) + 1
        before = len(self.found.faults)
        for position, name in self.names.items():
            if position < first:
                self._add(position, name, "seal", "none", "the seal of its transaction")
        try:
            for position, part in differing(told, self.batch, last):
                self._add(position, self.names[position], part, "altered", "as it was sealed")
        except (TypeError, ValueError, AttributeError) as error:
            self._add(last, self.names[last], "row", str(error)[:100], "values of their columns' types")
        if len(self.found.faults) == before:
            span = f"{min(self.batch)}..{last}"
            self._add(last, self.names[last], "seal", f"does not seal events {span}", "the chain's next seal")

    def _compare_columns(self, row: Row[Any]) -> None:
        try:
            payload = orjson.loads(row.payload)
            wanted = self._wanted(row, payload)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            self._tell(row, "payload", repr(error)[:100], f"the JSON of a {row.type}")
            return
        for name, value in zip(Shown._fields, wanted, strict=True):
            found = getattr(row, name)
            if found != value:
                self._tell(row, name, repr(found), repr(value))
        first = row.version == 1
        if first != (row.stream == row.position) or first != (row.episode_id is not None):
            self._tell(row, "stream", f"version {row.version} of {row.stream}", "version 1 begins a stream")

    def _wanted(self, row: Row[Any], payload: dict[str, Any]) -> Shown:
        match row.type:
            case "EpisodeStarted":
                now = labels_now(payload, self.given.get(row.position, ()))
                labels = schema.labels_of(row.position, now)
                self.labels[row.position] = row.name or "", {(name, value) for _, name, value in labels}
            case "SimulationRun":
                self.outcomes[row.stream] = payload["simulation"]["outcome"]
            case "RewardComputed":
                reward, outcome = payload["reward"], self.outcomes.pop(row.stream, row.outcome)
                return Shown(
                    payload["turn"],
                    outcome,
                    reward["match"],
                    reward["total"],
                    payload["generalisation"],
                    payload["solved"],
                    payload["emitted"],
                )
            case "EpisodeFinished":
                return Shown(None, payload["reason"])
            case "PolicyFailed" if payload.get("raw_completion") is not None:
                return Shown(None, "not_parsed")
        return Shown()

    def _tell(self, row: Row[Any], name: str, recorded: str, expected: str) -> None:
        self._add(row.position, row.name or "", name, recorded, expected)

    def _add(self, position: int | None, name: str, part: str, recorded: str, expected: str) -> None:
        if len(self.found.faults) < _MOST:
            self.found.faults.append(
                Fault(position=position, episode_id=name, field=part, recorded=recorded, expected=expected)
            )


def _sealed(row: Row[Any]) -> Sealed:
    command = ""
    if row.command_id is not None:
        command = command_text(row.command_id, row.digest, row.first_version, row.last_version)
    return Sealed(
        row.position,
        row.stream,
        row.version,
        row.type,
        row.schema_version,
        row.recorded_at,
        row.episode_id,
        row.payload,
        None if row.blob is None else bytes(row.blob),
        command,
    )


def _fault(name: str, row: Row[Any]) -> Fault:
    position, episode_id, recorded, expected = tuple(row)
    return Fault(
        position=position,
        episode_id=episode_id or "",
        field=name,
        recorded=str(recorded),
        expected=str(expected),
    )


_EVENTS = f"""
SELECT e.position, e.stream, e.version, e.type, e.schema_version, e.recorded_at, e.episode_id, e.payload,
    {", ".join(f"e.{name}" for name in Shown._fields)}, e.seal, t.blob, first.episode_id AS name,
    c.command_id, c.digest, c.first_version, c.last_version
FROM events e LEFT JOIN events first ON first.position = e.stream
LEFT JOIN trajectories t ON t.position = e.position
LEFT JOIN commands c ON c.episode_id = first.episode_id AND c.first_version = e.version
WHERE e.position > :after AND e.position <= :end ORDER BY e.position LIMIT :most
"""  # noqa: S608  # our own table and column names, no input

_LABELS = "SELECT position, name, value FROM labels WHERE position > :after AND position <= :end"

# Position, episode, what is recorded, what was expected; the name of the field that is at fault.
_QUERIES: Sequence[tuple[str, str]] = (
    (
        "SELECT e.position, NULL, 'the first event of its stream is not there', e.stream FROM events e "
        "WHERE e.position <= :end AND NOT EXISTS "
        "(SELECT 1 FROM events f WHERE f.position = e.stream) ORDER BY e.position LIMIT :most",
        "stream",
    ),
    (
        "SELECT e.position, e.episode_id, 'no row', 'a row in the list' FROM events e "
        "WHERE e.episode_id IS NOT NULL AND e.position <= :end AND NOT EXISTS "
        "(SELECT 1 FROM episodes p WHERE p.position = e.position AND p.episode_id = e.episode_id) "
        "ORDER BY e.position LIMIT :most",
        "episodes",
    ),
    (
        "SELECT p.position, p.episode_id, 'a row in the list', 'no such episode' FROM episodes p "
        "WHERE p.position <= :end AND NOT EXISTS (SELECT 1 FROM events e "
        "WHERE e.position = p.position AND e.episode_id = p.episode_id) ORDER BY p.position LIMIT :most",
        "episodes",
    ),
    (
        "SELECT p.position, p.episode_id, p.length, p.updated_at - p.started_at FROM episodes p "
        "WHERE p.position <= :end AND p.length <> p.updated_at - p.started_at "
        "ORDER BY p.position LIMIT :most",
        "episodes.length",
    ),
    (
        "SELECT f.position, c.episode_id, c.command_id, 'a command with its events' FROM commands c "
        "LEFT JOIN events f ON f.episode_id = c.episode_id WHERE NOT EXISTS "
        "(SELECT 1 FROM events e WHERE e.stream = f.position AND e.version = c.first_version) OR NOT EXISTS "
        "(SELECT 1 FROM events e WHERE e.stream = f.position AND e.version = c.last_version) "
        "ORDER BY c.episode_id, c.command_id LIMIT :most",
        "commands",
    ),
    (
        "SELECT t.position, NULL, 'trajectories', 'no such event' FROM trajectories t "
        "WHERE t.position <= :end AND NOT EXISTS (SELECT 1 FROM events e WHERE e.position = t.position) "
        "ORDER BY t.position LIMIT :most",
        "trajectories",
    ),
)
