"""What a verification needs of a task, computed once and shared by all hypotheses about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from physix.engine.systems.task import Task, Trajectory, Truth

FloatArray = NDArray[np.float64]

STILL = 1e-9  # relative spread below which a variable counts as not moving
_POINTS = 64
_SEED = 20_261_101
_GROWTH = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One trajectory as arrays: `t` has shape (T,), `states` (T, D)."""

    t: FloatArray
    states: FloatArray
    initial: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """One hidden trajectory as arrays."""

    samples: Samples
    total: float  # sum of squared deviations from the mean, all variables together
    scale: FloatArray  # shape (D,), as in Prepared


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A task's shown data as arrays, and the statistics that every score needs.

    Per-variable arrays have shape (D,) and pool all shown trajectories.
    """

    shown: tuple[Samples, ...]
    pooled: FloatArray  # shape (sum of T, D)
    spread: FloatArray  # standard deviation
    total: FloatArray  # sum of squared deviations from the mean
    size: FloatArray  # largest magnitude
    still: NDArray[np.bool_]  # does not move
    scale: FloatArray  # spread, or size, or 1: never zero; what tolerances are relative to
    names: tuple[str, ...]
    noise: float


class Same:
    """Hashes by identity: a task has hundreds of numbers, and episodes keep the object."""

    __slots__ = ("values",)

    def __init__(self, *values: object) -> None:
        self.values = values

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and all(a is b for a, b in zip(self.values, other.values, strict=True))


def prepare(task: Task) -> Prepared:
    """Return the task's arrays; the same task object is prepared once."""
    return _prepare(Same(task))


def prepare_hidden(truth: Truth) -> tuple[Hidden, ...]:
    """Return the hidden trajectories as arrays; the same truth object is prepared once."""
    return _prepare_hidden(Same(truth))


@lru_cache(maxsize=256)
def _prepare(same: Same) -> Prepared:
    (task,) = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    shown = tuple(_samples(trajectory) for trajectory in task.shown)
    pooled = np.concatenate([samples.states for samples in shown])
    spread = pooled.std(axis=0)
    size = np.abs(pooled).max(axis=0)
    still = _still(spread, size)
    return Prepared(
        shown=shown,
        pooled=pooled,
        spread=spread,
        total=((pooled - pooled.mean(axis=0)) ** 2).sum(axis=0),
        size=size,
        still=still,
        scale=_scale(spread, size),
        names=tuple(variable.name for variable in task.variables),
        noise=task.noise,
    )


@lru_cache(maxsize=256)
def _prepare_hidden(same: Same) -> tuple[Hidden, ...]:
    (truth,) = same.values
    assert isinstance(truth, Truth)  # noqa: S101  # for the type checker
    return tuple(_hidden(trajectory) for trajectory in truth.hidden)


def _hidden(trajectory: Trajectory) -> Hidden:
    samples = _samples(trajectory)
    states = samples.states
    return Hidden(
        samples=samples,
        total=float(((states - states.mean(axis=0)) ** 2).sum()),
        scale=_scale(states.std(axis=0), np.abs(states).max(axis=0)),
    )


def _samples(trajectory: Trajectory) -> Samples:
    return Samples(np.array(trajectory.t), np.array(trajectory.states), list(trajectory.states[0]))


def _still(spread: FloatArray, size: FloatArray) -> NDArray[np.bool_]:
    still: NDArray[np.bool_] = spread <= STILL * np.maximum(size, STILL)
    return still


def _scale(spread: FloatArray, size: FloatArray) -> FloatArray:
    return np.where(_still(spread, size), np.where(size > 0.0, size, 1.0), spread)


def sample_points(prepared: Prepared) -> tuple[FloatArray, FloatArray]:
    """Return 64 seeded states (64, D) and times (64,), uniform around the shown motion.

    The box of the shown states grows by 1.25 about its centre; times stay within those shown.
    """
    observed = np.concatenate([np.column_stack([x.states, x.t]) for x in prepared.shown])
    low, high = observed.min(axis=0), observed.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * _GROWTH
    half[-1] /= _GROWTH
    drawn = Generator(PCG64(_SEED)).uniform(-1.0, 1.0, size=(_POINTS, len(centre)))
    points = centre + half * drawn
    return points[:, :-1], points[:, -1]
