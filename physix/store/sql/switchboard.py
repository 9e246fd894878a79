"""What the processes of one log tell each other: who plays what, what is being written, what is spent.

None of it is the record, and all of it may be lost: it lies beside the log, in a file of its own next to a
SQLite log and in unlogged tables of the schema `physix_live` on PostgreSQL, where nothing is synced.
A process that is gone stops renewing its drives; after `ABANDONED_S` any other may take them up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from anyio import to_thread
from sqlalchemy import Connection, Engine, bindparam, create_engine, event, make_url, text
from sqlalchemy.pool import QueuePool

from physix.errors import BadInputError, StorageError
from physix.store.sql.backend import is_from_driver

ABANDONED_S = 5.0  # without a sign of life
FORGOTTEN_S = 60.0  # what nobody took up for this long is a run that was stopped, not one to go on
_LOCK, _SEATS_LOCK = 0x70687973_69780002, 0x70687973_69780003  # of making the tables, and of taking seats

_TABLES = (
    "CREATE {kind} TABLE IF NOT EXISTS drives (episode_id TEXT PRIMARY KEY, owner TEXT NOT NULL, "
    "policy TEXT NOT NULL, temperature DOUBLE PRECISION, to_end INTEGER NOT NULL, stopping INTEGER NOT NULL, "
    "beat DOUBLE PRECISION NOT NULL, revision BIGINT NOT NULL, live TEXT NOT NULL)",
    "CREATE {kind} TABLE IF NOT EXISTS spent (client TEXT, kind TEXT, since DOUBLE PRECISION NOT NULL, "
    "used BIGINT NOT NULL, PRIMARY KEY (client, kind))",
    "CREATE {kind} TABLE IF NOT EXISTS seats (owner TEXT, client TEXT, server TEXT NOT NULL, "
    "held BIGINT NOT NULL, beat DOUBLE PRECISION NOT NULL, PRIMARY KEY (owner, client))",
)
# The clock is the database's: servers need not agree on the time.
_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
}
Kind = Literal["sessions", "turns"]
Full = Literal["server", "client"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """What a client may have no more of, and for how long."""

    kind: Kind
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A policy that plays an episode in one of the processes.

    Attributes:
        owner: the process; empty where it was handed over and nobody has taken it up yet.
        to_end: whether it plays to the end; otherwise one turn, for a request that waits.
        age_s: since the last sign of life.
        revision: counts what it wrote.
    """

    episode_id: str
    owner: str
    policy: str
    temperature: float | None
    to_end: bool
    stopping: bool
    age_s: float
    revision: int

    @property
    def alive(self) -> bool:
        """Whether a process plays it."""
        return self.owner != "" and self.age_s < ABANDONED_S


class Switchboard:
    """One process's place at the switchboard. Use `open_switchboard`."""

    def __init__(self, engine: Engine, owner: str, server: str) -> None:
        self.owner = owner
        self._server = server
        self._engine = engine
        self._now = _NOW[engine.dialect.name]

    async def claim(self, episode_id: str, policy: str, *, temperature: float | None, to_end: bool) -> bool:
        """Take an episode up; False if another process plays it."""
        statement = text(
            "INSERT INTO drives "  # noqa: S608  # our own tables and clock, no input
            f"VALUES (:episode, :owner, :policy, :temperature, :to_end, 0, {self._now}, 0, '{{}}') "
            "ON CONFLICT (episode_id) DO UPDATE SET owner = excluded.owner, policy = excluded.policy, "
            "temperature = excluded.temperature, to_end = excluded.to_end, stopping = 0, "
            "beat = excluded.beat, revision = drives.revision + 1, live = excluded.live "
            f"WHERE drives.owner = '' OR drives.beat < excluded.beat - {ABANDONED_S} RETURNING episode_id"
        )
        values = {
            "episode": episode_id,
            "owner": self.owner,
            "policy": policy,
            "temperature": temperature,
            "to_end": int(to_end),
        }
        return await self._run(lambda connection: connection.execute(statement, values).first() is not None)

    async def release(self, episode_id: str) -> None:
        """Let an episode go: it ended, was paused, or failed."""
        await self._execute("DELETE FROM drives WHERE episode_id = :episode AND owner = :owner", episode_id)

    async def hand_over(self, episode_id: str) -> None:
        """Let an episode go for another process to play on."""
        await self._execute(
            "UPDATE drives SET owner = '', revision = revision + 1, live = '{}' "
            "WHERE episode_id = :episode AND owner = :owner",
            episode_id,
        )

    async def tell(self, episode_id: str, live: str) -> None:
        """Say what is being written now, as JSON."""
        statement = text(
            "UPDATE drives SET live = :live, revision = revision + 1 "
            "WHERE episode_id = :episode AND owner = :owner"
        )
        values = {"live": live, "episode": episode_id, "owner": self.owner}
        await self._run(lambda connection: connection.execute(statement, values))

    async def beat(self) -> None:
        """Give a sign of life for all that this process plays and seats; forget what nobody does any more."""

        def run(connection: Connection) -> None:
            for table in ("drives", "seats"):
                renew = f"UPDATE {table} SET beat = {self._now} WHERE owner = :owner"  # noqa: S608  # our own tables and clock, no input
                forget = f"DELETE FROM {table} WHERE beat < {self._now} - {FORGOTTEN_S}"  # noqa: S608  # our own tables and clock, no input
                connection.execute(text(renew), {"owner": self.owner})
                connection.execute(text(forget))

        await self._run(run)

    async def ask_to_stop(self, episode_id: str) -> None:
        """Ask whoever plays an episode to let it go, and see that nobody takes it up."""
        await self._execute("UPDATE drives SET stopping = 1 WHERE episode_id = :episode", episode_id)
        gone = f"owner = '' OR beat < {self._now} - {ABANDONED_S}"
        await self._execute(
            f"DELETE FROM drives WHERE episode_id = :episode AND ({gone})",  # noqa: S608  # our own tables and clock, no input
            episode_id,
        )

    async def drives(self) -> tuple[Drive, ...]:
        """Return what is played, by whichever process."""
        statement = text(
            f"SELECT episode_id, owner, policy, temperature, to_end, stopping, {self._now} - beat, revision "  # noqa: S608  # our own tables and clock, no input
            "FROM drives"
        )
        rows: Sequence[Any] = await self._run(lambda connection: connection.execute(statement).all())
        return tuple(
            Drive(
                episode_id=row[0],
                owner=row[1],
                policy=row[2],
                temperature=row[3],
                to_end=bool(row[4]),
                stopping=bool(row[5]),
                age_s=row[6],
                revision=row[7],
            )
            for row in rows
        )

    async def written(self, episode_ids: Collection[str]) -> Mapping[str, str]:
        """Return what is being written in some episodes, as it was told."""
        statement = text("SELECT episode_id, live FROM drives WHERE episode_id IN :ids").bindparams(
            bindparam("ids", list(episode_ids), expanding=True)
        )
        rows: Sequence[Any] = await self._run(lambda connection: connection.execute(statement).all())
        return {row[0]: row[1] for row in rows}

    async def spend(
        self, client: str, wanted: Mapping[Kind, int], limits: Mapping[Kind, int], *, window_s: float
    ) -> Refused | None:
        """Count what a client asks for; nothing of it, and say why, where one of the kinds is too many."""
        new = "excluded.since - spent.since >= :window"
        spend = text(
            "INSERT INTO spent "  # noqa: S608  # our own tables and clock, no input
            f"VALUES (:client, :kind, {self._now}, :number) "
            "ON CONFLICT (client, kind) DO UPDATE SET "
            f"used = CASE WHEN {new} THEN excluded.used ELSE spent.used + excluded.used END, "
            f"since = CASE WHEN {new} THEN excluded.since ELSE spent.since END "
            f"WHERE {new} OR spent.used + excluded.used <= :limit RETURNING used"
        )
        left = text(
            f"SELECT :window - ({self._now} - since) FROM spent WHERE client = :client AND kind = :kind"  # noqa: S608  # our own tables and clock, no input
        )

        def run(connection: Connection) -> Refused | None:
            for kind, number in wanted.items():
                values = {"client": client, "kind": kind, "number": number, "window": window_s}
                if number == 0:
                    continue
                bound = {**values, "limit": limits[kind]}
                if number <= limits[kind] and connection.execute(spend, bound).first() is not None:
                    continue
                found = connection.execute(left, values).scalar()
                connection.rollback()
                return Refused(kind, window_s if found is None else max(0.0, float(found)))
            return None

        return await self._run(run)

    async def forget_spent(self, window_s: float) -> None:
        """Forget what clients spent in windows that have passed."""
        statement = text(f"DELETE FROM spent WHERE since < {self._now} - :window")  # noqa: S608  # our own tables and clock, no input
        await self._run(lambda connection: connection.execute(statement, {"window": window_s}))

    async def sit(self, client: str, *, most: int, of_a_client: int | None) -> Full | None:
        """Take one of a server's seats for a client; say what is full if there is none.

        Args:
            client: who sits down.
            most: seats of the server, in all of its processes together.
            of_a_client: seats that one client may have; None: any number.
        """
        alive = f"beat > {self._now} - {ABANDONED_S}"
        count = text(
            "SELECT coalesce(sum(held), 0), "  # noqa: S608  # our own tables and clock, no input
            "coalesce(sum(CASE WHEN client = :client THEN held ELSE 0 END), 0) "
            f"FROM seats WHERE server = :server AND {alive}"
        )
        take = text(
            f"INSERT INTO seats VALUES (:owner, :client, :server, 1, {self._now}) "  # noqa: S608  # our own tables and clock, no input
            "ON CONFLICT (owner, client) DO UPDATE SET held = seats.held + 1, beat = excluded.beat"
        )
        values = {"owner": self.owner, "client": client, "server": self._server}

        def run(connection: Connection) -> Full | None:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SEATS_LOCK})"))
            held, its = connection.execute(count, values).one()
            if held >= most:
                return "server"
            if of_a_client is not None and its >= of_a_client:
                return "client"
            connection.execute(take, values)
            return None

        return await self._run(run)

    async def stand(self, client: str) -> None:
        """Give one of a client's seats back."""
        values = {"owner": self.owner, "client": client}

        def run(connection: Connection) -> None:
            mine = "WHERE owner = :owner AND client = :client"
            connection.execute(text(f"UPDATE seats SET held = held - 1 {mine}"), values)  # noqa: S608  # our own condition, no input
            connection.execute(text(f"DELETE FROM seats {mine} AND held < 1"), values)  # noqa: S608  # our own condition, no input

        await self._run(run)

    async def _execute(self, statement: str, episode_id: str) -> None:
        values = {"episode": episode_id, "owner": self.owner}
        await self._run(lambda connection: connection.execute(text(statement), values))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except Exception as error:
                if not is_from_driver(error):
                    raise
                raise StorageError(f"What the servers tell each other cannot be used: {error}.") from error

        return await to_thread.run_sync(run)


@asynccontextmanager
async def open_switchboard(url: str, owner: str, server: str | None = None) -> AsyncIterator[Switchboard]:
    """Open the switchboard beside a log, for the process `owner` (a name that no other process has).

    `server` is the name that the processes of one server share; by default it has this process alone.

    Raises:
        BadInputError: the log cannot be shared.
        StorageError: the switchboard cannot be made.
    """
    engine = _engine(url)
    try:
        await to_thread.run_sync(_make_tables, engine)
        yield Switchboard(engine, owner, server or owner)
    finally:
        engine.dispose()


def switchboard_file(url: str) -> Path | None:
    """Return the file of a SQLite log's switchboard; None for another database."""
    scheme, _, path = url.partition(":///")
    return Path(f"{path}-live") if scheme == "sqlite" and path else None


def _engine(url: str) -> Engine:
    file = switchboard_file(url)
    if file is not None:
        return _sqlite(file)
    if url.startswith(("postgresql://", "postgres://")):
        driver = make_url(url).set(drivername="postgresql+psycopg")
        options = {"options": "-c search_path=physix_live"}
        return create_engine(driver, pool_size=2, max_overflow=8, pool_pre_ping=True, connect_args=options)
    raise BadInputError(
        f"Several processes cannot share {url[:80]!r}: give them a file (sqlite:///...) or PostgreSQL."
    )


def _sqlite(file: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(file, timeout=10.0, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=2, max_overflow=8)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # nothing here outlives the machine

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _make_tables(engine: Engine) -> None:
    postgres = engine.dialect.name == "postgresql"
    try:
        with engine.begin() as connection:
            if postgres:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                connection.execute(text("CREATE SCHEMA IF NOT EXISTS physix_live"))
            for statement in _TABLES:
                connection.execute(text(statement.format(kind="UNLOGGED" if postgres else "")))
    except Exception as error:
        if not is_from_driver(error):
            raise
        raise StorageError(f"What the servers tell each other cannot be kept: {error}.") from error
