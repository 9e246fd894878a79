"""What a verification needs of a task, computed once and shared by all hypotheses about it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.engine.systems.noise import sigma_of
from physix.engine.systems.record import whole_record
from physix.engine.systems.task import Noise, Task, Trajectory, Truth

BoolArray = NDArray[np.bool_]
Inputs = Callable[[float], Sequence[float]]  # from a time to the task's inputs, in their order

STILL = 1e-9  # relative spread below which a variable counts as not moving
QUIET = 2.0  # times the noise's variance: a variable that varies less does not move beyond its noise
GROWTH_SHARE = 1e-2  # of the spread: what starts below it grows by decades


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One trajectory as arrays: `t` has shape (T,), all others (T, D)."""

    t: FloatArray
    states: FloatArray
    initial: list[float]
    sigma: FloatArray  # standard deviation of the noise of each sample; 0: none
    weight: FloatArray  # 1 for what was observed, 0 for what is missing and for estimated rates
    inputs: Inputs | None = None  # at any time, linear between samples; None: the task has none


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A task's shown data as arrays, and the statistics that every score needs.

    Per-variable arrays have shape (D,) and pool all shown trajectories; what is missing has no
    part in them. Estimated rates have statistics, but are `scored` nowhere.
    """

    shown: tuple[Samples, ...]
    pooled: FloatArray  # shape (sum of T, D)
    sigma: FloatArray  # shape (sum of T, D), as in Samples
    weight: FloatArray | None  # shape (sum of T, D), as in Samples; None: all of it counts
    spread: FloatArray  # standard deviation
    total: FloatArray  # sum of squared deviations from the mean
    size: FloatArray  # largest magnitude
    still: BoolArray  # does not move
    quiet: BoolArray  # does not move beyond its noise
    scored: BoolArray  # was observed, and so is judged
    scale: FloatArray  # spread, or size, or 1: never zero; what tolerances are relative to
    early: FloatArray  # as scale, but where the motion grows by decades the size that it starts with
    rms_sigma: FloatArray  # root mean square of the noise's standard deviation
    names: tuple[str, ...]
    noise: float  # share of each variable's spread, root mean square over those that move
    measured: bool
    budget: int  # evaluations of the right-hand side that following the data may need


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """One hidden trajectory as arrays."""

    samples: Samples
    variance: FloatArray  # shape (D,), of each variable's whole record, this part included
    total: FloatArray  # the same times the samples that count: what R² holds the residual against
    counts: BoolArray  # shape (D,), has samples that count
    complete: bool  # all samples count
    quiet: BoolArray  # does not move beyond its noise in all of that record
    size: FloatArray  # largest magnitude in all of that record
    scale: FloatArray  # as in Prepared
    early: FloatArray  # as in Prepared
    noisy: bool  # measured, and so as noisy as what is shown
    budget: int  # as in Prepared


class Same:
    """Hashes by identity: a task has hundreds of numbers, and episodes keep the object."""

    __slots__ = ("_ids", "values")

    def __init__(self, *values: object) -> None:
        self.values = values
        # Of objects that are held here, so none of them is another's later on.
        self._ids = tuple(map(id, values))

    def __hash__(self) -> int:
        return hash(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._ids == other._ids


def prepare(task: Task) -> Prepared:
    """Return the task's arrays; the same task object is prepared once."""
    return _prepare(Same(task))


def prepare_hidden(task: Task, truth: Truth) -> tuple[Hidden, ...]:
    """Return the hidden trajectories as arrays; the same task and truth objects are prepared once."""
    return _prepare_hidden(Same(task, truth))


@lru_cache(maxsize=256)
def _prepare(same: Same) -> Prepared:
    (task,) = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    level = _noise_of(task)
    shown = tuple(_samples(task, trajectory, level) for trajectory in task.shown)
    pooled = np.concatenate([samples.states for samples in shown])
    sigma = np.concatenate([samples.sigma for samples in shown])
    weight = np.concatenate([samples.weight for samples in shown])
    scored = np.array([not variable.estimated for variable in task.variables])
    observed = _observed(task.shown, pooled)
    total, size = _total(observed), _largest(observed)
    spread = np.sqrt(total / np.isfinite(observed).sum(axis=0))
    still = spread <= STILL * size
    scale = _scale(spread, size)
    rms_sigma = np.sqrt((sigma**2).mean(axis=0))
    quiet = still | (spread**2 <= QUIET * rms_sigma**2)
    return Prepared(
        shown=shown,
        pooled=pooled,
        sigma=sigma,
        weight=None if weight.all() else weight,
        spread=spread,
        total=total,
        size=size,
        still=still,
        quiet=quiet,
        scored=scored,
        scale=scale,
        early=_early(shown, scale),
        rms_sigma=rms_sigma,
        names=tuple(variable.name for variable in task.variables),
        noise=_share(rms_sigma / scale, scored & ~quiet) if task.noises else task.noise,
        measured=task.measured,
        budget=sum(_budget(samples) for samples in shown),
    )


@lru_cache(maxsize=256)
def _prepare_hidden(same: Same) -> tuple[Hidden, ...]:
    task, truth = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    assert isinstance(truth, Truth)  # noqa: S101  # likewise
    noisy = truth.equation is None
    # The noise of a trajectory that was computed from the truth is none.
    level = _noise_of(task) if noisy else (Noise(absolute=0.0),) * len(task.variables)
    parts = tuple(_samples(task, trajectory, level) for trajectory in truth.hidden)
    variance, size = _of_record(task, truth)
    scale = _scale(np.sqrt(variance), size)

    def hidden(samples: Samples) -> Hidden:
        counted = samples.weight.sum(axis=0)
        noise = (samples.sigma**2).mean(axis=0)
        return Hidden(
            samples=samples,
            variance=variance,
            total=counted * variance,
            counts=counted > 0.0,
            complete=bool(samples.weight.all()),
            quiet=(variance <= (STILL * size) ** 2) | (variance <= QUIET * noise),
            size=size,
            scale=scale,
            early=_early((samples,), scale),
            noisy=noisy,
            budget=_budget(samples),
        )

    return tuple(map(hidden, parts))


def _of_record(task: Task, truth: Truth) -> tuple[FloatArray, FloatArray]:
    """Return variance and largest magnitude of each variable in all there is of it, shown and hidden.

    A part that goes on where a shown one ends is one motion with it: on a plateau alone nothing
    varies, and any R² would be a division by zero. Motions from other starts vary about their own means.
    """
    motions = whole_record(task, truth)
    columns = [_observed((motion,), states_of(motion)) for motion in motions]
    samples = sum(np.isfinite(column).sum(axis=0) for column in columns)
    variance = sum(_total(column) for column in columns) / np.maximum(samples, 1)
    return variance, _largest(np.concatenate(columns))


def _share(shares: FloatArray, moving: BoolArray) -> float:
    return float(np.sqrt(np.mean(shares[moving] ** 2))) if moving.any() else 0.0


def _noise_of(task: Task) -> tuple[Noise, ...]:
    """Return the noise of each variable: as the task gives it, else its share of the spread."""
    if task.noises:
        return task.noises
    pooled = np.concatenate([states_of(trajectory) for trajectory in task.shown])
    observed = _observed(task.shown, pooled)
    spread = np.sqrt(_total(observed) / np.isfinite(observed).sum(axis=0))
    return tuple(Noise(absolute=task.noise * one) for one in spread.tolist())


def _samples(task: Task, trajectory: Trajectory, noises: Sequence[Noise]) -> Samples:
    states = states_of(trajectory)
    weight = np.ones(states.shape)
    for row, column in trajectory.missing:
        weight[row, column] = 0.0
    for column, variable in enumerate(task.variables):
        if variable.estimated:
            weight[:, column] = 0.0
    t = np.array(trajectory.t)
    return Samples(
        t=t,
        states=states,
        initial=list(trajectory.states[0]),
        sigma=np.array(trajectory.sigma) if trajectory.sigma else sigma_of(states, noises),
        weight=weight,
        inputs=interpolation(t, trajectory.inputs) if trajectory.inputs else None,
    )


def states_of(trajectory: Trajectory) -> FloatArray:
    """Return the states, shape (T, D), not to be written to; the same trajectory object is read once."""
    return _states_of(Same(trajectory))


@lru_cache(maxsize=512)
def _states_of(same: Same) -> FloatArray:
    (trajectory,) = same.values
    assert isinstance(trajectory, Trajectory)  # noqa: S101  # for the type checker
    states = np.array(trajectory.states)
    states.flags.writeable = False
    return states


def interpolation(t: FloatArray, inputs: Sequence[Sequence[float]]) -> Inputs:
    """Return the inputs at any time: linear between samples, held before the first and after the last.

    Args:
        t: shape (T,), increasing.
        inputs: T rows of I numbers.
    """
    times, rows = t.tolist(), [tuple(row) for row in inputs]
    last = len(times) - 1

    def at(time: float) -> Sequence[float]:
        after = bisect_right(times, time)
        if after == 0 or after > last:
            return rows[min(after, last)]
        share = (time - times[after - 1]) / (times[after] - times[after - 1])
        return [a + share * (b - a) for a, b in zip(rows[after - 1], rows[after], strict=True)]

    return at


def _observed(trajectories: Sequence[Trajectory], states: FloatArray) -> FloatArray:
    """Return the states of trajectories, one after another, with NaN where a sample is missing."""
    if not any(one.missing for one in trajectories):
        return states
    observed = states.copy()
    first = 0
    for one in trajectories:
        for row, column in one.missing:
            observed[first + row, column] = math.nan
        first += len(one.t)
    return observed


def _total(observed: FloatArray) -> FloatArray:
    if np.isfinite(observed).all():
        total: FloatArray = ((observed - observed.mean(axis=0)) ** 2).sum(axis=0)
        return total
    rest: FloatArray = np.nansum((observed - np.nanmean(observed, axis=0)) ** 2, axis=0)
    return rest


def _largest(observed: FloatArray) -> FloatArray:
    """Return the largest magnitude of each variable, shape (D,), NaN where a sample is missing left out."""
    size: FloatArray = np.abs(observed).max(axis=0)
    return np.nanmax(np.abs(observed), axis=0) if np.isnan(size).any() else size


def _scale(spread: FloatArray, size: FloatArray) -> FloatArray:
    return np.where(spread <= STILL * size, np.where(size > 0.0, size, 1.0), spread)


def _early(parts: Sequence[Samples], scale: FloatArray) -> FloatArray:
    """Return what absolute tolerances are relative to.

    A motion that grows by decades begins far below its spread, and an error made there grows with it.
    """
    first: FloatArray = np.max(
        [np.abs(one.states[: max(2, len(one.t) // 10)]).max(axis=0) for one in parts], axis=0
    )
    grows = first < GROWTH_SHARE * scale
    early: FloatArray = np.where(grows, np.maximum(first, 1e-12 * scale), scale)
    return early


_PER_ROW, _PER_PERIOD = 32, 240


def _budget(samples: Samples) -> int:
    """Return how many evaluations a motion like this may need: by its rows, and by its periods.

    A period at the solver's default tolerance takes about 80; of a motion with sharp corners more.
    """
    ordered, half = np.sort(samples.states, axis=0), len(samples.t) // 2
    median = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2.0
    below = np.signbit(samples.states - median)
    crossings = int((below[1:] != below[:-1]).sum(axis=0).max(initial=0))
    return _PER_ROW * len(samples.t) + _PER_PERIOD * crossings // 2
