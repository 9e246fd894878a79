"""Judging: in threads of this process, unless an engine is given other judges; and what is said to those."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

import anyio
from anyio import to_thread

from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig


class JudgeThreads:
    """Implements `Judge`."""

    def __init__(self) -> None:
        # The solver holds the interpreter: two turns at once take turns at it, and all else waits longer.
        # Finding constants may take seconds, so those who ask for it are not in the way of the others.
        self._judging = anyio.CapacityLimiter(1)
        self._fitting = anyio.CapacityLimiter(max(1, (os.cpu_count() or 1) - 1))

    @property
    def waiting(self) -> int:
        """See `Judge.waiting`."""
        return sum(one.statistics().tasks_waiting for one in (self._judging, self._fitting))

    async def verify(
        self, task: Task, truth: Truth, hypothesis: Hypothesis, *, best_match: float, config: VerifierConfig
    ) -> Verification:
        """See `Judge.verify`."""
        judged = partial(verify, task, truth, hypothesis, best_match=best_match, config=config)
        limiter = self._fitting if config.constants == "fitted" else self._judging
        return await to_thread.run_sync(judged, limiter=limiter)


class Asked(NamedTuple):
    """A hypothesis to judge."""

    number: int  # of the task
    task: tuple[Task, Truth] | None  # with the first hypothesis about it
    forget: int | None  # the number of a task that is not asked about again
    hypothesis: Hypothesis
    best_match: float
    config: VerifierConfig


class Judged(NamedTuple):
    """The verdict, or why there is none."""

    verification: Verification | None
    error: str = ""
