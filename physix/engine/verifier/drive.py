"""A missing periodic drive: its frequency is no coefficient, so it is looked for on a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.along import Motion, Response
from physix.engine.verifier.choice import Chosen
from physix.engine.verifier.prepared import Same

_PRICE = 46.0  # of three numbers and of the many frequencies that were tried
_AT_LEAST = 0.5  # of a defect that the nearest line of the grid must explain
_BETTER = 0.5  # of what the best other choice leaves: a drive is blamed only if it leaves less
_CYCLES = (0.75, 24.0)  # periods within the data, least and most
_PER_CYCLE = 4  # frequencies of the grid
_REFINEMENTS = 4
_ABOUT = np.linspace(-0.5, 0.5, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """`amplitude * cos(frequency*t + phase)`."""

    amplitude: float
    frequency: float
    phase: float
    error: float  # standard error of the amplitude
    size: float  # what it takes off chi², in units of the noise


def find_drive(
    defect: FloatArray, response: Response, motion: Motion, left: float, chosen: Chosen
) -> Drive | None:
    """Return the drive that explains a defect where nothing else does.

    Args:
        defect: of one equation, shape (R,).
        response: its left side.
        motion: the data.
        left: chi² that the best other choice leaves.
        chosen: that choice.
    """
    t = motion.columns["t"]
    before = float(defect @ defect)
    same = Same(response, motion)
    grid = _grid(same)
    if not len(grid.frequencies):
        return None
    gains = grid.waves.gains(defect)
    best = int(np.argmax(gains))
    # What falls between two lines of the grid may leave much of what the drive itself would explain.
    if float(gains[best]) < _AT_LEAST * before:
        return None
    frequency, width = float(grid.frequencies[best]), grid.width
    for _ in range(_REFINEMENTS):
        near = _near(same, frequency, width)
        frequency, width = float(near.frequencies[int(np.argmax(near.waves.gains(defect)))]), width / 2.0
    rows = response.waves(t, np.array([frequency]))
    (a, b), *_ = np.linalg.lstsq(rows, defect, rcond=None)
    rest = defect - rows @ np.array([a, b])
    chi2 = float(rest @ rest)
    noise = max(1.0, chi2 / max(1, response.degrees - 3))
    choice = chosen.choice
    simpler = choice is not None and len(choice.columns) == 1 and chi2 > _BETTER * left
    if (
        simpler
        or chi2 + noise * _PRICE > before
        or chi2 + noise * _PRICE > left + noise * (choice.price if choice else 0.0)
    ):
        return None
    amplitude = math.hypot(a, b)
    return Drive(
        amplitude=amplitude,
        frequency=frequency,
        phase=math.atan2(-b, a),
        error=math.sqrt(2.0 * noise / max(float((rows**2).sum()), 1e-300)),
        size=(before - chi2) / noise,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Waves:
    """Rows of cosines and sines of several frequencies, shape (R, F), and their products."""

    cosines: FloatArray
    sines: FloatArray
    cc: FloatArray
    ss: FloatArray
    cs: FloatArray

    @classmethod
    def of(cls, rows: FloatArray) -> _Waves:
        half = rows.shape[1] // 2
        c, s = rows[:, :half], rows[:, half:]
        return cls(c, s, (c * c).sum(axis=0), (s * s).sum(axis=0), (c * s).sum(axis=0))

    def gains(self, defect: FloatArray) -> FloatArray:
        """Return what cosine and sine of each frequency together take off chi²."""
        bc, bs = defect @ self.cosines, defect @ self.sines
        determinant = np.maximum(self.cc * self.ss - self.cs**2, 1e-12 * self.cc * self.ss)
        gains: FloatArray = (bc**2 * self.ss - 2.0 * bc * bs * self.cs + bs**2 * self.cc) / determinant
        return gains


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    frequencies: FloatArray
    width: float  # from one to the next
    waves: _Waves


@lru_cache(maxsize=64)
def _grid(same: Same) -> _Grid:
    response, motion = same.values
    assert isinstance(response, Response)  # noqa: S101  # for the type checker
    assert isinstance(motion, Motion)  # noqa: S101  # likewise
    t = motion.columns["t"]
    cycle = 2.0 * math.pi / max(float(t[cut][-1] - t[cut][0]) for cut in motion.cuts)
    frequencies = cycle * np.arange(_CYCLES[0], _CYCLES[1], 1.0 / _PER_CYCLE)
    # Six samples a period at least: a faster drive would not be one but noise.
    frequencies = frequencies[frequencies < math.pi / 3.0 / float(np.median(motion.steps[0]))]
    return _Grid(frequencies, cycle / _PER_CYCLE, _Waves.of(response.waves(t, frequencies)))


@lru_cache(maxsize=256)
def _near(same: Same, frequency: float, width: float) -> _Grid:
    """Return the frequencies about one; wrong laws of a task that lacks a drive all look at the same."""
    response, motion = same.values
    assert isinstance(response, Response)  # noqa: S101  # for the type checker
    assert isinstance(motion, Motion)  # noqa: S101  # likewise
    frequencies = frequency + width * _ABOUT
    return _Grid(frequencies, width / 2.0, _Waves.of(response.waves(motion.columns["t"], frequencies)))
