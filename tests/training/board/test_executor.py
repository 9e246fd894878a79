"""The executor protocol, on processes of this machine and in the calling process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from physix.training.executor import TRIES, Done, Executor, InProcess, LocalProcesses, in_batches
from tests.training.board import jobs


def ran(executor: Executor, work: Any, batches: list[tuple[Any, ...]]) -> list[Done[Any, Any]]:
    found: list[Done[Any, Any]] = []

    async def take(done: Done[Any, Any]) -> None:
        found.append(done)

    async def run() -> None:
        await executor.run(work, batches, take)

    anyio.run(run)
    return sorted(found, key=lambda done: str(done.jobs))


@pytest.mark.parametrize("executor", [InProcess(), LocalProcesses(2)])
def test_every_batch_comes_back_and_one_that_raises_harms_no_other(executor: Executor) -> None:
    done = ran(executor, jobs.squares, [(1, 2), (13,), (3,)])
    assert [one.results for one in done] == [(1, 4), (), (9,)]
    assert [one.error for one in done] == [None, "ValueError: no luck", None]


def test_a_batch_whose_worker_dies_is_given_out_again(tmp_path: Path) -> None:
    (done,) = ran(LocalProcesses(1), jobs.die_once, [(str(tmp_path / "marker"),)])
    assert (done.results, done.error) == (("seen",), None)


def test_a_batch_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    (done,) = ran(LocalProcesses(1), jobs.die, [("x",)])
    assert done.error == f"The worker died {TRIES} times."


def test_a_worker_may_print_and_has_one_core() -> None:
    (done,) = ran(LocalProcesses(1), jobs.chatter, [(1,)])
    assert done.results == ("1",)


def test_cancelling_ends_the_workers() -> None:
    taken: list[Done[int, int]] = []

    async def run() -> None:
        async def take(done: Done[int, int]) -> None:
            taken.append(done)
            scope.cancel()

        with anyio.CancelScope() as scope:
            await LocalProcesses(1).run(jobs.squares, in_batches(list(range(9)), 2), take)

    anyio.run(run)
    assert [one.jobs for one in taken] == [(0, 1)]


def test_batches_are_as_long_as_asked_and_the_last_one_is_what_is_left() -> None:
    assert list(in_batches([1, 2, 3], 2)) == [(1, 2), (3,)]
    assert list(in_batches([], 2)) == []
