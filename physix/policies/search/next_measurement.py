"""What to measure next: the start, and the time, at which two laws differ most in units of the noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from physix.engine.discovery import Law, MeasurementKind, NextMeasurement
from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task
from physix.engine.verifier.compile import program
from physix.engine.verifier.prepared import Prepared, prepare
from physix.engine.verifier.simulate import integrate_program
from physix.policies.search.refit import Fitted

_LONGER = 3.0  # times the longest run that was shown
_ROWS = 160
_EVALUATIONS = 20_000  # of each law from each start
_FACTORS = (-1.0, 0.5, 2.0)  # of one variable of a shown start
_MOST_STARTS = 14
_FAR = 5.0  # times the largest magnitude shown: nobody measures there, and no law is known to hold
_CLEAN = 1e-3  # share of the spread that a sample without noise is trusted to
_MANY = 100.0  # standard deviations: nobody asks how many more
_TOLD = 3.0  # standard deviations that tell two laws apart


@dataclass(frozen=True, slots=True)
class _Plan:
    kind: MeasurementKind
    start: FloatArray
    span: float


def next_measurement(
    task: Task, best: Fitted, rivals: Sequence[Fitted], told: Sequence[Law]
) -> NextMeasurement | None:
    """Return the measurement that tells the chosen law from its nearest rival most surely; None: none does.

    Args:
        task: whose shown starts are varied.
        best: the chosen law.
        rivals: the nearest first.
        told: the law and its rivals as they are told.
    """
    prepared = prepare(task)
    sigma = np.maximum(prepared.rms_sigma, _CLEAN * prepared.scale)
    for index, rival in enumerate(rivals):
        found = [
            (*apart, plan)
            for plan in _plans(task, prepared, best)
            if (apart := _apart(prepared, (best, rival), plan, sigma)) is not None
        ]
        if not found:
            continue
        sigmas, t, d, values, plan = max(found, key=lambda one: one[0])
        if sigmas < _TOLD:
            continue
        name = task.variables[d].name
        start = {v.name: float(f"{x:.4g}") for v, x in zip(task.variables, plan.start, strict=True)}
        return NextMeasurement(
            sentence=_sentence(task, told[0], told[index + 1], plan, start, d, t, sigmas),
            rival=index,
            kind=plan.kind,
            start=start,
            variable=name,
            t=t,
            sigmas=sigmas,
            chosen_value=values[0],
            rival_value=values[1],
        )
    return None


def _plans(task: Task, prepared: Prepared, best: Fitted) -> Iterator[_Plan]:
    """Yield what could be measured: a shown run for longer, and for as long from other starts."""
    spans = [float(s.t[-1] - s.t[0]) for s in prepared.shown]
    first = np.array(prepared.shown[0].initial)
    if len(best.starts) == len(prepared.shown):
        first = best.starts[0]
    if not task.inputs:
        yield _Plan("later", first, _LONGER * max(spans))
    count = 1
    for d in range(len(first)):
        for factor in _FACTORS:
            start = first.copy()
            start[d] = (
                factor * first[d] if abs(first[d]) > 1e-2 * prepared.size[d] else factor * prepared.size[d]
            )
            if factor < 0.0 and prepared.pooled[:, d].min() >= 0.0:
                continue  # what was never negative may have no such start
            count += 1
            if count <= _MOST_STARTS:
                yield _Plan("start", start, max(spans))


def _apart(
    prepared: Prepared, laws: Sequence[Fitted], plan: _Plan, sigma: FloatArray
) -> tuple[float, float, int, tuple[float, float]] | None:
    """Return by how many sigmas two motions differ most, when, in which variable, and both values there."""
    samples = prepared.shown[0]
    t = float(samples.t[0]) + np.linspace(0.0, plan.span, _ROWS)
    motions = []
    for law in laws:
        run = integrate_program(
            program(law.written.parsed),
            t,
            plan.start.tolist(),
            max_evaluations=_EVALUATIONS,
            rtol=1e-7,
            atol=1e-9 * prepared.early,
            inputs=samples.inputs,
        )
        motions.append(run.states)
    rows = min(len(motion) for motion in motions)
    if rows < 2:
        return None
    one, other = motions[0][:rows], motions[1][:rows]
    here = np.maximum(np.abs(one), np.abs(other)) <= _FAR * np.maximum(prepared.size, prepared.scale)
    inside = np.logical_and.accumulate(here.all(axis=1))
    off = np.where(inside[:, None] & prepared.scored, np.abs(one - other) / sigma, 0.0)
    row, d = np.unravel_index(int(np.argmax(off)), off.shape)
    return (
        float(off[row, d]),
        float(t[row] - t[0]),
        int(d),
        (float(one[row, d]), float(other[row, d])),
    )


def _sentence(
    task: Task, chosen: Law, rival: Law, plan: _Plan, start: dict[str, float], d: int, t: float, sigmas: float
) -> str:
    seconds = f" {task.time_unit}" if task.time_unit else ""
    where = ", ".join(
        f"{v.name} = {start[v.name]:g}{f' {v.unit}' if v.unit and v.unit != '1' else ''}"
        for v in task.variables
    )
    how = (
        f"go on measuring until t = {t:.3g}{seconds}"
        if plan.kind == "later"
        else f"begin at {where} and measure until t = {t:.3g}{seconds}"
    )
    size = "more than 100" if sigmas > _MANY else f"{sigmas:.2g}"
    return (
        f"These data cannot tell {chosen.equation} from {rival.equation}: {how}, "
        f"where {task.variables[d].name} differs by {size} sigma."
    )
