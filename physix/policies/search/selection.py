"""Which few terms explain one equation: a beam forwards, elimination backwards, inner constants polished."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from physix.engine.floats import FloatArray
from physix.policies.search.design import Design
from physix.policies.search.library import QUARTER, Term

_BEAM, _WIDE_BEAM = 40, 160
_FLOOR = 1e-14  # of the energy: rounding in the normal equations
_RIDGE = 1e-12
_POLISHED, _AGAIN = 12, 4  # sets of terms of each size whose inner constants are moved to their best
_BEGUN = 8  # starts of one term that a set of terms may be joined by: others may suit it once it has grown
_STARTS = 2  # of one set of terms, the best ones, from which they are moved
_STEPS = 8
_SHORT = 2  # terms up to which all plain sets may be joined by one that holds constants
_FEWEST = 20  # samples that count as independent, whatever they resemble
_LONGEST = 0.7  # share of an inner constant by which one step may change it
_TIER_COST = (0.0, 3.0, 10.0, 16.0)  # nats of prior against far-fetched terms


@dataclass(frozen=True, slots=True)
class Chosen:
    """A term with its inner constants and its coefficient."""

    term: Term
    inner: tuple[float, ...]
    coefficient: float


@dataclass(frozen=True, slots=True)
class Structure:
    """A right-hand side, and its score: chi² with a price for every term, smaller is better."""

    chosen: tuple[Chosen, ...]
    score: float
    chi2: float

    @property
    def key(self) -> frozenset[str]:
        """The terms, whatever their constants."""
        return frozenset(one.term.text for one in self.chosen)


def badness(chi2: float, samples: int, floor: float) -> float:
    """Return samples * log(chi² / samples): -2 log-likelihood of Gaussian noise of unknown size.

    Told noise is an estimate, and what no law explains (a smoothing error, a missing term) may not make
    every further term look certain.

    Args:
        chi2: sum of squared residuals in units of the noise as told.
        samples: how many.
        floor: mean square, in those units, of what arithmetic leaves over: nothing below it is explained.
    """
    return samples * float(np.log(chi2 / max(1, samples) + floor))


def price(term: Term, samples: int, terms: int) -> float:
    """Return what a term must gain: the information criterion's price, and a prior over the library.

    Source: J. Chen and Z. Chen, "Extended Bayesian information criteria for model selection with large
    model spaces", Biometrika 95 (2008).
    """
    return (1 + term.inner) * float(np.log(samples)) + prior(term, terms)


def prior(term: Term, terms: int) -> float:
    """Return what a term of so many costs beside its constants."""
    return 2.0 * float(np.log(max(2, terms))) + _TIER_COST[term.tier] + term.unlikely


Pick = tuple[Term, tuple[float, ...]]
_SAME = 1.0 - 1e-11  # cosine of two columns that are one: x*abs(x) of a positive x is x**2


class Selection:
    """The columns of one equation's library, and the search over them."""

    def __init__(self, design: Design, terms: Sequence[Term]) -> None:
        self.design = design
        picks, columns, sizes = [], [], []
        for term in terms:
            for inner in term.starts or ((),):
                column = design.column(term, inner)
                size = 0.0 if column is None else float(np.linalg.norm(column))
                if column is not None and np.isfinite(size) and size > 0.0:
                    picks.append((term, inner))
                    columns.append(column / size)
                    sizes.append(size)
        matrix = np.stack(columns, axis=1) if columns else np.zeros((len(design.left), 0))
        gram = matrix.T @ matrix
        twins: NDArray[np.bool_] = np.any(np.triu(np.abs(gram) > _SAME, 1), axis=0)
        self.terms: list[Pick] = [pick for pick, twin in zip(picks, twins.tolist(), strict=True) if not twin]
        self.matrix, self.sizes = matrix[:, ~twins], np.array(sizes)[~twins]
        self.gram = gram[np.ix_(~twins, ~twins)]
        self.moment = self.matrix.T @ design.left
        self.energy = float(design.left @ design.left)
        families = {term.text: i for i, (term, _) in enumerate(self.terms)}
        self.family = np.array([families[term.text] for term, _ in self.terms], dtype=int)
        self.count = len(families)
        self.prices = np.array([price(term, self.design.samples, self.count) for term, _ in self.terms])
        where = {(term.text, inner): j for j, (term, inner) in enumerate(self.terms)}
        pairs = [
            (j, where[term.text, (inner[0], QUARTER)])
            for j, (term, inner) in enumerate(self.terms)
            if term.phased and not inner[1] and (term.text, (inner[0], QUARTER)) in where
        ]
        self.pairs = np.array(pairs, dtype=int).reshape(-1, 2)
        self.partner = {a: b for one in pairs for a, b in (one, one[::-1])}

    def best(self, most: int) -> list[Structure]:
        """Return structures of up to `most` terms, the best first, each set of terms once."""
        found: dict[frozenset[str], Structure] = {}
        for subsets in self._levels(most):
            for structure in self._solved(subsets):
                known = found.get(structure.key)
                if known is None or structure.score < known.score:
                    found[structure.key] = structure
        return sorted(found.values(), key=lambda structure: structure.score)

    def memory(self, structure: Structure) -> float:
        """Return the lag-1 autocorrelation of what a structure leaves over."""
        off = self.design.left.copy()
        for one in structure.chosen:
            column = self.design.column(one.term, one.inner)
            if column is not None:
                off -= one.coefficient * column
        square = float(off @ off)
        return float(off[1:] @ off[:-1]) / square if square > 0.0 else 0.0

    def _levels(self, most: int) -> Iterable[list[tuple[int, ...]]]:
        """Yield the best subsets of each size: of plain terms, and with one or two that hold constants.

        A curve of one variable can be told by many a sum of far-fetched terms, which would crowd out
        the plain ones that tell it exactly.
        """
        bent = np.array([term.inner > 0 for term, _ in self.terms])
        plain: list[list[tuple[int, ...]]] = []
        for allowed in range(3 if bent.any() else 1):
            for subsets in self._beam(most, bent, allowed, plain):
                if not allowed:
                    plain.append(subsets)
                yield subsets
        yield from self._backwards(most)

    def _beam(
        self, most: int, bent: NDArray[np.bool_], allowed: int, plain: Sequence[list[tuple[int, ...]]]
    ) -> Iterable[list[tuple[int, ...]]]:
        beam: list[tuple[int, ...]] = [()]
        width = _WIDE_BEAM if not allowed and len(self.terms) - int(bent.sum()) <= _WIDE_BEAM // 4 else _BEAM
        samples = self.design.samples
        for level in range(min(most, len(self.terms))):
            if allowed == 1 and 0 < level <= len(plain):
                # What a drive or a saturation adds to shows when it is there, and not before.
                kept = plain[level - 1][: _BEAM if level > _SHORT else _WIDE_BEAM]
                beam = list(dict.fromkeys((*beam, *kept)))
            scored: dict[tuple[int, ...], float] = {}
            for subset in beam:
                left, own = self._left_over(subset)
                chi2 = np.maximum(left, _FLOOR * self.energy) / samples
                scores = samples * np.log(chi2 + self.design.floor) + own + self.prices
                scores[np.isin(self.family, self.family[list(subset)])] = np.inf
                if bent[list(subset)].sum() >= allowed:
                    scores[bent] = np.inf
                for j in self._best_starts(scores)[:width]:
                    if np.isfinite(scores[j]):
                        scored[tuple(sorted((*subset, j)))] = float(scores[j])
            beam = [s for s, _ in sorted(scored.items(), key=lambda pair: (pair[1], pair[0]))[:width]]
            yield [subset for subset in beam if bent[list(subset)].sum() == allowed]

    def _best_starts(self, scores: FloatArray) -> list[int]:
        """Return the columns by score, of each term those with its best starts."""
        order = np.argsort(scores, kind="stable")
        seen: dict[int, int] = {}
        kept = []
        for j in order.tolist():
            family = int(self.family[j])
            seen[family] = seen.get(family, 0) + 1
            if seen[family] <= _BEGUN:
                kept.append(j)
        return kept

    def _left_over(self, subset: tuple[int, ...]) -> tuple[FloatArray, float]:
        """Return chi² of the subset joined by each column, and the price of the subset.

        A wave of some phase is a sum of two waves: both join.
        """
        index = self._with_partners(subset)
        inner = self.gram[np.ix_(index, index)] + _RIDGE * np.eye(len(index))
        solved = np.linalg.solve(inner, np.column_stack([self.moment[index], self.gram[index]]))
        coefficients, projected = solved[:, 0], solved[:, 1:]
        chi2 = self.energy - float(coefficients @ self.moment[index])
        apart = 1.0 - np.einsum("kj,kj->j", self.gram[index], projected)
        moment = self.moment - coefficients @ self.gram[index]
        gain = np.where(apart > 1e-10, moment**2 / np.maximum(apart, 1e-10), 0.0)
        if len(self.pairs):
            a, b = self.pairs.T
            shared = self.gram[a, b] - np.einsum("kj,kj->j", self.gram[index][:, a], projected[:, b])
            both = apart[a] * apart[b] - shared**2
            joined = (
                moment[a] ** 2 * apart[b] - 2.0 * moment[a] * moment[b] * shared + moment[b] ** 2 * apart[a]
            )
            better = np.where(gain[a] >= gain[b], a, b)
            gain[better] = np.where(both > 1e-10, joined / np.maximum(both, 1e-10), gain[better])
        return chi2 - gain, float(self.prices[list(subset)].sum())

    def _with_partners(self, subset: tuple[int, ...]) -> list[int]:
        return [*subset, *(self.partner[j] for j in subset if j in self.partner)]

    def _backwards(self, most: int) -> Iterable[list[tuple[int, ...]]]:
        """Yield what is left of all plain terms when the least useful one is taken away again and again."""
        active = [j for j, (term, _) in enumerate(self.terms) if not term.inner]
        active = active if len(active) < self.design.samples // 3 else []
        while len(active) > 1:
            inverse = np.linalg.inv(self.gram[np.ix_(active, active)] + 1e-10 * np.eye(len(active)))
            coefficients = inverse @ self.moment[active]
            del active[int(np.argmin(coefficients**2 / np.diag(inverse)))]
            if len(active) <= most:
                yield [tuple(active)]

    def _solved(self, subsets: Sequence[tuple[int, ...]]) -> list[Structure]:
        structures = []
        polished: dict[tuple[str, ...], int] = {}
        for subset in subsets:
            index = list(subset)
            if any(self.terms[j][0].inner for j in subset):
                # A set of terms that begins near its best from several starts would crowd out the others.
                key = tuple(sorted(self.terms[j][0].text for j in subset))
                polished[key] = begun = polished.get(key, 0) + 1
                if len(polished) <= (_POLISHED if begun == 1 else _AGAIN) and begun <= _STARTS:
                    structures.append(self._polished(index))
            else:
                structures.append(
                    self._structure([self.terms[j] for j in index], self.matrix[:, index], self.sizes[index])
                )
        return structures

    def _structure(self, picks: Sequence[Pick], matrix: FloatArray, sizes: FloatArray) -> Structure:
        coefficients, *_ = np.linalg.lstsq(matrix, self.design.left, rcond=1e-12)
        off = self.design.left - matrix @ coefficients
        chi2 = float(off @ off)
        chosen = [
            Chosen(term, inner, c)
            for (term, inner), c in zip(picks, (coefficients / sizes).tolist(), strict=True)
        ]
        return Structure(tuple(chosen), self._score(tuple(chosen), chi2, self.design.samples), chi2)

    def _score(self, chosen: Sequence[Chosen], chi2: float, samples: int) -> float:
        left = chi2 * samples / max(1, self.design.samples)
        cost = sum(price(one.term, samples, self.count) for one in chosen)
        return badness(left, samples, self.design.floor) + cost

    def remembering(self, structures: Sequence[Structure], memory: float) -> list[Structure]:
        """Return structures by the score that they have if residuals are autocorrelated so much.

        Source: M. H. Quenouille, Associated Measurements (1952): how many samples count as independent.
        """
        samples = round(self.design.samples * (1.0 - memory) / (1.0 + memory))
        samples = min(self.design.samples, max(_FEWEST, samples))
        told = [replace(one, score=self._score(one.chosen, one.chi2, samples)) for one in structures]
        return sorted(told, key=lambda structure: structure.score)

    def _polished(self, index: list[int]) -> Structure:
        """Return the structure with inner constants moved downhill, by damped Gauss-Newton steps."""
        picks, matrix, sizes = self._begun(index)
        best, damping = self._structure(picks, matrix, sizes), 1e-3
        for _ in range(_STEPS):
            step = self._downhill(best, matrix, sizes, damping)
            if step is None:
                return best
            picks, matrix_there, sizes_there = step
            found = self._structure(picks, matrix_there, sizes_there)
            gain = best.score - found.score
            if gain > 0.0:
                best, matrix, sizes, damping = found, matrix_there, sizes_there, damping / 10.0
            else:
                damping *= 30.0
            if abs(gain) < 1e-2 or damping > 1e3:
                break
        return best

    def _begun(self, index: list[int]) -> tuple[list[Pick], FloatArray, FloatArray]:
        """Return terms with the inner constants of their columns, waves with the phase that suits them."""
        picks, matrix, sizes = [self.terms[j] for j in index], self.matrix[:, index], self.sizes[index]
        if not any(j in self.partner for j in index):
            return picks, matrix, sizes
        every = self._with_partners(tuple(index))
        found, *_ = np.linalg.lstsq(self.matrix[:, every], self.design.left, rcond=1e-12)
        amplitudes = dict(zip(every, (found / self.sizes[every]).tolist(), strict=True))
        for i, j in enumerate(index):
            if j in self.partner:
                pace = picks[i][1][0]
                wave = sum(amplitudes[k] * np.exp(1j * self.terms[k][1][1]) for k in (j, self.partner[j]))
                picks[i] = (picks[i][0], (pace, float(np.angle(wave))))
                column = self.design.column(*picks[i])
                assert column is not None  # noqa: S101  # a wave is defined everywhere
                sizes[i] = np.linalg.norm(column)
                matrix[:, i] = column / sizes[i]
        return picks, matrix, sizes

    def _downhill(
        self, here: Structure, matrix: FloatArray, sizes: FloatArray, damping: float
    ) -> tuple[list[Pick], FloatArray, FloatArray] | None:
        """Return terms with moved inner constants and their columns; None where they are undefined."""
        slopes, where = [], []
        for i, one in enumerate(here.chosen):
            for k, value in enumerate(one.inner):
                step = 1e-4 * abs(value) or 1e-6
                moved = self.design.column(one.term, (*one.inner[:k], value + step, *one.inner[k + 1 :]))
                if moved is None:
                    return None
                slopes.append((moved - matrix[:, i] * sizes[i]) / step * one.coefficient)
                where.append((i, k))
        moves = self._steps(matrix, np.stack(slopes, axis=1), damping)
        picks: list[Pick] = [(one.term, one.inner) for one in here.chosen]
        for move, (i, k) in zip(moves.tolist(), where, strict=True):
            term, inner = picks[i]
            most = _LONGEST * abs(inner[k])
            picks[i] = (term, (*inner[:k], inner[k] + float(np.clip(move, -most, most)), *inner[k + 1 :]))
        matrix, sizes = matrix.copy(), sizes.copy()
        for i in {i for i, _ in where}:
            column = self.design.column(*picks[i])
            size = 0.0 if column is None else float(np.linalg.norm(column))
            if column is None or not np.isfinite(size) or size == 0.0:
                return None
            matrix[:, i], sizes[i] = column / size, size
        return picks, matrix, sizes

    def _steps(self, matrix: FloatArray, moves: FloatArray, damping: float) -> FloatArray:
        """Return how far inner constants should go, all coefficients free to follow."""
        size = np.linalg.norm(moves, axis=0)
        size[size == 0.0] = 1.0
        basis = np.linalg.qr(matrix)[0]
        free = moves / size - basis @ (basis.T @ (moves / size))
        off = self.design.left - basis @ (basis.T @ self.design.left)
        normal = free.T @ free
        lifted = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal))
        solved: FloatArray = np.linalg.solve(lifted, free.T @ off) / size
        return solved
