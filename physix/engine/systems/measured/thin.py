"""Fewer samples without aliasing: a smooth low-pass at every k-th sample, in true time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray

_REACH = 1.5  # half-width of the window, in kept samples


def thinned(
    t: FloatArray, columns: Sequence[FloatArray], factor: int
) -> tuple[FloatArray, list[FloatArray], float]:
    """Return every `factor`-th time, and each column low-passed there.

    At each kept time a quadratic is fitted to the samples within 1.5 kept steps on either side, weighted
    by a cosine bell; its value there is the sample. A quadratic passes through unchanged, however uneven
    the times; what would fold back from beyond the new Nyquist frequency is averaged away.

    Args:
        t: shape (T,), increasing.
        columns: each of shape (T,), NaN where nothing was measured.
        factor: at least 2.

    Returns:
        Times, columns (NaN where too few samples lie near), and by how much independent noise shrinks.
    """
    half = max(2, int(_REACH * factor))
    centres = np.arange(half, len(t) - half, factor)
    offsets = np.arange(-half, half + 1)
    bell = 0.5 + 0.5 * np.cos(np.pi * offsets / (half + 1))
    kept: list[list[FloatArray]] = [[] for _ in columns]
    # A few thousand windows at a time, so that memory stays bounded.
    size = max(1, 2_000_000 // len(offsets))
    for start in range(0, len(centres), size):
        near = centres[start : start + size, None] + offsets
        u = t[near] - t[centres[start : start + size], None]
        u = u / np.abs(u).max(axis=1, keepdims=True)
        for index, column in enumerate(columns):
            kept[index].append(_at_zero(u, column[near], bell))
    # Of a quadratic fit with even weights: the bell's own for the middle sample.
    return t[centres], [np.concatenate(part) for part in kept], _noise_gain(offsets / half, bell)


def _at_zero(u: FloatArray, values: FloatArray, bell: FloatArray) -> FloatArray:
    """Return the value at 0 of the weighted quadratic through each row; NaN where under half is there."""
    there = np.isfinite(values)
    weight = bell * there
    filled = np.where(there, values, 0.0)
    moments = [(weight * u**k).sum(axis=1) for k in range(5)]
    matrix = np.stack([np.stack(moments[i : i + 3], axis=1) for i in range(3)], axis=1)
    right = np.stack([(weight * u**k * filled).sum(axis=1) for k in range(3)], axis=1)
    enough = there.sum(axis=1) * 2 > there.shape[1]
    enough &= np.abs(np.linalg.det(matrix)) > 1e-9 * moments[0] ** 3
    result = np.full(len(u), np.nan)
    if enough.any():
        result[enough] = np.linalg.solve(matrix[enough], right[enough][:, :, None])[:, 0, 0]
    return result


def _noise_gain(u: FloatArray, bell: FloatArray) -> float:
    """Return the standard deviation of the fitted value for independent noise of one."""
    basis = np.stack([np.ones_like(u), u, u * u], axis=1)
    row = np.linalg.solve(basis.T @ (bell[:, None] * basis), basis.T * bell)[0]
    return float(np.sqrt((row**2).sum()))
