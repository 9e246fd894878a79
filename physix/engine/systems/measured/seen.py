"""A column as a proposal looks at it, and its numbers cut into runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.table import Column
from physix.limits import MAX_RUNS, MIN_RUN_ROWS

_MAX_EVIDENCE = 20_000  # rows that a proposal looks at


@dataclass(frozen=True, slots=True)
class Seen:
    """A column with what the proposal has found so far."""

    column: Column
    words: tuple[str, ...]

    @property
    def joined(self) -> str:
        """The words of its name without the blanks between them."""
        return "".join(self.words)


class Spans:
    """Cuts columns into runs of finite samples at increasing times."""

    def __init__(self, t: FloatArray | None, groups: FloatArray | None) -> None:
        self._cuts: list[tuple[FloatArray, np.ndarray]] = []
        if t is None:
            return
        masks = (
            [np.ones(len(t), dtype=bool)]
            if groups is None
            else [groups == g for g in np.unique(groups[np.isfinite(groups)])]
        )
        for mask in masks[:MAX_RUNS]:
            rows = np.flatnonzero(mask & np.isfinite(t))
            if len(rows) > 1 and np.all(np.diff(t[rows]) <= 0.0):
                rows = rows[::-1]
            breaks = np.flatnonzero(np.diff(t[rows]) < 0.0) + 1
            for piece in np.split(rows, breaks)[:MAX_RUNS]:
                fresh = np.concatenate([[True], np.diff(t[piece]) > 0.0]) if len(piece) else np.empty(0, bool)
                if fresh.sum() >= MIN_RUN_ROWS:
                    self._cuts.append((t, piece[fresh]))
        share = max(500, _MAX_EVIDENCE // max(1, len(self._cuts)))
        self._cuts = [(times, rows[:share]) for times, rows in self._cuts]

    def of(self, *columns: Column) -> list[tuple[FloatArray, ...]]:
        """Return (t, values of each column) per run."""
        found = []
        for t, rows in self._cuts:
            ok = np.all([np.isfinite(c.values[rows]) for c in columns], axis=0)
            if ok.sum() >= MIN_RUN_ROWS:
                found.append((t[rows][ok], *(c.values[rows][ok] for c in columns)))
        return found
