"""Weights in four bits a number: matrices in blocks of 32 along their rows, each with a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_BLOCK, _MOST = 32, 7
_CODES, _SCALES = ":codes", ":scales"

Arrays = dict[str, NDArray[np.generic]]


def pack(weights: Mapping[str, NDArray[np.generic]]) -> Arrays:
    """Return the weights with each matrix whose rows are whole blocks as codes of half a byte, and scales."""
    found: Arrays = {}
    for name, value in weights.items():
        if value.ndim != 2 or value.shape[1] % _BLOCK:
            found[name] = value
            continue
        blocks = np.asarray(value, dtype=np.float32).reshape(len(value), -1, _BLOCK)
        scales = (np.abs(blocks).max(axis=-1) / _MOST).astype(np.float16)
        unit = np.where(scales > 0.0, scales, 1.0).astype(np.float32)[..., None]
        codes = (np.clip(np.rint(blocks / unit), -_MOST, _MOST) + 8).astype(np.uint8).reshape(value.shape)
        found[name + _CODES] = codes[:, ::2] | codes[:, 1::2] << 4
        found[name + _SCALES] = scales
    return found


def unpack(arrays: Mapping[str, NDArray[np.generic]]) -> Arrays:
    """Return weights that `pack` made, in single precision; others as they are.

    Raises:
        KeyError, ValueError: codes without scales of their shape.
    """
    found: Arrays = {}
    for name, value in arrays.items():
        if name.endswith(_SCALES):
            continue
        if not name.endswith(_CODES):
            found[name] = value
            continue
        own = name.removesuffix(_CODES)
        pairs = np.asarray(value, dtype=np.uint8)
        codes = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(len(pairs), -1, _BLOCK)
        scales = np.asarray(arrays[own + _SCALES], dtype=np.float32)[..., None]
        found[own] = ((codes.astype(np.float32) - 8.0) * scales).reshape(len(pairs), -1)
    return found
