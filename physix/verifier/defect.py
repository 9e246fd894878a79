"""What the equations lack, read off the data without solving anything.

If dv/dt = f held for the observed motion, v(t) - v(0) would be the integral of f along it. The
defect is the difference; what it is proportional to, among integrals of the hypothesis's own
terms and of a few plain ones, names the term that is too strong, too weak, of the wrong sign or
missing. Integrals, because differentiating noisy data amplifies the noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from physix.systems.task import StateVariable
from physix.verifier.prepared import Prepared
from physix.verifier.tree import (
    Binary,
    Call,
    Equation,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    summands,
    walk,
)

FloatArray = NDArray[np.float64]
Role = Literal["damping", "driving", "restoring", "constant", "coupling", "other"]

_EXPLAINS = 0.6  # of the defect's variance: less, and no single term is to blame
_OWN_IS_SIMPLER = 0.03  # an own term is blamed unless a missing one explains this much more
_FUNCTIONS = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
}


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


@dataclass(frozen=True, slots=True)
class _Feature:
    term: str
    own: bool
    values: list[FloatArray]  # per trajectory
    names: frozenset[str]


def find_defect(parsed: ParsedHypothesis, prepared: Prepared) -> Defect | None:
    """Return the term that explains the largest defect of any equation; None if no single one does."""
    columns = [
        dict(zip(prepared.names, samples.states.T, strict=True)) | {"t": samples.t, "pi": np.pi}
        for samples in prepared.shown
    ]
    found: list[tuple[float, Defect]] = []
    with np.errstate(all="ignore"):
        for equation in parsed.equations:
            defect = _examine(equation, parsed, prepared, columns)
            if defect is not None:
                found.append(defect)
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _examine(
    equation: Equation,
    parsed: ParsedHypothesis,
    prepared: Prepared,
    columns: Sequence[Mapping[str, FloatArray]],
) -> tuple[float, Defect] | None:
    """Return the size of an equation's defect in units of the noise, and what explains it."""
    driven = _driven(equation, parsed.variables)
    own = _own_terms(equation, columns, parsed.params)
    if own is None:
        return None
    total = [sum((term.values[i] for term in own), np.zeros(len(c["t"]))) for i, c in enumerate(columns)]
    defect = _flat([c[driven] - _integral(c["t"], f) for c, f in zip(columns, total, strict=True)])
    index = prepared.names.index(driven)
    noise = max(prepared.noise, 1e-3) * float(prepared.scale[index])
    size = float(np.sqrt(np.mean(defect**2))) / noise
    if size < 1.5:
        return None
    best: dict[bool, tuple[float, float, _Feature]] = {}
    for feature in [*own, *_plain_terms(equation, parsed.variables, columns)]:
        integral = _flat([_integral(c["t"], v) for c, v in zip(columns, feature.values, strict=True)])
        energy = float(integral @ integral)
        if not np.isfinite(energy) or energy <= 1e-18 * float(defect @ defect):
            continue
        projection = float(integral @ defect)
        explained = projection**2 / (energy * float(defect @ defect))
        if feature.own not in best or explained > best[feature.own][0]:
            best[feature.own] = (explained, projection / energy, feature)
    chosen = _choose(best)
    if chosen is None:
        return None
    explained, coefficient, feature = chosen
    velocity = [c[driven] for c in columns]
    return size, Defect(
        equation=equation,
        term=feature.term,
        own=feature.own,
        factor=1.0 + coefficient if feature.own else coefficient,
        role=_role(feature, equation, parsed.variables, velocity, 1.0 if feature.own else coefficient),
        explained=explained,
    )


def _choose(best: dict[bool, tuple[float, float, _Feature]]) -> tuple[float, float, _Feature] | None:
    own, missing = best.get(True), best.get(False)
    chosen = own
    if own is None or (missing is not None and missing[0] > own[0] + _OWN_IS_SIMPLER):
        chosen = missing
    return chosen if chosen is not None and chosen[0] >= _EXPLAINS else None


def _driven(equation: Equation, variables: tuple[StateVariable, ...]) -> str:
    """Return the variable whose derivative the equation gives."""
    return next((v.name for v in variables if v.rate_of == equation.variable), equation.variable)


def _own_terms(
    equation: Equation, columns: Sequence[Mapping[str, FloatArray]], params: Mapping[str, float]
) -> list[_Feature] | None:
    terms = []
    for negative, node in summands(equation.expression):
        signed = Negate(node) if negative else node
        values = [_on(signed, c, params) for c in columns]
        if not all(np.isfinite(v).all() for v in values):
            return None
        names = frozenset(n.name for n in walk(node) if isinstance(n, Name)) - set(params)
        terms.append(_Feature(show(signed), True, values, names))
    return terms


def _plain_terms(
    equation: Equation, variables: tuple[StateVariable, ...], columns: Sequence[Mapping[str, FloatArray]]
) -> list[_Feature]:
    """Return terms that laws of motion are made of: constant, linear, quadratic resistance, coupling."""
    rates = [v.name for v in variables if v.rate_of is not None]
    driven = _driven(equation, variables)
    terms: dict[str, list[FloatArray]] = {"1": [np.ones(len(c["t"])) for c in columns]}
    for variable in variables:
        terms[variable.name] = [c[variable.name] for c in columns]
    if driven in rates:
        terms[f"{driven}*abs({driven})"] = [c[driven] * np.abs(c[driven]) for c in columns]
        if len(rates) > 1:
            speed = "sqrt(" + " + ".join(f"{rate}**2" for rate in rates) + ")"
            terms[f"{driven}*{speed}"] = [
                c[driven] * np.sqrt(sum(c[rate] ** 2 for rate in rates)) for c in columns
            ]
    names = {v.name for v in variables}
    return [
        _Feature(text, False, values, frozenset(name for name in names if _mentions(text, name)))
        for text, values in terms.items()
    ]


def _mentions(text: str, name: str) -> bool:
    padded = "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    return name in padded


def _role(
    feature: _Feature,
    equation: Equation,
    variables: tuple[StateVariable, ...],
    velocity: list[FloatArray],
    sign: float,
) -> Role:
    driven = _driven(equation, variables)
    states = {v.name for v in variables}
    others = feature.names & states - {driven, equation.variable}
    if driven != equation.variable and driven in feature.names:
        work = sum(float(f @ v) for f, v in zip(feature.values, velocity, strict=True))
        return "damping" if sign * work < 0 else "driving"
    if others:
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
        case Name(name):
            if name in params:
                return np.full(len(some), params[name])
            return columns[name] * np.ones(len(some))
        case Negate(operand):
            return -_on(operand, columns, params)
        case Call(function, argument):
            result: FloatArray = _FUNCTIONS[function](_on(argument, columns, params))
            return result
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


def _flat(parts: list[FloatArray]) -> FloatArray:
    """Join per-trajectory series, each without its mean: the start's own noise must not count."""
    return np.concatenate([part - part.mean() for part in parts])
