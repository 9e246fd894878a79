"""Dimensional analysis: the units of params are unknowns that the equations must allow.

A dimension is a product of base units with rational exponents, some factors of which may be
unknown. Equating two dimensions gives one linear equation; exact elimination over fractions
either solves for an unknown or finds the contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from physix.systems.task import StateVariable
from physix.verifier.tree import Binary, Call, Name, Negate, Node, Number, ParsedHypothesis, show
from physix.verifier.types import UnitsVerdict

Exponents = dict[str, Fraction]

_DIMENSIONLESS = frozenset({"1", "rad", "deg", "%", ""})
_DERIVED: Mapping[str, Mapping[str, int]] = {
    "Hz": {"s": -1},
    "N": {"kg": 1, "m": 1, "s": -2},
    "J": {"kg": 1, "m": 2, "s": -2},
    "W": {"kg": 1, "m": 2, "s": -3},
    "Pa": {"kg": 1, "m": -1, "s": -2},
    "C": {"A": 1, "s": 1},
    "V": {"kg": 1, "m": 2, "s": -3, "A": -1},
    "T": {"kg": 1, "s": -2, "A": -1},
}


@dataclass(frozen=True, slots=True)
class UnitsReport:
    """The verdict, a sentence about it, and the unit each param must have."""

    verdict: UnitsVerdict
    message: str
    param_units: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Dimension:
    known: Exponents  # by base unit
    unknown: Exponents  # by unknown, e.g. the name of a param


class _InconsistentError(Exception):
    """Two dimensions that must be equal cannot be; carries the sentence."""


def check_units(parsed: ParsedHypothesis, time_unit: str | None) -> UnitsReport:
    """Return whether the equations are dimensionally consistent, solving for the units of params.

    `ok`: consistent with plain numbers; `literals`: only if a number carries a unit;
    `inconsistent`: not at all, the message naming the two sides; `undeclared`: the task has no units.
    """
    if time_unit is None or any(variable.unit is None for variable in parsed.variables):
        return UnitsReport("undeclared", "The data declares no units, so none were checked.", {})
    first_problem = ""
    for verdict, free_literals in (("ok", False), ("literals", True)):
        solver = _Solver(parsed.variables, time_unit, free_literals=free_literals)
        try:
            for equation in parsed.equations:
                solver.equate_sides(equation.variable, equation.order, equation.target, equation.expression)
        except _InconsistentError as problem:
            first_problem = first_problem or str(problem)
            continue
        units = solver.units_of(parsed.params)
        if verdict == "ok":
            return UnitsReport("ok", "Units are consistent.", units)
        return UnitsReport("literals", f"Consistent only if a number carries a unit: {first_problem}.", units)
    return UnitsReport("inconsistent", f"Units are inconsistent: {first_problem}.", {})


def parse_unit(text: str) -> Exponents:
    """Return the exponents of a unit such as `kg*m/s**2`; an unknown word is its own base unit."""
    exponents: Exponents = {}
    sign = 1
    for operator, word, power in re.findall(r"([*/·]?)\s*([^*/·^\s]+)(?:(?:\*\*|\^)(-?\d+))?", text):
        sign = -1 if operator == "/" else 1
        plain = re.fullmatch(r"([A-Za-zµ]+)(\d)", word)
        base, exponent = (plain[1], int(plain[2])) if plain else (word, int(power or 1))
        if base in _DIMENSIONLESS:
            continue
        for unit, inner in _DERIVED.get(base, {base: 1}).items():
            exponents[unit] = exponents.get(unit, Fraction(0)) + sign * exponent * inner
    return {unit: exponent for unit, exponent in exponents.items() if exponent}


def unit_text(exponents: Exponents) -> str:
    """Return a unit as text, `m/s**2` or `1`."""
    above = [_power(unit, e) for unit, e in sorted(exponents.items()) if e > 0]
    below = [_power(unit, -e) for unit, e in sorted(exponents.items()) if e < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(unit: str, exponent: Fraction) -> str:
    if exponent == 1:
        return unit
    return f"{unit}**{exponent}" if exponent.denominator == 1 else f"{unit}**({exponent})"


def _combine(a: Exponents, b: Exponents, factor: Fraction) -> Exponents:
    total = dict(a)
    for key, value in b.items():
        total[key] = total.get(key, Fraction(0)) + factor * value
    return {key: value for key, value in total.items() if value}


def _times(a: _Dimension, b: _Dimension, factor: Fraction = Fraction(1)) -> _Dimension:
    return _Dimension(_combine(a.known, b.known, factor), _combine(a.unknown, b.unknown, factor))


_ONE = _Dimension({}, {})


class _Solver:
    def __init__(self, variables: tuple[StateVariable, ...], time_unit: str, *, free_literals: bool) -> None:
        self._time = _Dimension(parse_unit(time_unit), {})
        self._variables = {v.name: _Dimension(parse_unit(v.unit or ""), {}) for v in variables}
        self._free_literals = free_literals
        self._literals = 0
        self._solved: dict[str, _Dimension] = {}

    def equate_sides(self, variable: str, order: int, target: str, expression: Node) -> None:
        left = _times(self._variables[variable], self._time, Fraction(-order))
        right = self._dimension(expression)
        self._equate(left, right, f"{target} is {{}}, but {_short(expression)} is {{}}")

    def units_of(self, params: Mapping[str, float]) -> dict[str, str]:
        resolved = {name: self._resolve(_Dimension({}, {name: Fraction(1)})) for name in params}
        return {name: unit_text(d.known) for name, d in resolved.items() if not d.unknown}

    def _dimension(self, node: Node) -> _Dimension:
        match node:
            case Number(value):
                return self._literal(value)
            case Name("pi"):
                return _ONE
            case Name("t"):
                return self._time
            case Name(name):
                return self._variables.get(name) or _Dimension({}, {name: Fraction(1)})
            case Negate(operand):
                return self._dimension(operand)
            case Call(function, argument):
                return self._call(function, argument)
            case Binary("*", left, right):
                return _times(self._dimension(left), self._dimension(right))
            case Binary("/", left, right):
                return _times(self._dimension(left), self._dimension(right), Fraction(-1))
            case Binary("**", left, right):
                return self._power(left, right)
            case Binary(operator, left, right):
                sides = self._dimension(left), self._dimension(right)
                verb = "is added to" if operator == "+" else "is subtracted from"
                first, second = (left, right) if operator == "+" else (right, left)
                self._equate(
                    *(sides if operator == "+" else sides[::-1]),
                    f"{_short(first)} ({{}}) {verb} {_short(second)} ({{}})",
                )
                return sides[0]

    def _literal(self, value: float) -> _Dimension:
        # Zero metres are zero seconds: `d2y/dt2 = 0` needs no unit.
        if not self._free_literals and value != 0.0:
            return _ONE
        self._literals += 1
        # A space keeps this unknown apart from every param's name.
        return _Dimension({}, {f"literal {self._literals}": Fraction(1)})

    def _call(self, function: str, argument: Node) -> _Dimension:
        inner = self._dimension(argument)
        if function == "abs":
            return inner
        if function == "sqrt":
            return _times(_ONE, inner, Fraction(1, 2))
        self._equate(inner, _ONE, f"{function} is taken of {_short(argument)} ({{}}), not of a pure number")
        return _ONE

    def _power(self, base: Node, exponent: Node) -> _Dimension:
        value = _constant(exponent)
        inner = self._dimension(base)
        if value is not None:
            return _times(_ONE, inner, value)
        self._equate(
            self._dimension(exponent), _ONE, f"the exponent {_short(exponent)} is {{}}, not a pure number"
        )
        self._equate(inner, _ONE, f"{_short(base)} ({{}}) is raised to a power that is not a fixed number")
        return _ONE

    def _resolve(self, dimension: _Dimension) -> _Dimension:
        resolved = _Dimension(dimension.known, {})
        for unknown, exponent in dimension.unknown.items():
            value = self._solved.get(unknown) or _Dimension({}, {unknown: Fraction(1)})
            resolved = _times(resolved, value, exponent)
        return resolved

    def _equate(self, a: _Dimension, b: _Dimension, sentence: str) -> None:
        a, b = self._resolve(a), self._resolve(b)
        difference = _times(a, b, Fraction(-1))
        if not difference.unknown:
            if difference.known:
                shown = (unit_text(side.known) if not side.unknown else "another unit" for side in (a, b))
                raise _InconsistentError(sentence.format(*shown))
            return
        unknown, coefficient = next(iter(difference.unknown.items()))
        rest = {name: value for name, value in difference.unknown.items() if name != unknown}
        value = _times(_ONE, _Dimension(difference.known, rest), -1 / coefficient)
        self._solved[unknown] = value
        self._solved = {name: self._resolve(solved) for name, solved in self._solved.items()}


def _constant(node: Node) -> Fraction | None:
    match node:
        case Number(value):
            return Fraction(value).limit_denominator(64)
        case Negate(Number(value)):
            return -Fraction(value).limit_denominator(64)
        case Binary("/", Number(above), Number(below)) if below:
            return (Fraction(above) / Fraction(below)).limit_denominator(64)
        case _:
            return None


def _short(node: Node) -> str:
    # Braces would be read by str.format; the grammar has none.
    text = show(node)
    return text if len(text) <= 32 else text[:29] + "..."
