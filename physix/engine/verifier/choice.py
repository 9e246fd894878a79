"""Which changes of an equation explain its defect best: a comparison of least squares, numbers only.

All in units of the noise: `before` is chi² of the equation as it stands, and a change of coefficient c in
a column with products `gram` takes `2 c b - c² gram` off it. Tried are every single change, every pair,
the law's own constants refitted together, alone or with one or two terms more, and a fresh law of up to
three terms. Each change has a price, so that the simplest that does is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.prepared import BoolArray

BLAME = 16.0  # what a change must take off chi² to be named
_MORE = 10.0  # what each further one must
_DROP = 4.0  # what a term that goes must: nothing is fitted
_LOUD = 4.0  # times what noise leaves: a defect below is too faint to look for two missing terms
_FITTED = 9.0  # what refitting constants that were fitted already takes off at most
_FRESH = 0.3  # of the blur, for a law of one or two terms: so few are not bent by noise
_ALIKE = 30.0  # of chi², within which a law that treats two axes alike is believed
_AS_STRONG = 2.0  # times, within which a term is as strong along one axis as along the other
_INDEPENDENT = 1e-6  # of a column's square that others must leave
_RIDGE, _LEAST_RIDGE = 1e-10, 1e-12  # on the diagonal of products of columns of length 1


_Found = tuple[tuple[int, ...], tuple[float, ...], float]  # columns, their coefficients, the gain


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One equation's defect and the columns that may explain it: own ones first, then missing ones."""

    gram: FloatArray  # products of columns, shape (K, K)
    sizes: FloatArray  # its diagonal, never zero
    onto: FloatArray  # products with the defect, shape (K,)
    doubts: FloatArray  # what each must explain beyond the price of a change, shape (K,); inf: never
    response: FloatArray  # products with the left side itself, shape (K,)
    energy: float  # the left side's square
    own: int  # columns of the law's own
    whole: int  # the first of them, that are summands; the others are parts of these
    before: float
    degrees: int
    blur: float  # of `before`, what noise inside the terms leaves however right a change is


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Columns to change and by how much; `chi2` is what is left."""

    columns: tuple[int, ...]
    changes: tuple[float, ...]
    chi2: float
    price: float
    missing: int = 0
    joint: bool = False
    dropped: tuple[int, ...] = ()  # own columns that go; not among `columns`
    fresh: bool = False  # a law of few terms, whatever the own one was


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best choice, None if nothing is worth its price, and the noise that no choice explains away."""

    choice: Choice | None
    noise: float  # variance of what the best of all leaves; at least 1


def choose(problem: Problem) -> Chosen:
    """Return the simplest choice that explains the defect."""
    # Columns that are dependent divide by nothing, and are left out for it.
    with np.errstate(all="ignore"):
        return _choose(problem)


def _choose(problem: Problem) -> Chosen:
    plain = _single(problem)
    if (
        plain.chi2 <= explained(problem.degrees)
        and not plain.missing
        and plain.price < problem.before - plain.chi2
    ):
        # One of its own terms explains all of it: nothing can be simpler.
        return Chosen(plain, max(1.0, plain.chi2 / problem.degrees))
    pairs = _Pairs.of(problem.gram, problem.sizes)
    every = (plain, *_pair(problem, pairs), *_refits(problem), *_fresh(problem, pairs))
    choices = [choice for choice in every if math.isfinite(choice.price)]
    left = [c.chi2 / max(problem.degrees - len(c.columns), 1) for c in choices]
    noise = max(1.0, min(left, default=problem.before / problem.degrees))
    refit = next((c for c in choices if c.joint and not c.missing), None)
    # A law whose constants were fitted to these data already gains nothing from that.
    fitted = refit is None or problem.before - refit.chi2 < _FITTED * noise
    faint = problem.before < _LOUD * noise * problem.degrees

    def cost(choice: Choice) -> float:
        several = len(choice.columns) + len(choice.dropped) > 2
        if faint and (choice.missing > 1 or (choice.missing and several and not (choice.joint and fitted))):
            return math.inf
        share = problem.blur * problem.before if len(choice.columns) + len(choice.dropped) > 1 else 0.0
        share *= _FRESH if choice.fresh else 1.0
        return choice.chi2 + noise * choice.price + share

    best = min(choices, key=cost, default=None)
    if best is None or not cost(best) < problem.before:
        return Chosen(None, noise)
    return Chosen(best, noise)


def favouring(problem: Problem, chosen: Chosen, twins: Sequence[tuple[int, float]]) -> Chosen:
    """Return the choice that holds a term which another axis lacks as well, where noise does not forbid it.

    Space is alike in all directions: of laws that explain the data as well, the one that says the same of
    two axes is the likelier, though it has a term more.

    Args:
        twins: column of each such term, and its coefficient along the other axis.
    """
    best = chosen.choice
    if best is None or not set(best.columns).isdisjoint(at for at, _ in twins):
        return chosen
    with np.errstate(all="ignore"):
        for at, strength in twins:
            for choice in _holding(problem, at):
                ratio = choice.changes[choice.columns.index(at)] / strength
                near = choice.chi2 <= best.chi2 + _ALIKE * chosen.noise
                if near and 1.0 / _AS_STRONG <= ratio <= _AS_STRONG:
                    return Chosen(choice, chosen.noise)
    return chosen


def _holding(problem: Problem, at: int) -> Iterator[Choice]:
    """Yield the own constants refitted with one column more, and with the best other one besides."""
    columns = [*_independent(problem), at]
    if not math.isfinite(problem.doubts[at]):
        return
    for _ in range(2):
        sizes = problem.sizes
        inverse = _inverse(problem, columns, _RIDGE)
        changes = inverse @ problem.onto[columns]
        yield Choice(
            columns=tuple(columns),
            changes=tuple(changes.tolist()),
            chi2=problem.before - float(problem.onto[columns] @ changes),
            price=BLAME + (len(columns) - 1) * _MORE,
            missing=sum(c >= problem.own for c in columns),
            joint=True,
        )
        through = inverse @ problem.gram[columns]
        onto = problem.onto - problem.onto[columns] @ through
        free = sizes - np.einsum("ij,ij->j", problem.gram[columns], through)
        worth = np.where(
            free > _INDEPENDENT * sizes, onto**2 / np.maximum(free, 1e-300) - problem.doubts, -math.inf
        )
        other = int(np.argmax(worth))
        if not math.isfinite(worth[other]) or other in columns:
            return
        columns.append(other)


def precision(problem: Problem, choice: Choice) -> FloatArray:
    """Return the inverse variance of each change, the others adjusting, where the noise is 1."""
    columns = list(choice.columns)
    sizes = problem.sizes[columns]
    if len(columns) == 1:
        return sizes
    normal = problem.gram[columns][:, columns] / np.sqrt(np.multiply.outer(sizes, sizes))
    result: FloatArray = sizes / np.linalg.inv(normal + _ridge(len(columns), _RIDGE)).diagonal()
    return result


def _inverse(problem: Problem, columns: Sequence[int], ridge: float) -> FloatArray:
    """Return the inverse of the products of a few columns, which a ridge keeps from being singular."""
    scale = 1.0 / np.sqrt(problem.sizes[columns])
    units: FloatArray = np.multiply.outer(scale, scale)
    normal: FloatArray = problem.gram[columns][:, columns] * units
    inverse: FloatArray = np.linalg.inv(normal + _ridge(len(columns), ridge)) * units
    return inverse


@lru_cache(maxsize=64)
def _ridge(columns: int, size: float) -> FloatArray:
    ridge: FloatArray = size * np.eye(columns)
    return ridge


def explained(degrees: int) -> float:
    """Return how much of chi² noise may leave: its mean and three standard deviations."""
    return degrees + 3.0 * math.sqrt(2.0 * degrees)


def _single(problem: Problem) -> Choice:
    """Return the best single change."""
    gains = problem.onto**2 / problem.sizes
    at = int(np.argmax(gains - problem.doubts))
    return Choice(
        columns=(at,),
        changes=(float(problem.onto[at] / problem.sizes[at]),),
        chi2=problem.before - float(gains[at]),
        price=BLAME + float(problem.doubts[at]),
        missing=int(at >= problem.own),
    )


def _pair(problem: Problem, pairs: _Pairs) -> Iterator[Choice]:
    """Yield the best two changes."""
    two = pairs.best(problem.onto, problem.doubts)
    if two is not None:
        (i, j), changes, gain = two
        yield Choice(
            columns=(i, j),
            changes=changes,
            chi2=problem.before - gain,
            price=BLAME + _MORE + float(problem.doubts[i] + problem.doubts[j]),
            missing=int(i >= problem.own) + int(j >= problem.own),
        )


def _independent(problem: Problem) -> list[int]:
    """Return own columns that are independent of each other, parts of summands before the summands."""
    sizes = problem.sizes
    basis: list[int] = []
    for at in (*range(problem.whole, problem.own), *range(problem.whole)):
        left = float(sizes[at])
        if left <= 1e-300:
            continue
        if basis:
            onto = problem.gram[at, basis]
            scale = np.sqrt(sizes[basis])
            normal = problem.gram[np.ix_(basis, basis)] / np.outer(scale, scale)
            left -= float(onto / scale @ np.linalg.solve(normal, onto / scale))
        if left > _INDEPENDENT * float(sizes[at]):
            basis.append(at)
    return sorted(basis)


def _refits(problem: Problem) -> Iterator[Choice]:
    """Yield the own constants refitted together, alone and with the best one and two terms more."""
    own, basis = problem.own, _independent(problem)
    if not basis:
        return
    sizes = problem.sizes
    inverse, basis_onto = _inverse(problem, basis, _RIDGE), problem.onto[basis]
    refit = inverse @ basis_onto
    chi2 = problem.before - float(basis_onto @ refit)
    price = BLAME + (len(basis) - 1) * _MORE
    if len(basis) > 1:
        yield Choice(tuple(basis), tuple(refit.tolist()), chi2, price, joint=True)
    if own == len(sizes):
        return
    # What the refitted law leaves of the other columns, and of the defect on them.
    cross = problem.gram[basis, own:]
    through = inverse @ cross
    onto = problem.onto[own:] - cross.T @ refit
    gram = problem.gram[own:, own:] - cross.T @ through
    free = gram.diagonal().copy()
    dependent = free < _INDEPENDENT * sizes[own:]
    free[dependent] = 1.0
    doubts = np.where(dependent, math.inf, problem.doubts[own:])
    gains = onto**2 / free
    at = int(np.argmax(gains - doubts))
    added: list[_Found] = [((at,), (float(onto[at] / free[at]),), float(gains[at]))]
    two = _Pairs.of(gram, free).best(onto, doubts)
    for columns, changes, gain in added if two is None else [*added, two]:
        moved = refit - through[:, list(columns)] @ np.array(changes)
        yield Choice(
            columns=(*basis, *(own + c for c in columns)),
            changes=(*moved.tolist(), *changes),
            chi2=chi2 - gain,
            price=price + len(columns) * _MORE + float(doubts[list(columns)].sum()),
            missing=len(columns),
            joint=True,
        )


def _fresh(problem: Problem, pairs: _Pairs) -> Iterator[Choice]:
    """Yield the laws of one, two and three terms, own ones among them, that explain the left side best."""
    sizes = problem.sizes
    doubts = problem.doubts.copy()
    doubts[problem.whole : problem.own] = math.inf
    gains = problem.response**2 / sizes
    at = int(np.argmax(gains - doubts))
    found: list[_Found] = [((at,), (float(problem.response[at] / sizes[at]),), float(gains[at]))]
    two = pairs.best(problem.response, doubts)
    if two is not None:
        found.append(two)
        three = _third(problem, two, doubts)
        if three is not None:
            found.append(three)
    for columns, values, gain in found:
        kept = [(c, v) for c, v in zip(columns, values, strict=True) if c < problem.whole]
        gone = tuple(c for c in range(problem.whole) if c not in columns and sizes[c] > 1e-300)
        added = [(c, v) for c, v in zip(columns, values, strict=True) if c >= problem.whole]
        moved = [*((c, v - 1.0) for c, v in kept), *added]
        yield Choice(
            columns=tuple(c for c, _ in moved),
            changes=tuple(v for _, v in moved),
            chi2=problem.energy - gain,
            price=BLAME
            + (len(moved) - 1) * _MORE
            + len(gone) * _DROP
            + float(doubts[[c for c, _ in added]].sum()),
            missing=len(added),
            dropped=gone,
            fresh=len(columns) < 3,
        )


def _third(problem: Problem, two: _Found, doubts: FloatArray) -> _Found | None:
    """Return the pair with the term that explains most of what it leaves."""
    columns = list(two[0])
    sizes = problem.sizes
    gram = problem.gram[columns]
    through = _inverse(problem, columns, _LEAST_RIDGE) @ gram
    onto = problem.response - problem.response[columns] @ through
    free = sizes - np.einsum("ij,ij->j", gram, through)
    worth = np.where(free > _INDEPENDENT * sizes, onto**2 / np.maximum(free, 1e-300) - doubts, -math.inf)
    at = int(np.argmax(worth))
    if not math.isfinite(worth[at]) or at in columns:
        return None
    third = float(onto[at] / free[at])
    moved = np.array(two[1]) - through[:, at] * third
    return (*columns, at), (*moved.tolist(), third), two[2] + float(onto[at] ** 2 / free[at])


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """All pairs of columns, for what any two of them explain together."""

    gram: FloatArray  # shape (K, K)
    sizes: FloatArray  # shape (K,)
    determinant: FloatArray  # of the products of two columns, shape (K, K)
    dependent: BoolArray  # which two are as good as one, shape (K, K)

    @classmethod
    def of(cls, gram: FloatArray, sizes: FloatArray) -> _Pairs:
        area = np.multiply.outer(sizes, sizes)
        determinant = area - gram**2
        return cls(gram, sizes, determinant, ~(determinant > _INDEPENDENT * area))

    def best(self, onto: FloatArray, doubts: FloatArray) -> _Found | None:
        """Return the two columns that explain most beyond their doubts, their coefficients and the gain.

        Args:
            onto: products of the columns with what they are to explain, shape (K,).
            doubts: shape (K,).
        """
        gram, sizes, determinant = self.gram, self.sizes, self.determinant
        alone = np.multiply.outer(onto**2, sizes)
        both = 2.0 * np.multiply.outer(onto, onto)
        both *= gram
        gain = alone - both
        gain += alone.T
        gain /= determinant
        worth = gain - doubts[:, None]
        worth -= doubts
        worth[self.dependent] = -math.inf
        i, j = divmod(int(worth.argmax()), len(onto))
        if not math.isfinite(worth[i, j]):
            return None
        first = (onto[i] * sizes[j] - onto[j] * gram[i, j]) / determinant[i, j]
        second = (onto[j] * sizes[i] - onto[i] * gram[i, j]) / determinant[i, j]
        return (i, j), (float(first), float(second)), float(gain[i, j])
