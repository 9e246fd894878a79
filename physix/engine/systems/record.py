"""All there is of a motion: what is shown and what is held back, joined where one goes on from the other."""

from __future__ import annotations

from dataclasses import replace

from physix.engine.systems.task import Task, Trajectory, Truth


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
