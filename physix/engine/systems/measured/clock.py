"""Times put right: runs apart, rows in order, epochs from zero, rounded stamps back on their grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.table import Problem
from physix.limits import MAX_RUNS, MIN_RUN_ROWS

IndexArray = NDArray[np.intp]
Say = Callable[[Problem], None]

_EPOCHS = ((1.0, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns"))
_FAR = 1e4  # spans that a start may lie from zero before it is moved there
_COARSE = 0.02  # of a time step: resolution from which rounding is put right
_BEATS = 4  # longer steps from which a rounded spacing is told from a regular one with samples missing


def runs_of(t: FloatArray, groups: FloatArray | None, say: Say) -> list[IndexArray]:
    """Return the rows of each run, in order of time; rows without a time are left out.

    A run ends where the run column changes or where the time starts over.
    """
    there = np.isfinite(t)
    if groups is not None:
        there &= np.isfinite(groups)
    rows = np.flatnonzero(there)
    if len(rows) < len(t):
        what = "a time" if groups is None else "a time or a run"
        say(_note(f"{len(t) - len(rows)} rows without {what} were left out.", "warning"))
    if groups is None:
        return _restarts(t, rows, say)
    found = [rows[groups[rows] == group] for group in np.unique(groups[rows])]
    return [_sorted(t, run, say) for run in found]


def _restarts(t: FloatArray, rows: IndexArray, say: Say) -> list[IndexArray]:
    back = np.flatnonzero(np.diff(t[rows]) < 0.0) + 1
    if not len(back):
        return [rows]
    if np.all(np.diff(t[rows]) <= 0.0):
        say(_note("The rows run backwards in time: they were turned round.", "note"))
        return [rows[::-1]]
    pieces = np.split(rows, back)
    starts = np.array([t[piece[0]] for piece in pieces])
    ends = np.array([t[piece[-1]] for piece in pieces])
    lengths = ends - starts
    again = bool(np.all(starts <= starts.min() + 0.25 * lengths.max()))
    if min(map(len, pieces)) >= MIN_RUN_ROWS and again and len(pieces) <= MAX_RUNS:
        say(_note(f"The time starts over {len(pieces) - 1} times: read as {len(pieces)} runs.", "note"))
        return pieces
    return [_sorted(t, rows, say)]


def _sorted(t: FloatArray, rows: IndexArray, say: Say) -> IndexArray:
    back = int((np.diff(t[rows]) < 0.0).sum())
    if not back:
        return rows
    say(_note(f"The time goes back {back} times: the rows were sorted by time.", "warning"))
    return rows[np.argsort(t[rows], kind="stable")]


def from_zero(t: FloatArray, *, clock: bool) -> tuple[FloatArray, bool]:
    """Return the times from the first one on where they are dates, epochs or otherwise far from zero."""
    span = float(t[-1] - t[0])
    far = clock or abs(float(t[0])) > _FAR * max(span, 1e-300)
    return (t - t[0], True) if far and t[0] != 0.0 else (t, False)


def epoch_unit(t: FloatArray) -> str | None:
    """Return the unit in which these would be times since 1970, of this century; None if they are none."""
    first = float(np.nanmin(t)) if len(t) else 0.0
    return next((unit for scale, unit in _EPOCHS if 9e8 * scale < first < 4e9 * scale), None)


def on_grid(t: FloatArray) -> FloatArray | None:
    """Return evenly spaced times that these are rounded from, or None where they need no such repair.

    Three-digit stamps of a 240 Hz camera are off by an eighth of a step, and a clock that shows whole
    seconds gives many samples the same time. Both are repaired where one spacing explains every stamp
    to within its own resolution.
    """
    if len(t) < 8:
        return None
    resolution = _resolution(t)
    index = np.arange(len(t), dtype=np.float64)
    slope, start = np.polyfit(index, t, 1)
    if resolution is None or slope <= 0.0 or resolution < _COARSE * slope or _has_holes(t):
        return None
    grid = start + slope * index
    off = np.abs(t - grid).max()
    if off > 0.8 * resolution or off < 1e-6 * slope:
        return None
    return np.asarray(grid - grid[0] + t[0])


def _has_holes(t: FloatArray) -> bool:
    """Return whether the times are even but for a few steps of twice, three times the length.

    0, 1, 2, 4, 5 may be 1.2 apart and rounded, yet a sample that was lost is far more common. Rounding
    makes longer steps at intervals that differ by one at most, losses do not.
    """
    steps = np.diff(t)
    shortest = float(steps.min())
    if shortest <= 0.0:
        return False
    multiples = steps / shortest
    even = bool(np.all(np.abs(multiples - np.round(multiples)) < 1e-3))
    longer = np.flatnonzero(multiples > 1.5)
    if len(longer) < min(_BEATS, len(steps) // 4):
        return even
    return even and len(longer) < 0.1 * len(steps) and bool(np.ptp(np.diff(longer)) > 1)


def _resolution(t: FloatArray) -> float | None:
    """Return the power of ten that all times are multiples of."""
    for digits in range(7):
        scaled = t * 10.0**digits
        if np.all(np.abs(scaled - np.round(scaled)) < 1e-4):
            return float(10.0**-digits)
    return None


def average_equal(t: FloatArray, columns: Sequence[FloatArray]) -> tuple[FloatArray, list[FloatArray]]:
    """Return the times without repetitions, and the means of the rows that shared one."""
    unique, inverse = np.unique(t, return_inverse=True)
    means = []
    for column in columns:
        there = np.isfinite(column)
        weights = np.bincount(inverse, weights=there.astype(np.float64), minlength=len(unique))
        sums = np.bincount(inverse, weights=np.where(there, column, 0.0), minlength=len(unique))
        means.append(np.divide(sums, weights, out=np.full(len(unique), np.nan), where=weights > 0.0))
    return unique, means


def _note(message: str, severity: str) -> Problem:
    return Problem(severity="warning" if severity == "warning" else "note", message=message)
