"""First pages of the list at two sizes of log, for every order and filter.

    python bench/lists.py sqlite:////tmp/small.db 10000 sqlite:////tmp/large.db 100000

Writes each log that is empty (a thousand small episodes a second; beyond 10,000 it copies these in SQL,
under other names), then times the first page of 50, the logs taking turns: the best of 15, as other work on
the machine only ever adds, in wall time and in CPU time of this process, which on SQLite is all of it. The
ratios of the largest log to the smallest should stay below 2.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import get_args

import anyio

from physix.engine.events import Event
from physix.limits import PERSON
from physix.store import EpisodeFilter, EpisodeOrder, Log, SortKey, open_log
from physix.store.contract_events import finished, started, turn
from physix.store.sql import said, schema
from physix.store.sql.log import SqlLog
from physix.store.sql.queries import last_position

_SYSTEMS = ("Free fall", "Spring", "Damped spring", "Pendulum", "Drag", "Predators", "Charge", "Chain")
_POLICIES = ("search", "nano", "hf:a", "ollama:b", PERSON)
_WRITERS = 128
_WRITTEN = 10_000  # episodes; the others are copies
_REPEATS = 15

Listing = tuple[EpisodeFilter, EpisodeOrder]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("logs", nargs="+", metavar="URL EPISODES", help="logs, each with its size")
    logs = parser.parse_args().logs
    if len(logs) % 2 or not all(size.isdigit() for size in logs[1::2]):
        parser.error("name a number of episodes after each URL")
    urls, sizes = logs[0::2], [int(size) for size in logs[1::2]]
    anyio.run(_run, urls, sizes)


async def _run(urls: Sequence[str], sizes: Sequence[int]) -> None:
    async with AsyncExitStack() as opened:
        logs = [await opened.enter_async_context(open_log(url)) for url in urls]
        for log, size in zip(logs, sizes, strict=True):
            if not (await log.list_episodes(EpisodeFilter(), limit=1)).items:
                await _write(log, min(size, _WRITTEN))
                await anyio.to_thread.run_sync(_copy, log, size // _WRITTEN)
            await anyio.to_thread.run_sync(_index, log)
        print(f"{'first page of 50':28}" + "".join(f"{size:>24,}" for size in sizes))
        for name, listing in _listings().items():
            timed = await _first_pages(logs, *listing)
            row = "".join(f"{wall:9.2f} ms {cpu:7.2f} CPU" for wall, cpu in timed)
            (least, least_cpu), (most, most_cpu) = timed[0], timed[-1]
            print(f"{name:28}{row}   {most / least:5.1f}x {most_cpu / least_cpu:5.1f}x", flush=True)


async def _first_pages(
    logs: Sequence[Log], wanted: EpisodeFilter, order: EpisodeOrder
) -> list[tuple[float, float]]:
    """Return the least wall and CPU milliseconds of each log, which take turns."""
    wall: list[list[float]] = [[] for _ in logs]
    cpu: list[list[float]] = [[] for _ in logs]
    for _ in range(_REPEATS):
        for log, spent, busy in zip(logs, wall, cpu, strict=True):
            began, used = time.perf_counter(), time.process_time()
            await log.list_episodes(wanted, order=order)
            spent.append(1e3 * (time.perf_counter() - began))
            busy.append(1e3 * (time.process_time() - used))
    return [(min(spent), min(busy)) for spent, busy in zip(wall, cpu, strict=True)]


def _listings() -> dict[str, Listing]:
    listings: dict[str, Listing] = {}
    for by in get_args(SortKey):
        for descending in (True, False):
            order = EpisodeOrder(by=by, descending=descending)
            listings[f"sort {'-' if descending else ''}{by}"] = EpisodeFilter(), order
    newest = EpisodeOrder()
    for wanted in (
        EpisodeFilter(system="Pendulum"),
        EpisodeFilter(policy="nano"),
        EpisodeFilter(outcome="solved"),
        EpisodeFilter(status="running"),
        EpisodeFilter(status="finished"),
        EpisodeFilter(tier=2),
        EpisodeFilter(run="r3"),
        EpisodeFilter(run="r3", step="7"),
        EpisodeFilter(text="pendul"),
        EpisodeFilter(text="abcdef"),
    ):
        told = ", ".join(f"{name}={value}" for name, value in _given(wanted))
        listings[f"filter {told}"] = wanted, newest
    listings["policy=nano, sort -match"] = EpisodeFilter(policy="nano"), EpisodeOrder(by="match")
    return listings


def _given(wanted: EpisodeFilter) -> list[tuple[str, object]]:
    names = ("system", "policy", "outcome", "status", "tier", "run", "step", "text")
    return [(name, getattr(wanted, name)) for name in names if getattr(wanted, name) is not None]


async def _write(log: Log, size: int) -> None:
    dice = random.Random(1)
    numbers = iter(range(size))

    async def write() -> None:
        for number in numbers:
            await log.append(f"{dice.getrandbits(128):032x}", _episode(dice, number), expected_version=0)

    async with anyio.create_task_group() as tasks:
        for _ in range(_WRITERS):
            tasks.start_soon(write)


def _copy(log: Log, times: int) -> None:
    """Make the log so many times as large. What is copied bears the seals of what it was copied from."""
    assert isinstance(log, SqlLog)
    with log.backend.writer.begin() as connection:
        log.backend.lock(connection)
        last = last_position(connection)
        for number in range(1, times):
            moved = {
                "position": f"position + {number * last}",
                "stream": f"stream + {number * last}",
                "episode_id": f"episode_id || '-{number}'",
                "value": f"CASE name WHEN 'run' THEN value || '-{number}' ELSE value END",
            }
            for table in (schema.events, schema.episodes, schema.labels):
                names = [column.name for column in table.columns]
                taken = ", ".join(moved.get(name, name) for name in names)
                connection.exec_driver_sql(
                    f"INSERT INTO {table.name} ({', '.join(names)}) "
                    f"SELECT {taken} FROM {table.name} WHERE position <= {last}"
                )
    if log.backend.placeholder != "?":
        # As the server does by itself within minutes.
        with log.backend.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE events, episodes, labels")


def _index(log: Log) -> None:
    """Index what was said, as a server does while it runs."""
    assert isinstance(log, SqlLog)
    while said.catch_up(log.backend):
        pass


def _episode(dice: random.Random, number: int) -> list[Event]:
    """Return an episode without arrays: lists read none."""
    title = dice.choice(_SYSTEMS)
    begun = started()
    task = replace(begun.task, shown=(), system_id=title, title=title, tier=1 + len(title) % 3)
    labels = {"run": f"r{number // 1000}", "step": str(number % 100)} if number % 2 else {}
    begun = replace(
        begun,
        task=task,
        truth=replace(begun.truth, hidden=()),
        policy=dice.choice(_POLICIES),
        labels=labels,
    )
    asked, ran, paid = turn(1, match=dice.random())
    ran = replace(ran, simulation=replace(ran.simulation, predictions=()))
    paid = replace(paid, reward=replace(paid.reward, total=dice.random()))
    events: list[Event] = [begun, asked, ran, paid]
    if dice.random() < 0.7:
        events.append(finished(dice.choice(("solved", "budget_exhausted", "abandoned"))))
    return events


if __name__ == "__main__":
    main()
