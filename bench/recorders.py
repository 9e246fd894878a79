"""Appends a second beside the `eventsourcing` library's recorder, which does the same work.

    pip install 'physix-live[bench]'
    python bench/recorders.py [--turns 1024] [--rounds 5] [--postgres URL]

The work: the three events of a turn with a 100 x 4 trajectory, made into bytes by the same code, appended at
an expected version in one durable transaction, with a place in the order of the whole log. Its callers are
threads, ours are tasks: each waits for its commit. What our log does beside (seals, lists, checks of a turn's
shape, followers) is in its figures. The two take turns, so that a busy machine spoils both; printed are
medians, and CPU time a turn of this process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import anyio
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from sqlalchemy import make_url

from physix.cli.measure.log import Appended, Sample, append, middle, settle
from physix.engine.events import Event
from physix.store import open_log
from physix.store.codec import encode

_CALLERS = (1, 16)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--turns", type=int, default=1024)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--postgres", metavar="URL", help="an empty database")
    given = asked.parse_args()
    settle()
    with tempfile.TemporaryDirectory(prefix="physix-recorders-") as folder:
        compare(
            "SQLite",
            f"sqlite:///{folder}/ours.db",
            on_sqlite(f"{folder}/theirs.db"),
            given.turns,
            given.rounds,
        )
    if given.postgres:
        anyio.run(create, given.postgres)  # first: it takes no database that holds other tables
        compare("PostgreSQL", given.postgres, on_postgres(given.postgres), given.turns, given.rounds)


def compare(name: str, url: str, recorder: ApplicationRecorder, turns: int, rounds: int) -> None:
    sample = Sample()
    for callers in _CALLERS:
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(anyio.run(append, url, sample, callers, turns))
            theirs.append(record(recorder, sample, callers, turns))
        own, other = middle(ours), middle(theirs)
        pairs = list(zip(ours, theirs, strict=True))
        times = statistics.median(a.rate / b.rate for a, b in pairs)
        by_cpu = statistics.median(b.cpu_us / a.cpu_us for a, b in pairs)
        print(
            f"{name}: {callers:2} callers, physix {own.rate:6.0f} turns/s ({own.cpu_us:.0f} us of CPU each), "
            f"eventsourcing {other.rate:6.0f} ({other.cpu_us:.0f} us): "
            f"{times:.2f} times, by CPU {by_cpu:.2f}",
            flush=True,
        )


def record(recorder: ApplicationRecorder, sample: Sample, callers: int, turns: int) -> Appended:
    """Append from threads, each to an aggregate of its own, turns that were played beforehand."""
    played = [sample.turn(turn + 1) for turn in range(turns // callers)]

    def write() -> None:
        episode = uuid4()
        recorder.insert_events(stored(episode, 1, (sample.started,)))
        for turn, whole in enumerate(played):
            recorder.insert_events(stored(episode, 2 + 3 * turn, whole))

    threads = [threading.Thread(target=write) for _ in range(callers)]
    began, busy = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total, busy, done = time.perf_counter() - began, time.process_time() - busy, turns // callers * callers
    return Appended(done / total, 1e6 * busy / done)


def stored(episode: UUID, first: int, events: Sequence[Event]) -> list[StoredEvent]:
    encoded = map(encode, events)
    return [
        StoredEvent(episode, first + i, one.type, one.payload.encode() + (one.blob or b""))
        for i, one in enumerate(encoded)
    ]


async def create(url: str) -> None:
    async with open_log(url):
        pass


def on_sqlite(path: str) -> ApplicationRecorder:
    # Its default waits 5 s for a lock: with sixteen writers on a busy machine some would fail.
    recorder = SQLiteApplicationRecorder(
        SQLiteDatastore(path, lock_timeout=60, pool_timeout=60, max_overflow=16)
    )
    recorder.create_table()
    return recorder


def on_postgres(url: str) -> ApplicationRecorder:
    parsed = make_url(url)
    datastore = PostgresDatastore(
        dbname=parsed.database or "",
        host=str(parsed.query.get("host") or parsed.host or ""),
        port=parsed.port or 5432,
        user=parsed.username or "",
        password=parsed.password or "",
        pool_size=16,
        connect_timeout=60,
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    return recorder


if __name__ == "__main__":
    main()
