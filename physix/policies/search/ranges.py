"""What the variables of a task do along its data: their size, sign and pace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.systems.task import Task
from physix.policies.search.library import Ranges
from physix.policies.search.smoothing import Run

_DIPS = 0.02  # share of its size that a positive variable may seem to go below zero


def ranges_of(task: Task, runs: Sequence[Run]) -> Ranges:
    """Return the sizes, signs and paces of all variables, over all runs together."""
    names = [v.name for v in task.variables]
    pooled = {name: np.concatenate([run.columns[name] for run in runs]) for name in names}
    size = {name: float(np.sqrt(np.mean(values**2))) or 1.0 for name, values in pooled.items()}
    positive = frozenset(
        name
        for name, values in pooled.items()
        if values.min() >= -_DIPS * size[name] and not _is_rate(task, name)
    )
    span = max(float(run.t[-1]) for run in runs)
    fastest = 2.0 * np.pi / span
    for run in runs:
        for name in names:
            off = run.columns[name] - run.columns[name].mean()
            crossings = int(np.sum(np.diff(np.signbit(off))))
            fastest = max(fastest, np.pi * crossings / float(run.t[-1]))
    one_way = frozenset(
        name for name, values in pooled.items() if min(values.max(), -values.min()) <= _DIPS * size[name]
    )
    return Ranges(size, positive, one_way, fastest, np.pi / span)


def _is_rate(task: Task, name: str) -> bool:
    return any(v.name == name and v.rate_of is not None for v in task.variables)
