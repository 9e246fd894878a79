"""The executor on a Ray cluster (extra `ray`): a batch is a task of one core.

Ray gives out again what was lost with a worker or a node; what is lost with the driver, a second run of the
same command gives out again. Either way an episode goes on from the log, and counts once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CancelScope, to_thread

from physix.errors import BadInputError, InfrastructureError
from physix.training.executor import TRIES, Batch, Done, Take, Work, attempt

if TYPE_CHECKING:
    from ray import ObjectRef

INSTALL = "pip install 'physix-live[ray]'"
_LOOK_S = 1.0
J = TypeVar("J")
R = TypeVar("R")


class RayCluster:
    """Implements `Executor` on a cluster that this process has joined. Use `join_cluster`."""

    def __init__(self, cpus: int | None) -> None:
        import ray

        self._ray = ray
        self._cpus = cpus
        self._remote = ray.remote(num_cpus=1, max_retries=TRIES - 1, retry_exceptions=False)(attempt)

    @property
    def workers(self) -> int:
        """See `Executor.workers`: the cores that are there now, at most as many as were asked for."""
        there = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return there if self._cpus is None else min(there, self._cpus)

    async def run(self, work: Work[J, R], batches: Iterable[Batch[J]], take: Take[J, R]) -> None:
        """See `Executor.run`."""
        waiting = iter(batches)
        shared = self._ray.put(work)
        given_out: dict[ObjectRef[Done[J, R]], Batch[J]] = {}
        try:
            while True:
                # Nodes come and go: how much is under way follows.
                free = await to_thread.run_sync(lambda: self.workers) - len(given_out)
                while free > 0 and (jobs := next(waiting, None)) is not None:
                    given_out[self._remote.remote(shared, jobs)] = jobs
                    free -= 1
                if not given_out:
                    return
                for ref in await to_thread.run_sync(self._ready, list(given_out), abandon_on_cancel=True):
                    await take(await to_thread.run_sync(self._answer, ref, given_out.pop(ref)))
        except self._ray.exceptions.RaySystemError as error:
            raise InfrastructureError(
                f"The Ray cluster is gone ({error}). Run the same command again to go on."
            ) from error
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._call_back, list(given_out))

    def _ready(self, refs: list[Any]) -> Sequence[Any]:
        found: Sequence[Any] = self._ray.wait(refs, num_returns=1, timeout=_LOOK_S)[0]
        return found

    def _answer(self, ref: Any, jobs: Batch[J]) -> Done[J, R]:
        """Return what a batch came to; that its worker died again and again is an error of the batch."""
        try:
            done: Done[J, R] = self._ray.get(ref)
        except (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.NodeDiedError):
            return Done(jobs, error=f"The worker died {TRIES} times.")
        except self._ray.exceptions.RayTaskError as error:
            # Before the work began: what it needs cannot be imported there.
            return Done(jobs, error=f"The worker cannot begin: {str(error.cause)[:300]}")
        except self._ray.exceptions.RayError as error:
            return Done(jobs, error=f"Ray lost the batch: {type(error).__name__}: {str(error)[:300]}")
        return done

    def _call_back(self, refs: list[Any]) -> None:
        for ref in refs:
            self._ray.cancel(ref, force=True)


def join_cluster(address: str, *, cpus: int | None = None, db: str = "") -> RayCluster:
    """Join a Ray cluster and return its executor.

    Args:
        address: `auto` for the one that runs on this machine, its head's address, or `local` to start one
            that ends with this process.
        cpus: use at most so many cores; None for all.
        db: the log that the workers write to.

    Raises:
        BadInputError: `ray` is not installed, or the workers are on machines that cannot share the log.
        InfrastructureError: there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that we run
    try:
        import ray
    except ImportError as error:
        raise BadInputError(f"--ray needs Ray: {INSTALL}") from error
    own = {"num_cpus": cpus or os.cpu_count(), "include_dashboard": False} if address == "local" else {}
    if not ray.is_initialized():
        join = partial(ray.init, address, log_to_driver=False, logging_level="ERROR", **own)
        try:
            join()
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise InfrastructureError(
                f"There is no Ray cluster at {address!r} ({str(error)[:200]}). "
                "Start one with `ray start --head`, or give --ray local."
            ) from error
    _require_shared(db, {node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]})
    return RayCluster(cpus)


def _require_shared(db: str, machines: set[str]) -> None:
    if db.startswith("sqlite:") and len(machines) > 1:
        raise BadInputError(
            f"The workers are on {len(machines)} machines, which cannot share the file {db!r}: "
            "give them PostgreSQL with --db postgresql://user:password@host/database."
        )
