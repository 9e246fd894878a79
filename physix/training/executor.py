"""Where work runs: one protocol, so that a board need not know if its workers are processes or a cluster.

A job is a frozen value that can be pickled and knows a deterministic id: a job that is given out twice
(a worker died, a run was resumed) finds what its first try left in the log and counts once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import anyio
from anyio.abc import Process

from physix.engine.frames import HEAD, framed, length, opened
from physix.errors import ConflictError, InfrastructureError, StorageError
from physix.limits import MAX_TURNS
from physix.settings import Settings
from physix.training.doors.outage import pauses

TRIES = 3  # of a batch whose worker dies
J = TypeVar("J")
R = TypeVar("R")

Work = Callable[[tuple[J, ...]], Sequence[R]]
Batch = tuple[J, ...]


@dataclass(frozen=True, slots=True)
class Done(Generic[J, R]):
    """What became of one batch: a result for each job in its order, or why there is none."""

    jobs: tuple[J, ...]
    results: tuple[R, ...] = ()
    error: str | None = None


Take = Callable[[Done[J, R]], Awaitable[None]]


class Executor(Protocol):
    """Runs a function over batches of jobs, several at a time."""

    @property
    def workers(self) -> int:
        """How many batches are under way at a time."""
        ...

    async def run(self, work: Work[J, R], batches: Iterable[Batch[J]], take: Take[J, R]) -> None:
        """Give every batch to `work` somewhere and hand what came of it to `take`, in any order.

        A batch is drawn from `batches` only when a worker is free. One that raises, or whose worker
        dies `TRIES` times, is handed over with its error; the others go on. Cancelling ends the workers
        at once; it is how a run is paused, as a later one skips what is done. `take` is never called
        twice at a time.

        Args:
            work: a function that can be pickled (module level, or a `partial` of one), which returns a result
                for each job of its batch.

        Raises:
            InfrastructureError: no worker can be started.
        """
        ...


class LocalProcesses:
    """Implements `Executor` with processes of this machine, each on one core."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)

    @property
    def workers(self) -> int:
        """See `Executor.workers`."""
        return self._workers

    async def run(self, work: Work[J, R], batches: Iterable[Batch[J]], take: Take[J, R]) -> None:
        """See `Executor.run`."""
        waiting = iter(batches)
        taking = anyio.Lock()

        async def lane() -> None:
            worker = _Worker()
            try:
                for jobs in waiting:
                    done = await _tried(worker, work, jobs)
                    async with taking:
                        await take(done)
            finally:
                await worker.stop()

        async with anyio.create_task_group() as lanes:
            for _ in range(self._workers):
                lanes.start_soon(lane)


class InProcess:
    """Implements `Executor` in the calling process, one batch at a time: for tests and debuggers."""

    workers = 1

    async def run(self, work: Work[J, R], batches: Iterable[Batch[J]], take: Take[J, R]) -> None:
        """See `Executor.run`."""
        for jobs in batches:
            await take(await anyio.to_thread.run_sync(attempt, work, jobs))


def in_batches(jobs: Sequence[J], size: int) -> Iterator[Batch[J]]:
    """Yield the jobs in tuples of `size`, the last one shorter."""
    for start in range(0, len(jobs), size):
        yield tuple(jobs[start : start + size])


def attempt(work: Work[J, R], jobs: Batch[J]) -> Done[J, R]:
    """Return what a batch comes to here; whatever it raises becomes the error of the batch.

    A log that is away is waited for as the doors wait for a server, `PHYSIX_OUTAGE_S` long. Where another
    worker, thought dead, plays the same episode, the batch begins anew and goes on from the log.
    """
    waiting = pauses(Settings().outage_s)
    conflicts = 0
    while True:
        try:
            return Done(jobs, tuple(work(jobs)))
        except StorageError as error:
            wait = next(waiting, None)
            if wait is None:
                return _failed(jobs, error)
            time.sleep(wait)
        except ConflictError as error:
            conflicts += 1
            if conflicts > MAX_TURNS:  # each of which the other one played
                return _failed(jobs, error)
        except Exception as error:  # other people's numerical code raises whatever it likes
            return _failed(jobs, error)


def _failed(jobs: Batch[J], error: Exception) -> Done[J, R]:
    return Done(jobs, error=f"{type(error).__name__}: {str(error)[:500]}")


async def _tried(worker: _Worker, work: Work[J, R], jobs: Batch[J]) -> Done[J, R]:
    for _ in range(TRIES):
        answer: Done[J, R] | None = await worker.ask(work, jobs)
        if answer is not None:
            return answer
    return Done(jobs, error=f"The worker died {TRIES} times.")


class _Worker:
    """A Python process that answers pickled calls: started when first asked, and again after it died.

    It is no `multiprocessing` child: that would import the caller's main module once more.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._read = b""

    async def ask(self, work: Work[J, R], jobs: Batch[J]) -> Done[J, R] | None:
        """Return the answer, None if the worker died over it."""
        process = self._process or await self._start()
        try:
            await _send(process, (work, jobs))
            return Done(jobs, *await self._receive(process))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self.stop()
            return None

    async def stop(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()

    async def _start(self) -> Process:
        # One core each: threads of several workers only wait for one another.
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        command = [sys.executable, "-P", "-W", "ignore", "-m", "physix.training.worker"]
        try:
            self._process = await anyio.open_process(
                command, stderr=None, env={**os.environ, **one, "PYTHONPATH": path}
            )
        except OSError as error:
            raise InfrastructureError(f"No worker can be started: {error}.") from error
        self._read = b""
        return self._process

    async def _receive(self, process: Process) -> tuple[tuple[R, ...], str | None]:
        size = length(await self._exactly(process, HEAD.size))
        answer: tuple[tuple[R, ...], str | None] = opened(await self._exactly(process, size))
        return answer

    async def _exactly(self, process: Process, count: int) -> bytes:
        if process.stdout is None:
            raise anyio.EndOfStream
        while len(self._read) < count:
            self._read += await process.stdout.receive()
        found, self._read = self._read[:count], self._read[count:]
        return found


async def _send(process: Process, value: object) -> None:
    if process.stdin is None:
        raise anyio.EndOfStream
    await process.stdin.send(framed(value))
