"""Turns appended per second to an SQLite log at 1, 16 and 64 callers.

`physix bench log [--turns 1200]`. A turn is three events with a 100 x 2 trajectory; every append
waits for its synced commit.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import anyio

from physix.engine import EpisodeConfig, Provenance
from physix.engine.episode import evolve, play, start
from physix.engine.events import HypothesisSubmitted, RewardComputed, SimulationRun
from physix.store import open_log
from physix.systems import sample_task
from physix.verifier.types import Hypothesis

LAW = Hypothesis(equation="d2x/dt2 = -1.0*x")


async def measure(callers: int, turns: int, path: Path) -> tuple[float, float, float]:
    """Return turns per second, median and 99th percentile latency in ms."""
    task, truth = sample_task("spring_mass", 7)
    started = start(task, truth, config=EpisodeConfig(max_turns=64), policy="bench", door="test")
    spent: list[float] = []
    async with open_log(f"sqlite:///{path}") as log:
        (first,) = await log.append("seed", (started,), expected_version=0)
        events = play(
            evolve(None, first),
            Hypothesis(equation="d2x/dt2 = -1.0*x"),
            provenance=Provenance(policy="bench"),
        )
        submitted, simulated, rewarded = events
        assert isinstance(submitted, HypothesisSubmitted)
        assert isinstance(simulated, SimulationRun)
        assert isinstance(rewarded, RewardComputed)

        async def write(name: str) -> None:
            for turn in range(turns // callers):
                if turn == 0:
                    await log.append(name, (started,), expected_version=0)
                whole = tuple(replace(e, turn=turn + 1) for e in (submitted, simulated, rewarded))
                began = time.perf_counter()
                await log.append(name, whole, expected_version=1 + 3 * turn)
                spent.append(1e3 * (time.perf_counter() - began))

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for i in range(callers):
                tasks.start_soon(write, f"e{i}")
        total = time.perf_counter() - began
    spent.sort()
    return len(spent) / total, statistics.median(spent), spent[int(0.99 * len(spent))]


def main(turns: int) -> None:
    """Print turns per second and latencies."""
    print(f"{'callers':>7} {'turns/s':>8} {'p50 ms':>7} {'p99 ms':>7}")
    for callers in (1, 16, 64):
        with tempfile.TemporaryDirectory() as folder:
            rate, middle, p99 = anyio.run(measure, callers, turns, Path(folder) / "bench.db")
        print(f"{callers:7} {rate:8.0f} {middle:7.2f} {p99:7.2f}")
