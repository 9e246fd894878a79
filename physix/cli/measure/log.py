"""What the log costs on each database, beside the floor: the driver's fastest bulk insert of the same rows.

A turn is three events with a 100 x 4 trajectory. Every append waits for its durable commit.
PostgreSQL is measured where a URL is given.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

import anyio
from sqlalchemy import text

from physix.cli.measure.sse import fan_out
from physix.engine import EpisodeConfig, Provenance, RecordedEvent
from physix.engine.episode import evolve, play, start
from physix.engine.events import (
    SCHEMA_VERSION,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    RewardComputed,
    SimulationRun,
)
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.store import Log, open_backend, open_log
from physix.store.codec import encode
from physix.store.moments import microseconds
from physix.store.projection import shown
from physix.store.sql import schema
from physix.store.sql.log import SqlLog

_CALLERS = (1, 16, 64)
_FANOUT = (1, 100, 500)


def main(turns: int, postgres_url: str | None, rounds: int) -> None:
    """Print every figure for SQLite in a temporary file, and for PostgreSQL if a URL is given."""
    settle()
    with tempfile.TemporaryDirectory(prefix="physix-bench-") as folder:
        _measure("SQLite", [f"sqlite:///{folder}/{i}.db" for i in range(3)], turns, rounds)
    if postgres_url is None:
        sys.stdout.write("PostgreSQL: not measured; give an empty database with --postgres URL\n")
    else:
        _measure("PostgreSQL", [postgres_url] * 3, turns, rounds)


def _measure(name: str, urls: Sequence[str], turns: int, rounds: int) -> None:
    out = sys.stdout
    sample = Sample()
    anyio.run(_create, urls[0])
    # Taking turns: a machine that is busy with other things spoils a round, and not one figure of it.
    bulk, single = [], []
    seen: dict[int, list[Appended]] = {callers: [] for callers in _CALLERS}
    for _ in range(rounds):
        bulk.append(_floor(urls[0], sample, turns, per_commit=turns))
        single.append(_floor(urls[0], sample, min(turns, 600), per_commit=1))
        for callers, measured in seen.items():
            measured.append(anyio.run(append, urls[1], sample, callers, turns))
    whole, one = middle(bulk), middle(single)
    out.write(
        f"{name}: medians of {rounds} rounds; floor {whole.rate:.0f} turns/s in one transaction "
        f"({whole.cpu_us:.0f} us of CPU a turn), {one.rate:.0f} one transaction a turn "
        f"({one.cpu_us:.0f} us)\n"
    )
    for callers, measured in seen.items():
        found = middle(measured)
        out.write(
            f"{name}: {callers:3} callers {found.rate:7.0f} turns/s, {found.cpu_us:.0f} us of CPU a turn, "
            f"p50 {found.p50_ms:.2f} ms, p99 {found.p99_ms:.2f} ms; "
            f"{_of(measured, bulk)} of the bulk floor, {_of(measured, single)} of the one-a-turn floor\n"
        )
    for clients in _FANOUT:
        p50, p99, rate = anyio.run(_follow, urls[1], sample, clients, 100)
        out.write(
            f"{name}: {clients:3} followers in the process: append called to event in hand "
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {rate:.0f} events/s\n"
        )
    for clients in _FANOUT:
        fan = fan_out(urls[2], clients)
        out.write(
            f"{name}: {clients:3} SSE clients over sockets: recorded to read p50 {fan.p50_ms:.2f} ms, "
            f"p99 {fan.p99_ms:.2f} ms, {fan.events_per_s:.0f} events/s\n"
        )
    rebuilt, exported = anyio.run(_maintain, urls[1])
    before = bytes_on_disk(urls[1])
    anyio.run(append, urls[1], sample, 1, turns)
    per_turn = (bytes_on_disk(urls[1]) - before) / turns
    out.write(
        f"{name}: rebuild {rebuilt / 1e6:.2f} million events/s, export {exported:.0f} events/s, "
        f"{per_turn:.0f} bytes a turn on disk\n"
    )


@dataclass(frozen=True, slots=True)
class Appended:
    """What appends of one turn cost. CPU is that of this process: a database server's comes on top."""

    rate: float  # turns per second
    cpu_us: float  # a turn
    p50_ms: float = 0.0
    p99_ms: float = 0.0


def middle(measured: Sequence[Appended]) -> Appended:
    """Return the median of each figure."""
    return Appended(*(statistics.median(each) for each in zip(*map(astuple, measured), strict=True)))


def _of(measured: Sequence[Appended], floor: Sequence[Appended]) -> str:
    """Return by how much of a floor's rate and CPU time, as medians over the rounds."""
    rate = statistics.median(a.rate / b.rate for a, b in zip(measured, floor, strict=True))
    cpu = statistics.median(b.cpu_us / a.cpu_us for a, b in zip(measured, floor, strict=True))
    return f"{rate:.2f} (by CPU {cpu:.2f})"


class Sample:
    """One start and one turn, as the engine makes them."""

    def __init__(self) -> None:
        task, truth = sample_task("projectile_drag", 7)
        started = start(task, truth, config=EpisodeConfig(max_turns=64), policy="bench", door="test")
        first = RecordedEvent(
            episode_id="sample", version=1, position=1, recorded_at=datetime.now(UTC), event=started
        )
        law = Hypothesis(
            equation="d2x/dt2 = -k*vx*sqrt(vx**2 + vy**2); d2y/dt2 = -g - k*vy*sqrt(vx**2 + vy**2)",
            params={"g": 9.81, "k": 0.05},
            rationale="quadratic drag and gravity",
        )
        submitted, simulated, rewarded, *_ = play(
            evolve(None, first), law, provenance=Provenance(policy="bench")
        )
        if not isinstance(submitted, HypothesisSubmitted) or not isinstance(simulated, SimulationRun):
            raise TypeError("a turn begins with a hypothesis and its simulation")
        if not isinstance(rewarded, RewardComputed):
            raise TypeError("a turn ends with its reward")
        self.started: EpisodeStarted = started
        self._parts = submitted, simulated, rewarded

    def turn(self, number: int) -> tuple[Event, ...]:
        """Return the events of the sample's turn under another number."""
        return tuple(replace(part, turn=number) for part in self._parts)


def settle() -> None:
    """Let the collector of garbage leave alone what imports made, as a server does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _create(url: str) -> None:
    async with open_log(url):
        pass


def _floor(url: str, sample: Sample, turns: int, *, per_commit: int) -> Appended:
    """Measure the driver alone: executemany on SQLite, COPY on PostgreSQL."""
    backend = open_backend(url)
    encoded = [encode(event) for event in sample.turn(1)]
    now = microseconds(datetime.now(UTC))
    with backend.writer.begin() as connection:
        base = int(connection.exec_driver_sql("SELECT coalesce(max(position), 0) FROM events").scalar_one())
    name = f"floor{base}"
    rows = []
    blobs = []
    for i in range(turns):
        outcome = None
        for j, (event, one) in enumerate(zip(sample.turn(i), encoded, strict=True)):
            if isinstance(event, SimulationRun):
                outcome = event.simulation.outcome
            version = 3 * i + j + 1
            key = (base + version, base + 1, version)
            named = name if version == 1 else None
            rows.append(
                (*key, one.type, SCHEMA_VERSION, now, named, *shown(event, outcome), one.payload, None)
            )
            if one.blob is not None:
                blobs.append((base + version, one.blob))
    began, busy = time.perf_counter(), time.process_time()
    for first in range(0, len(rows), 3 * per_commit):
        with backend.writer.begin() as connection:
            backend.bulk_insert(connection, schema.events, rows[first : first + 3 * per_commit])
            turn = first // 3
            backend.bulk_insert(connection, schema.trajectories, blobs[turn : turn + per_commit])
    spent, busy = time.perf_counter() - began, time.process_time() - busy
    if backend.placeholder != "?":
        # Rows of no episode would be in the way of what follows in the same database; and no rows of an
        # episode may be left without theirs.
        with backend.writer.begin() as connection:
            connection.exec_driver_sql("TRUNCATE events, trajectories, episodes, labels, commands")
    backend.writer.dispose()
    backend.readers.dispose()
    return Appended(turns / spent, 1e6 * busy / turns)


async def append(url: str, sample: Sample, callers: int, turns: int) -> Appended:
    """Append turns, played beforehand as the floor's rows are made, from tasks that wait for each commit."""
    spent: list[float] = []
    played = [sample.turn(turn + 1) for turn in range(turns // callers)]
    async with open_log(url) as log:
        stamp = time.time_ns()

        async def write(name: str) -> None:
            await log.append(name, (sample.started,), expected_version=0)
            for turn, whole in enumerate(played):
                began = time.perf_counter()
                await log.append(name, whole, expected_version=1 + 3 * turn)
                spent.append(1e3 * (time.perf_counter() - began))

        began, busy = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as tasks:
            for i in range(callers):
                tasks.start_soon(write, f"{stamp}-{callers}-{i}")
        total, busy = time.perf_counter() - began, time.process_time() - busy
    spent.sort()
    return Appended(
        len(spent) / total,
        1e6 * busy / len(spent),
        statistics.median(spent),
        spent[int(0.99 * len(spent))],
    )


async def _follow(url: str, sample: Sample, clients: int, turns: int) -> tuple[float, float, float]:
    """Return latency in ms from before the append to each follower, and events delivered per second."""
    delays: list[float] = []
    published: dict[int, float] = {}
    async with open_log(url) as log:
        name = f"{time.time_ns()}-follow-{clients}"
        (first,) = await log.append(name, (sample.started,), expected_version=0)
        ready = anyio.Event()
        waiting = clients

        async def follow() -> None:
            nonlocal waiting
            left = 3 * turns
            stream = log.subscribe(after_position=first.position, episode_ids=[name])
            waiting -= 1
            if waiting == 0:
                ready.set()
            async for recorded in stream:
                delays.append(1e3 * (time.perf_counter() - published[(recorded.version - 2) // 3]))
                left -= 1
                if left == 0:
                    return

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(clients):
                tasks.start_soon(follow)
            await ready.wait()
            for turn in range(turns):
                published[turn] = time.perf_counter()
                await log.append(name, sample.turn(turn + 1), expected_version=1 + 3 * turn)
        total = time.perf_counter() - began
    delays.sort()
    return statistics.median(delays), delays[int(0.99 * len(delays))], len(delays) / total


async def _maintain(url: str) -> tuple[float, float]:
    """Return events rebuilt and exported per second."""
    async with open_log(url) as log:
        if not isinstance(log, SqlLog):
            raise TypeError("only a database can be rebuilt")
        events = await log.query(
            lambda connection: int(connection.execute(text("SELECT count(*) FROM events")).scalar_one())
        )
        began = time.perf_counter()
        await log.rebuild()
        rebuilt = events / (time.perf_counter() - began)
        began = time.perf_counter()
        exported = await _export(log)
        rate = exported / (time.perf_counter() - began)
    return rebuilt, rate


async def _export(log: Log) -> int:
    from physix.store.transfer import export_lines

    total = 0
    async for _ in export_lines(log):
        total += 1
    return total - 1  # the last line is the checksum


def bytes_on_disk(url: str) -> int:
    """Return what a log takes on disk, indexes included."""
    backend = open_backend(url)
    with backend.writer.connect() as connection:
        if backend.placeholder == "?":
            connection.exec_driver_sql("ROLLBACK")
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, size = (
                connection.connection.cursor().execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size")
            )
            total = int(pages * size)
        else:
            query = (
                "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables "
                "WHERE relname IN ('events', 'trajectories', 'episodes', 'commands')"
            )
            total = int(connection.exec_driver_sql(query).scalar_one())
    backend.writer.dispose()
    backend.readers.dispose()
    return total
