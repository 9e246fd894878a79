"""All there is of a motion: what is shown and what is held back, joined where one goes on from the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physix.engine.systems.task import Task, Trajectory, Truth

_HARDLY = 0.05  # of the spread in the whole record
_NOISE = 2.0  # times the noise's variance: what varies less does not move beyond it


def whole_record(task: Task, truth: Truth) -> tuple[Trajectory, ...]:
    """Return all trajectories; a hidden part that goes on where a shown one ends is one motion with it."""
    record = list(task.shown)
    for part in truth.hidden:
        before = [i for i, one in enumerate(record) if one.t[-1] < part.t[0]]
        if before and task.measured:
            record[before[-1]] = _joined(record[before[-1]], part)
        else:
            record.append(part)
    return tuple(record)


def _joined(first: Trajectory, then: Trajectory) -> Trajectory:
    rows = len(first.t)
    return replace(
        first,
        t=first.t + then.t,
        states=first.states + then.states,
        inputs=first.inputs + then.inputs,
        sigma=first.sigma + then.sigma,
        missing=(*first.missing, *((rows + row, column) for row, column in then.missing)),
    )


def hardly_moving(task: Task, truth: Truth) -> tuple[str, ...]:
    """Return the variables that hardly move in any held-back part, beside all there is of them.

    What is held back confirms little of a law there, on a plateau say. It is no fault of the law, but
    whoever reads a verdict should know.
    """
    if not truth.hidden:
        return ()
    whole = np.concatenate([np.array(one.states) for one in whole_record(task, truth)])
    moved = np.max([np.array(part.states).var(axis=0) for part in truth.hidden], axis=0)
    absolute = np.array([noise.absolute for noise in task.noises] or [0.0] * len(task.variables))
    relative = np.array([noise.relative for noise in task.noises] or [task.noise] * len(task.variables))
    noise = absolute**2 + (relative * np.abs(whole).mean(axis=0)) ** 2
    still = (moved <= np.maximum(_HARDLY**2 * whole.var(axis=0), _NOISE * noise)) & (whole.var(axis=0) > 0.0)
    return tuple(
        variable.name
        for variable, hardly in zip(task.variables, still.tolist(), strict=True)
        if hardly and not variable.estimated
    )
