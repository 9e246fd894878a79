"""A first guess of a velocity that was not measured."""

from __future__ import annotations

import numpy as np

from physix.engine.floats import FloatArray

_WIDTHS = (5, 7, 9, 13, 19, 27, 39, 55, 79)
_PROBES = 200


def estimated_rate(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return d(values)/dt at every sample by local cubics, as wide as noise and bending allow.

    Among windows of 5 to 79 samples the one that best predicts a sample from its neighbours is taken:
    wide where the noise is large, narrow where the motion is quick.

    Args:
        t: shape (T,), increasing, T at least 5.
        values: shape (T,), finite.
    """
    widths = [width for width in _WIDTHS if width <= len(t)] or [len(t)]
    probes = np.unique(np.linspace(0, len(t) - 1, min(len(t), _PROBES)).astype(int))
    width = min(widths, key=lambda one: _left_out(t, values, one, probes))
    return _local_cubics(t, values, width, np.arange(len(t)))[1]


def _left_out(t: FloatArray, values: FloatArray, width: int, probes: np.ndarray) -> float:
    """Return the median size by which a sample misses the cubic through the others in its window."""
    fitted, _, leverage = _local_cubics(t, values, width, probes)
    return float(np.median(np.abs(values[probes] - fitted) / np.maximum(1.0 - leverage, 1e-6)))


def _local_cubics(
    t: FloatArray, values: FloatArray, width: int, rows: np.ndarray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return value, slope and leverage at `rows` of a polynomial through the `width` samples around each."""
    degree = min(3, width - 2)
    first = np.clip(rows - width // 2, 0, len(t) - width)
    near = first[:, None] + np.arange(width)
    u = t[near] - t[rows, None]
    reach = np.abs(u).max(axis=1, keepdims=True)
    u = u / reach
    basis = np.stack([u**k for k in range(degree + 1)], axis=2)
    inverse = np.linalg.pinv(basis)
    fitted = (inverse @ values[near][:, :, None])[:, :, 0]
    own = rows - first
    return fitted[:, 0], fitted[:, 1] / reach[:, 0], inverse[np.arange(len(rows)), 0, own]
