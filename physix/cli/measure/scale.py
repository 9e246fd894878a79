"""What 10³ to 10⁹ episodes come to: bytes, cores and hours, from what is measured here on a small log.

Episodes of eight turns on all eight systems are played with laws that are wrong, so that none ends early;
every turn is verified and recorded as any other. The log is weighed after each quarter: what a turn adds is
the slope, and how well a straight line fits is printed, since everything beyond the measured part is
arithmetic with it. A policy's own work (a search, a language model) comes on top, usually the larger part.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

from physix.cli.measure.env import WRONG_LAWS
from physix.cli.measure.log import Appended, Sample, append, bytes_on_disk
from physix.engine import EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.store import open_backend, open_log
from physix.store.archive import archive_finished

_TURNS = 8
_SIZES = (10**3, 10**5, 10**7, 10**9)
_CORES = 16  # of the machines in the table
_TABLE_LIMIT = 32 * 2**40  # bytes of one table in PostgreSQL, its documented bound at pages of 8 kB
_WIDE = 10**12
_PART = 1e8  # turns
_CUT = ("events", "trajectories")  # whose primary key is the position


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured on a log that grew.

    Attributes:
        bytes_a_turn: on disk, indexes and the episode's own rows included.
        deviation: the largest distance of a quarter's size from the straight line, as a share of the size.
        cpu_s: of one turn, from the hypothesis to its commit.
        archived: bytes a turn in Parquet; None where that was not measured.
        appends: what the log takes from 16 callers.
        followed: turns that a fold over the whole log reads in a second of CPU.
        tables: bytes a turn of each table's rows and of its indexes, where the database tells.
    """

    turns: int
    bytes_a_turn: float
    deviation: float
    cpu_s: float
    archived: float | None
    appends: Appended
    followed: float
    tables: Mapping[str, tuple[float, float]]


def main(episodes: int, postgres_url: str | None, turns: float) -> None:
    """Measure, then print the table for 10³ to 10⁹ episodes, and the log at so many turns."""
    out = sys.stdout
    with tempfile.TemporaryDirectory(prefix="physix-bench-") as folder:
        logs = {"SQLite": f"sqlite:///{folder}/log.db"}
        if postgres_url is None:
            out.write("PostgreSQL: not measured; give an empty database with --postgres URL\n")
        else:
            logs["PostgreSQL"] = postgres_url
        for name, url in logs.items():
            seen = anyio.run(measure, url, episodes, Path(folder) / f"{name}-archive")
            out.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}\n")
            out.writelines(f"{name}: {line}\n" for line in (*_measured(seen), *table(seen), *at(seen, turns)))


def _measured(seen: Growth) -> Iterator[str]:
    yield (
        f"{seen.turns} turns measured: {seen.bytes_a_turn / 1e3:.2f} kB a turn on disk "
        f"(a straight line to {100 * seen.deviation:.1f} %), {1e3 * seen.cpu_s:.1f} ms of CPU a turn, "
        f"{seen.appends.rate:.0f} turns/s from 16 callers ({seen.appends.cpu_us:.0f} us of CPU a turn), "
        f"{seen.followed:.0f} turns read back in a second of CPU"
    )
    if seen.archived is not None:
        yield f"archived to Parquet: {seen.archived / 1e3:.2f} kB a turn"


def table(seen: Growth) -> Iterator[str]:
    """Yield the lines of the table: episodes of eight turns, and what they come to."""
    yield (
        f"{'episodes':>10} {'turns':>10} {'on disk':>10} {'core hours':>11} "
        f"{f'hours on {_CORES} cores':>18} {'hours of appends':>17}"
    )
    for episodes in _SIZES:
        turns = episodes * _TURNS
        core_hours = turns * seen.cpu_s / 3600
        yield (
            f"{episodes:10.0e} {turns:10.0e} {size(turns * seen.bytes_a_turn):>10} {core_hours:11.3g} "
            f"{core_hours / _CORES:18.3g} {turns / seen.appends.rate / 3600:17.3g}"
        )


def at(seen: Growth, turns: float) -> Iterator[str]:
    """Yield what a log of so many turns is, by arithmetic from the measured growth."""
    total = turns * seen.bytes_a_turn
    writers = seen.appends.rate * seen.cpu_s
    yield f"at {turns:.0e} turns, {3 * turns:.0e} events and more:"
    yield f"  {size(total)} on disk; a fold over all of it takes {turns / seen.followed / 3600:.3g} hours"
    yield f"  written at {seen.appends.rate:.0f} turns/s in {turns / seen.appends.rate / 3600:.3g} hours"
    yield f"  by {max(1.0, writers):.0f} cores that do nothing but verify: more of them wait for the log"
    if seen.archived is not None:
        yield f"  {size(turns * seen.archived)} archived to Parquet"
    parts = max(1, int(np.ceil(total / _TABLE_LIMIT)))
    comfortable = max(1, int(np.ceil(total / _WIDE)))
    yield (
        f"  PostgreSQL bounds one table at 32 TiB: {parts} partition(s) by position at least, "
        f"{comfortable} at 1 TB each"
    )
    if seen.tables:
        yield from _parts(seen, turns)


def _parts(seen: Growth, turns: float) -> Iterator[str]:
    """Yield what one partition by position holds, and what is not cut up."""
    yield (
        f"  cut by position at every {_PART:.0e} turns, {turns / _PART:.0f} parts, each written in "
        f"{_PART / seen.appends.rate / 3600:.3g} hours:"
    )
    for name, (rows, indexes) in seen.tables.items():
        if name in _CUT:
            yield f"    {name}: {size(_PART * rows)} of rows and {size(_PART * indexes)} of indexes a part"
        else:
            # A small log's indexes are mostly empty pages.
            whole = f"{size(turns * rows)} of rows and {size(turns * indexes)} of indexes"
            yield f"    {name}: whole, at most {whole}"


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1_000:
            return f"{count:.3g} {unit}"
        count /= 1_000
    return f"{count:.3g} PB"


async def measure(url: str, episodes: int, archive: Path) -> Growth:
    """Play the episodes into an empty log and return how it grew."""
    quarter = max(1, episodes // 4)
    sizes, played, busy = [], [], 0.0
    async with open_log(url):
        pass
    empty = bytes_on_disk(url)
    for start in range(0, 4 * quarter, quarter):
        busy += await _play(url, range(start, start + quarter))
        sizes.append(bytes_on_disk(url))
        played.append((start + quarter) * _TURNS)
    slope, base = np.polyfit(played, sizes, 1)
    deviation = float(np.max(np.abs(np.asarray(sizes) - (slope * np.asarray(played) + base)) / sizes))
    weighed = _by_table(url)
    followed = await _follow(url) * played[-1]
    archived = await _archive(url, archive, played[-1])
    appends = await append(url, Sample(), 16, 2_048)
    return Growth(
        turns=played[-1],
        bytes_a_turn=max(float(slope), (sizes[-1] - empty) / played[-1]),
        deviation=deviation,
        cpu_s=busy / played[-1],
        archived=archived,
        appends=appends,
        followed=followed,
        tables={name: (rows / played[-1], indexes / played[-1]) for name, rows, indexes in weighed},
    )


def _by_table(url: str) -> list[tuple[str, int, int]]:
    """Return name, bytes of rows and bytes of indexes of each table; SQLite has one file for all."""
    backend = open_backend(url)
    try:
        if backend.placeholder == "?":
            return []
        with backend.readers.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables "
                "WHERE relname IN ('events', 'trajectories', 'episodes', 'labels') ORDER BY relname"
            )
            return [(name, int(rows), int(indexes)) for name, rows, indexes in found]
    finally:
        backend.writer.dispose()
        backend.readers.dispose()


async def _play(url: str, numbers: range) -> float:
    """Play episodes one after the other; return the CPU seconds of this process."""
    began = time.process_time()
    async with open_log(url) as log:
        engine = EpisodeEngine(log)
        for number in numbers:
            system_id = list(WRONG_LAWS)[number % len(WRONG_LAWS)]
            task, truth = sample_task(system_id, number)
            config = EpisodeConfig(verifier=VerifierConfig(profile="strict"), max_turns=_TURNS)
            episode = await engine.start(task, truth, config=config, policy="bench", door="test")
            for turn in range(_TURNS):
                law = Hypothesis(equation=WRONG_LAWS[system_id].format(k=0.5 + turn / 10), params={})
                await engine.submit(episode.episode_id, law, provenance=Provenance(policy="bench"))
    return time.process_time() - began


async def _follow(url: str) -> float:
    """Return how often the whole log could be read in a second of CPU."""
    began, position = time.process_time(), 0
    async with open_log(url) as log:
        while batch := await log.read_all(after_position=position, limit=1_000):
            position = batch[-1].position
    return 1 / (time.process_time() - began)


async def _archive(url: str, folder: Path, turns: int) -> float | None:
    try:
        import pyarrow  # noqa: F401  # whether it is there
    except ImportError:
        return None
    async with open_log(url) as log:
        async for _ in archive_finished(log, folder):
            pass
    return _weight(folder) / turns


def _weight(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet"))
