"""What the equations lack, read off the data without solving anything.

If dv/dt = f held for the observed motion, v(t) - v(0) would be the integral of f along it. The
defect is the difference; what it is proportional to, among integrals of the hypothesis's own
terms and of a few plain ones, names the term that is too strong, too weak, of the wrong sign or
missing. Integrals, because differentiating noisy data amplifies the noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import StateVariable
from physix.engine.verifier.functions import FUNCTIONS
from physix.engine.verifier.prepared import Prepared, Same
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Equation,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    summands,
    walk,
)

Role = Literal["damping", "driving", "restoring", "constant", "coupling", "other"]

_EXPLAINS = 0.6  # of the defect's variance: less, and no single term is to blame
_AUDIBLE = 1.5  # times the noise: a smaller defect says nothing
_OWN_IS_SIMPLER = 0.03  # an own term is blamed unless a missing one explains this much more


@dataclass(frozen=True, slots=True)
class Defect:
    """One term of one equation that explains most of what is wrong.

    For an own term `factor` is what it should be multiplied by; for a missing one it is the
    coefficient that it should have.
    """

    equation: Equation
    term: str  # source text, with its sign
    own: bool
    factor: float
    role: Role
    explained: float  # share of the defect's variance


@dataclass(frozen=True, slots=True, eq=False)
class _Feature:
    term: str
    own: bool
    names: frozenset[str]
    work: float  # its sum over the samples, times the driven velocity: negative where it brakes
    integral: FloatArray  # running, all trajectories one after another, see _flat


@dataclass(frozen=True, slots=True, eq=False)
class _Motion:
    """The shown data as columns by name, one mapping per trajectory, and what follows from it alone."""

    columns: tuple[Mapping[str, FloatArray], ...]
    driven: str
    measured: FloatArray  # the driven variable, see _flat
    noise: float  # of the driven variable
    plain: tuple[_Feature, ...]


def find_defect(parsed: ParsedHypothesis, prepared: Prepared) -> Defect | None:
    """Return the term that explains the largest defect of any equation; None if no single one does."""
    found: list[tuple[float, Defect]] = []
    with np.errstate(all="ignore"):
        for equation in parsed.equations:
            driven = _driven(equation, parsed.variables)
            motion = _motion(Same(prepared), driven, equation.variable, parsed.variables)
            defect = _examine(equation, parsed, motion)
            if defect is not None:
                found.append(defect)
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _examine(equation: Equation, parsed: ParsedHypothesis, motion: _Motion) -> tuple[float, Defect] | None:
    """Return the size of an equation's defect in units of the noise, and what explains it."""
    own = [_own_term(negative, node, motion, parsed) for negative, node in summands(equation.expression)]
    defect = motion.measured - sum(feature.integral for feature in own)
    energy = float(defect @ defect)
    size = math.sqrt(energy / len(defect)) / motion.noise
    if not size >= _AUDIBLE or math.isinf(size):
        return None
    best: dict[bool, tuple[float, float, _Feature]] = {}
    for feature in (*own, *motion.plain):
        own_energy = float(feature.integral @ feature.integral)
        if not own_energy > 1e-18 * energy or math.isinf(own_energy):
            continue
        projection = float(feature.integral @ defect)
        explained = (projection / own_energy) * (projection / energy)
        if feature.own not in best or explained > best[feature.own][0]:
            best[feature.own] = (explained, projection / own_energy, feature)
    chosen = _choose(best)
    if chosen is None:
        return None
    explained, coefficient, feature = chosen
    role = _role(feature, equation, motion.driven, parsed.variables, 1.0 if feature.own else coefficient)
    factor = 1.0 + coefficient if feature.own else coefficient
    return size, Defect(equation, feature.term, feature.own, factor, role, explained)


def _choose(best: dict[bool, tuple[float, float, _Feature]]) -> tuple[float, float, _Feature] | None:
    own, missing = best.get(True), best.get(False)
    chosen = own
    if own is None or (missing is not None and missing[0] > own[0] + _OWN_IS_SIMPLER):
        chosen = missing
    return chosen if chosen is not None and chosen[0] >= _EXPLAINS else None


def _driven(equation: Equation, variables: tuple[StateVariable, ...]) -> str:
    """Return the variable whose derivative the equation gives."""
    return next((v.name for v in variables if v.rate_of == equation.variable), equation.variable)


@lru_cache(maxsize=512)
def _motion(same: Same, driven: str, variable: str, variables: tuple[StateVariable, ...]) -> _Motion:
    (prepared,) = same.values
    assert isinstance(prepared, Prepared)  # noqa: S101  # for the type checker
    columns = tuple(
        dict(zip(prepared.names, samples.states.T, strict=True)) | {"t": samples.t}
        for samples in prepared.shown
    )
    index = prepared.names.index(driven)
    return _Motion(
        columns=columns,
        driven=driven,
        measured=_flat([c[driven] for c in columns]),
        noise=max(prepared.noise, 1e-3) * float(prepared.scale[index]),
        plain=tuple(
            _feature(term, False, names, values, columns, driven)
            for term, names, values in _plain_terms(driven, variables, columns)
        ),
    )


def _own_term(negative: bool, node: Node, motion: _Motion, parsed: ParsedHypothesis) -> _Feature:
    signed = Negate(node) if negative else node
    values = [_on(signed, c, parsed.params) for c in motion.columns]
    names = frozenset(n.name for n in walk(node) if isinstance(n, Name)) - set(parsed.params)
    return _feature(show(signed), True, names, values, motion.columns, motion.driven)


def _feature(
    term: str,
    own: bool,
    names: frozenset[str],
    values: Sequence[FloatArray],
    columns: Sequence[Mapping[str, FloatArray]],
    driven: str,
) -> _Feature:
    work = sum(float(v @ c[driven]) for v, c in zip(values, columns, strict=True))
    integral = _flat([_integral(c["t"], v) for c, v in zip(columns, values, strict=True)])
    return _Feature(term, own, names, work, integral)


def _plain_terms(
    driven: str, variables: tuple[StateVariable, ...], columns: Sequence[Mapping[str, FloatArray]]
) -> Iterator[tuple[str, frozenset[str], list[FloatArray]]]:
    """Yield terms that laws of motion are made of: constant, linear, quadratic resistance, coupling."""
    yield "1", frozenset(), [np.ones(len(c["t"])) for c in columns]
    for variable in variables:
        yield variable.name, frozenset({variable.name}), [c[variable.name] for c in columns]
    rates = [v.name for v in variables if v.rate_of is not None]
    if driven not in rates:
        return
    yield (
        f"{driven}*abs({driven})",
        frozenset({driven}),
        [c[driven] * np.abs(c[driven]) for c in columns],
    )
    if len(rates) > 1:
        speed = "sqrt(" + " + ".join(f"{rate}**2" for rate in rates) + ")"
        values = [c[driven] * np.sqrt(sum(c[rate] ** 2 for rate in rates)) for c in columns]
        yield f"{driven}*{speed}", frozenset(rates), values


def _role(
    feature: _Feature, equation: Equation, driven: str, variables: tuple[StateVariable, ...], sign: float
) -> Role:
    states = {v.name for v in variables}
    if driven != equation.variable and driven in feature.names:
        return "damping" if sign * feature.work < 0 else "driving"
    if feature.names & states - {driven, equation.variable}:
        return "coupling"
    if feature.names & states:
        return "restoring"
    return "other" if "t" in feature.names else "constant"


def _on(node: Node, columns: Mapping[str, FloatArray], params: Mapping[str, float]) -> FloatArray:
    """Evaluate an expression on whole columns; NaN or infinite where it is undefined."""
    some = columns["t"]
    match node:
        case Number(value):
            return np.full(len(some), value)
        case Name("pi"):
            return np.full(len(some), math.pi)
        case Name(name):
            if name in params:
                return np.full(len(some), params[name])
            return columns[name]
        case Negate(operand):
            return -_on(operand, columns, params)
        case Call(function, argument):
            result: FloatArray = FUNCTIONS[function].array(_on(argument, columns, params))
            return result
        case Extremum(function, left, right):
            chosen: FloatArray = FUNCTIONS[function].array(
                _on(left, columns, params), _on(right, columns, params)
            )
            return chosen
        case Binary(operator, left, right):
            a, b = _on(left, columns, params), _on(right, columns, params)
            match operator:
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b
                case "/":
                    return a / b
                case _:
                    return np.power(a, b)


def _integral(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return the running integral by the trapezoidal rule, 0 at the start."""
    running = np.zeros(len(t))
    np.cumsum(np.diff(t) * (values[1:] + values[:-1]) / 2.0, out=running[1:])
    return running


def _flat(parts: Sequence[FloatArray]) -> FloatArray:
    """Join per-trajectory series, each without its mean: the start's own noise must not count."""
    centred = [part - part.mean() for part in parts]
    return centred[0] if len(centred) == 1 else np.concatenate(centred)
