"""Runs in parts, rows that are thinned, and what a law leaves over of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.engine.verifier.shooting import Record
from physix.policies.search.smoothing import Run

_ROWS = 400  # of all runs together while structures are compared; the chosen law sees every row


@dataclass(frozen=True, slots=True, eq=False)
class LeftOver:
    """What a law leaves over of one run, or of one part of it."""

    run: int
    t: FloatArray  # shape (T,)
    residuals: FloatArray  # predicted minus observed, shape (T, D), in units of the noise; 0 without weight
    weights: FloatArray  # shape (T, D)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stretch of a run that is short enough to be followed from its own start, however long the run."""

    run: int
    begin: int
    end: int
    start: FloatArray  # shape (D,), without the noise


def parts_of(
    i: int,
    record: Record,
    run: Run,
    states: FloatArray,
    free: NDArray[np.bool_],
    swings: int,
    rows: int,
) -> list[Part]:
    """Cut a run after every few swings, where a start may be anything."""
    off = states - states.mean(axis=0)
    sides = [np.sign(one[np.abs(one) > 0.5 * one.std()]) for one in off.T]
    seen = max(int(np.sum(side[1:] != side[:-1])) for side in sides)
    count = max(1, min(seen // swings, len(states) // rows)) if free.any() else 1
    edges = np.linspace(0, len(states), count + 1).round().astype(int)[:-1].tolist()
    first = np.where(free, states[0], record.states[0])
    begins = [0, *(int(run.rows[edge]) for edge in edges[1:])]
    ends = [*begins[1:], len(record.t)]
    starts = [first, *(states[edge] for edge in edges[1:])]
    return [Part(i, *part) for part in zip(begins, ends, starts, strict=True)]


def thinned(record: Record, total: int) -> Record:
    """Return evenly spread rows of a record, where all records have `total` rows."""
    rows = len(record.t)
    if total <= _ROWS:
        return record
    count = max(12, round(_ROWS * rows / total))
    kept = np.unique(np.linspace(0, rows - 1, min(rows, count)).round().astype(int))
    return Record(record.t[kept], record.states[kept], record.weights[kept], record.inputs)


def left_over_of(
    residuals: FloatArray, records: Sequence[Record], runs: Sequence[int]
) -> tuple[LeftOver, ...]:
    """Return residuals, as one record after another gave them, by record."""
    found, begin = [], 0
    for record, run in zip(records, runs, strict=True):
        own = residuals[begin : begin + record.weights.size].reshape(record.weights.shape)
        found.append(LeftOver(run, record.t, own, record.weights))
        begin += record.weights.size
    return tuple(found)


def whiteness(left: Sequence[LeftOver]) -> float:
    """Return the largest lag-1 autocorrelation that residuals of one variable have, times sqrt(samples)."""
    pairs = sum((part.residuals[1:] * part.residuals[:-1]).sum(axis=0) for part in left)
    squares = sum((part.residuals**2).sum(axis=0) for part in left)
    count = sum((part.weights > 0.0).sum(axis=0) for part in left)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.nan_to_num(pairs / squares) * np.sqrt(count)
    return float(np.max(found, initial=0.0))
