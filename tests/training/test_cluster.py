"""The executor protocol on a real Ray cluster of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import ray
from ray.cluster_utils import Cluster

from bench.cluster_faults import RayNodes, ended, reference_of, streams, verify
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.errors import BadInputError, InfrastructureError
from physix.training.cluster import RayCluster, join_cluster
from physix.training.executor import TRIES, Done, in_batches
from physix.training.rollout import Tally, TaskPlan, roll_out_by_name
from tests.training.board import jobs
from tests.training.board.test_executor import ran

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    """Two workers on one node; the processes are this test's own, and end with it."""
    running = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False},
    )
    try:
        yield RayNodes(running)
    finally:
        ray.shutdown()
        running.shutdown()


@pytest.fixture(scope="module")
def cluster(nodes: RayNodes) -> RayCluster:
    return join_cluster(nodes.address)


def test_every_batch_comes_back_and_one_that_raises_harms_no_other(cluster: RayCluster) -> None:
    assert cluster.workers == 2
    done = ran(cluster, jobs.squares, [(1, 2), (13,), (3,)])
    assert [one.results for one in done] == [(1, 4), (), (9,)]
    assert [one.error for one in done] == [None, "ValueError: no luck", None]


def test_a_batch_whose_worker_dies_is_given_out_again_and_given_up_in_the_end(
    cluster: RayCluster, tmp_path: Path
) -> None:
    (done,) = ran(cluster, jobs.die_once, [(str(tmp_path / "marker"),)])
    assert (done.results, done.error) == (("seen",), None)
    (done,) = ran(cluster, jobs.die, [("x",)])
    assert done.error == f"The worker died {TRIES} times."


def test_cancelling_calls_back_what_was_given_out_and_the_cluster_goes_on(cluster: RayCluster) -> None:
    taken: list[Done[int, int]] = []

    async def run() -> None:
        async def take(done: Done[int, int]) -> None:
            taken.append(done)
            scope.cancel()

        with anyio.CancelScope() as scope:
            await cluster.run(jobs.squares, in_batches(list(range(9)), 2), take)

    anyio.run(run)
    assert len(taken) == 1
    assert [one.results for one in ran(cluster, jobs.squares, [(4,)])] == [(16,)]


def test_fewer_cores_than_there_are_may_be_asked_for(cluster: RayCluster) -> None:
    assert RayCluster(cpus=1).workers == 1
    assert RayCluster(cpus=9).workers == 2


def test_a_cluster_that_is_not_there_is_refused_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", nobody)
    with pytest.raises(InfrastructureError, match="ray start --head"):
        join_cluster("auto")


def test_machines_cannot_share_a_file(cluster: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [{"NodeManagerAddress": f"10.0.0.{i}", "Alive": True} for i in (1, 2)]
    monkeypatch.setattr(ray, "nodes", lambda: two)
    with pytest.raises(BadInputError, match="postgresql://"):
        join_cluster("auto", db="sqlite:///log.db")
    assert join_cluster("auto", db="postgresql://h/d").workers == 2


async def test_a_rollout_whose_worker_is_killed_is_the_one_that_a_single_process_plays(
    cluster: RayCluster, nodes: RayNodes, tmp_path: Path
) -> None:
    """The whole table of deaths is `python bench/cluster_faults.py`, and a soak test."""
    episodes, db = 12, f"sqlite:///{tmp_path}/log.db"
    killed = 0

    async def strike() -> None:
        nonlocal killed
        await anyio.to_thread.run_sync(nodes.kill_worker)
        killed = await ended(db)

    played: list[Tally] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(strike)
        plan = TaskPlan(systems=TRAINING_SYSTEMS, episodes=episodes)
        played.append(await roll_out_by_name(db, plan, "teacher", "faults", executor=cluster, batch=2))
    assert (played[0].episodes, played[0].failed) == (episodes, 0), played[0].error
    assert killed < episodes
    found = await streams(db)
    assert found == await anyio.to_thread.run_sync(reference_of, episodes)
    await anyio.to_thread.run_sync(verify, db)


@pytest.mark.soak
def test_nothing_is_lost_doubled_or_changed_whatever_is_killed() -> None:
    command = [sys.executable, "bench/cluster_faults.py", "--episodes", "40"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
