"""Motions with the noise taken out, to evaluate candidate terms along; what is compared stays raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline, make_smoothing_spline

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task
from physix.engine.verifier.prepared import Samples, prepare

IntArray = NDArray[np.int64]
_ROWS = 2_400  # of one run that are smoothed: more cost time and tell no new term
_MATCHED = 720  # of them that terms are compared at: integrals over every second row miss what noise does
_QUIET = 3e-4  # share of the spread below which samples are taken as they are
_PENALTIES = tuple(10.0**power for power in np.arange(-7.0, 8.1, 0.5).tolist())  # on curvature, per sample
_UNDER = (
    0.01  # of the penalty that cross-validation advises: noise averages out in an integral, bias does not
)
_ALIKE = 4.0  # ratio of steps
_FEWEST = 8  # samples a smoothing spline needs


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One motion as a policy looks at it.

    Attributes:
        t: shape (T,), from 0.
        observed: shape (T, D), as measured.
        weights: shape (T, D), 1 / standard deviation; 0 where nothing was measured.
        rows: which of the record's rows these are.
        rates: rates of change of the measured states by their smooth curves, each of shape (T,).
        bends: rates of change of those.
        columns: states without noise, inputs and `t` as the data count it, each of shape (T,).
    """

    t: FloatArray
    observed: FloatArray
    weights: FloatArray
    columns: Mapping[str, FloatArray]
    rows: IntArray
    rates: Mapping[str, FloatArray]
    bends: Mapping[str, FloatArray]


def smoothed_runs(task: Task, floor: FloatArray) -> list[Run]:
    """Return every shown motion; `floor`, shape (D,), is the noise that even clean data is trusted to."""
    return [_run(task, samples, floor) for samples in prepare(task).shown]


def _run(task: Task, samples: Samples, floor: FloatArray) -> Run:
    kept = _thinned(len(samples.t), _ROWS)
    t, states = samples.t[kept], samples.states[kept]
    sigma = np.hypot(samples.sigma[kept], floor)
    weights = samples.weight[kept] / sigma
    span = t[-1] - t[0]
    columns: dict[str, FloatArray] = {"t": t}
    names = [variable.name for variable in task.variables]
    curves = {}
    for d, variable in enumerate(task.variables):
        if not variable.estimated:
            noise = np.where(weights[:, d] > 0.0, sigma[:, d], np.inf)
            curves[variable.name] = curve = _curve((t - t[0]) / span, states[:, d], noise)
            columns[variable.name] = curve((t - t[0]) / span)
    for d, variable in enumerate(task.variables):
        if variable.estimated:
            source = curves.get(variable.rate_of or "")
            rate = source.derivative()((t - t[0]) / span) / span if source is not None else states[:, d]
            columns[names[d]] = rate
    rates, bends = (
        {name: curve.derivative(order)((t - t[0]) / span) / span**order for name, curve in curves.items()}
        for order in (1, 2)
    )
    if samples.inputs is not None:
        given = np.array([samples.inputs(time) for time in t.tolist()])
        columns |= {one.name: given[:, i] for i, one in enumerate(task.inputs)}
    some = _thinned(len(t), _MATCHED)
    return Run(
        t=t[some] - t[0],
        observed=states[some],
        weights=weights[some],
        columns={name: one[some] for name, one in columns.items()},
        rows=kept[some],
        rates={name: one[some] for name, one in rates.items()},
        bends={name: one[some] for name, one in bends.items()},
    )


def _curve(t: FloatArray, values: FloatArray, noise: FloatArray) -> Any:  # SciPy's splines have no types
    """Return a spline through the samples, where there is noise less smooth than cross-validation wants it.

    Source: P. Craven and G. Wahba, "Smoothing noisy data with spline functions", Numerische Mathematik 31
    (1979); the degrees of freedom are those of evenly spaced samples.
    """
    known = np.isfinite(noise)
    t, values, noise = t[known], values[known], noise[known]
    if len(t) < _FEWEST or np.median(noise) <= _QUIET * values.std():
        return make_interp_spline(t, values, k=degree(t))
    rows, mean = len(t), (t[-1] - t[0]) / (len(t) - 1)
    weights = (1.0 / noise) ** 2
    weights /= weights.mean()
    modes = (np.pi * np.arange(rows) / rows) ** 4
    best, least = 0.0, np.inf
    for penalty in _PENALTIES:
        spline = make_smoothing_spline(t / mean, values, w=weights, lam=penalty)
        left = float(np.mean(weights * (spline(t / mean) - values) ** 2))
        score = left / (1.0 - float(np.mean(1.0 / (1.0 + penalty * modes)))) ** 2
        if score < least:
            best, least = penalty, score
    under = make_smoothing_spline(t / mean, values, w=weights, lam=_UNDER * best)
    under.t = under.t * mean
    return under


def degree(t: FloatArray) -> int:
    """Return the degree of splines through samples: a high one only where their steps are much alike."""
    steps = np.diff(t)
    return 5 if len(t) > _FEWEST and steps.max() <= _ALIKE * steps.min() else 3


def _thinned(rows: int, limit: int) -> IntArray:
    if rows <= limit:
        return np.arange(rows)
    return np.unique(np.linspace(0, rows - 1, limit).round().astype(int))
