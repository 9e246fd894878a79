"""The terms that laws of motion are made of, as text and as columns: what a law may be lacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, permutations

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import InputVariable, StateVariable

MAX_CANDIDATES = 96
_AWAY = 0.05  # of a variable's size that it must keep from 0 to be divided by
_TURN, _MANY_TURNS = 2.0, 60.0  # how far a first-order variable goes whose sine may be meant
_RARE = 12.0  # doubt about terms that hardly any law holds


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A term without its coefficient, and its values along the data, shape (N,)."""

    term: str
    names: frozenset[str]
    values: FloatArray
    doubt: float  # how much more than a plain term it must explain, in units of chi²


def candidates(
    driven: str,
    variables: Sequence[StateVariable],
    inputs: Sequence[InputVariable],
    columns: dict[str, FloatArray],
) -> Iterator[Candidate]:
    """Yield up to MAX_CANDIDATES finite terms for the equation that drives `driven`, the plainest first.

    Args:
        driven: the variable whose rate of change the equation gives.
        variables: the state.
        inputs: what drives the motion from outside.
        columns: values of every variable, input and `t` along the data, shape (N,).
    """
    terms = _terms(driven, variables, inputs, columns)
    seen: set[str] = set()
    # By the batch: of many variables there are far more terms than are asked for.
    while batch := list(islice(terms, MAX_CANDIDATES)):
        finite = np.isfinite(np.array([values for _, _, values, _ in batch])).all(axis=1).tolist()
        for (term, names, values, doubt), defined in zip(batch, finite, strict=True):
            if term in seen or not defined:
                continue
            seen.add(term)
            yield Candidate(term, frozenset(names), values, doubt)
            if len(seen) == MAX_CANDIDATES:
                return


_Term = tuple[str, tuple[str, ...], FloatArray, float]


def _terms(
    driven: str,
    variables: Sequence[StateVariable],
    inputs: Sequence[InputVariable],
    c: dict[str, FloatArray],
) -> Iterator[_Term]:
    names = [v.name for v in variables]
    rates = [v.name for v in variables if v.rate_of is not None]
    positions = [v.rate_of for v in variables if v.rate_of is not None]
    yield "1", (), np.ones(len(c["t"])), 0.0
    for name in (*names, *(i.name for i in inputs)):
        yield name, (name,), c[name], 0.0
    yield from _resistance(driven, rates, c)
    yield from _differences(positions, rates, c)
    yield from _central(positions, c)
    yield from _waves([v.name for v in variables if v.rate_of is None], positions, c)
    yield from _powers(variables, c)
    yield "t", (), c["t"], 3.0
    for a, b in combinations(positions, 2):
        yield f"sin({a} - {b})", (a, b), np.sin(c[a] - c[b]), 3.0
    for i in inputs:
        for name in names:
            yield f"{i.name}*{name}", (i.name, name), c[i.name] * c[name], 3.0
    yield from _others(names, c)


def _resistance(driven: str, rates: Sequence[str], c: dict[str, FloatArray]) -> Iterator[_Term]:
    if driven not in rates:
        return
    yield f"{driven}*abs({driven})", (driven,), c[driven] * np.abs(c[driven]), 0.0
    if len(rates) > 1:
        speed = "sqrt(" + " + ".join(f"{rate}**2" for rate in rates) + ")"
        values = c[driven] * np.sqrt(sum(c[rate] ** 2 for rate in rates))
        yield f"{driven}*{speed}", tuple(rates), values, 0.0


def _differences(positions: Sequence[str], rates: Sequence[str], c: dict[str, FloatArray]) -> Iterator[_Term]:
    """Yield what a spring or a dashpot between two bodies depends on."""
    for group in (positions, rates):
        for a, b in combinations(group, 2):
            yield f"({a} - {b})", (a, b), c[a] - c[b], 2.0


def _central(positions: Sequence[str], c: dict[str, FloatArray]) -> Iterator[_Term]:
    """Yield pulls towards the origin: the inverse square in a plane or in space."""
    if not 2 <= len(positions) <= 3:
        return
    square = sum(c[q] ** 2 for q in positions)
    text = " + ".join(f"{q}**2" for q in positions)
    with np.errstate(all="ignore"):
        for q in positions:
            yield f"{q}/({text})**1.5", tuple(positions), c[q] / square**1.5, 2.0


def _powers(variables: Sequence[StateVariable], c: dict[str, FloatArray]) -> Iterator[_Term]:
    squares = {v.name: c[v.name] ** 2 for v in variables}
    for form in _monomials(tuple(variables)):
        first, *others = form.factors
        values = {1: c, 2: squares}[form.power][first] if form.power < 3 else c[first] ** 3
        for other in others:
            values = values * c[other]
        yield form.text, form.factors, values, form.doubt


@dataclass(frozen=True, slots=True)
class _Monomial:
    text: str
    factors: tuple[str, ...]
    power: int  # of the first factor
    doubt: float


@lru_cache(maxsize=256)
def _monomials(variables: tuple[StateVariable, ...]) -> tuple[_Monomial, ...]:
    """Return the monomials of the second and third degree.

    Forces that mix the place along one axis with the velocity along another are rare: in doubt, none.
    """
    names = [v.name for v in variables]
    axis = {v.name: v.rate_of or v.name for v in variables}
    rates = {v.name for v in variables if v.rate_of is not None}

    def form(*factors: str, power: int = 1, more: float = 0.0) -> _Monomial:
        mixed = len({axis[f] for f in factors}) > 1 and bool(rates.intersection(factors))
        text = "*".join([factors[0] if power == 1 else f"{factors[0]}**{power}", *factors[1:]])
        degree = len(factors) + power - 1
        return _Monomial(text, factors, power, (_RARE if mixed else float(degree - 1)) + more)

    forms = []
    for i, a in enumerate(names):
        forms.append(form(a, power=2))
        forms += [form(a, b) for b in names[i + 1 :]]
    forms += [form(a, power=3) for a in names]
    forms += [form(a, b, power=2) for a, b in permutations(names, 2)]
    forms += [form(x, y, z, more=1.0) for x, y, z in combinations(names, 3)]
    return tuple(forms)


def _others(names: Sequence[str], c: dict[str, FloatArray]) -> Iterator[_Term]:
    for a in names:
        if float(np.abs(c[a]).min()) > _AWAY * float(np.abs(c[a]).max()):
            yield f"1/{a}", (a,), 1.0 / c[a], _RARE
            yield f"1/{a}**2", (a,), 1.0 / c[a] ** 2, _RARE


def _waves(names: Sequence[str], positions: Sequence[str], c: dict[str, FloatArray]) -> Iterator[_Term]:
    """Yield sines: of angles, and of whatever else goes so far round that no polynomial stands for it."""
    for q in names:
        angle = q in positions
        if angle or _TURN < float(np.ptp(c[q])) < _MANY_TURNS:
            yield f"sin({q})", (q,), np.sin(c[q]), 1.0 if angle else 3.0
            yield f"cos({q})", (q,), np.cos(c[q]), 3.0 if angle else 5.0
