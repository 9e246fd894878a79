"""The executor protocol on a real Ray cluster of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import ray
from ray.cluster_utils import Cluster

from physix.errors import BadInputError, InfrastructureError
from physix.training.cluster import RayCluster, join_cluster
from physix.training.executor import TRIES, Done, in_batches
from tests.training.board import jobs
from tests.training.board.test_executor import ran


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two workers; the processes are this test's own, and end with it."""
    running = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "object_store_memory": 80 * 2**20, "include_dashboard": False},
    )
    try:
        yield join_cluster(running.address)
    finally:
        ray.shutdown()
        running.shutdown()


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
