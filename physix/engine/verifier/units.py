"""Dimensional analysis: the units of params are unknowns that the equations must allow.

A dimension is a product of base units with rational exponents, some factors of which may be
unknown. Equating two dimensions gives one linear equation; exact elimination over fractions
either solves for an unknown or finds the contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from physix.engine.systems.task import StateVariable
from physix.engine.verifier.tree import Binary, Call, Name, Negate, Node, Number, ParsedHypothesis, show
from physix.engine.verifier.types import CONSISTENT, UnitsVerdict

# Integers stay integers: fractions cost ten times as much and appear with roots only.
Exponents = Mapping[str, int | Fraction]
_UNKNOWN = "?"  # begins the name of a factor to solve for; no unit begins so

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
            return UnitsReport("ok", CONSISTENT, units)
        return UnitsReport("literals", f"Consistent only if a number carries a unit: {first_problem}.", units)
    return UnitsReport("inconsistent", f"Units are inconsistent: {first_problem}.", {})


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Exponents:
    """Return the exponents of a unit such as `kg*m/s**2`; an unknown word is its own base unit."""
    exponents: dict[str, int | Fraction] = {}
    for operator, word, power in re.findall(r"([*/·]?)\s*([^*/·^\s]+)(?:(?:\*\*|\^)(-?\d+))?", text):
        sign = -1 if operator == "/" else 1
        plain = re.fullmatch(r"([A-Za-zµ]+)(\d)", word)
        base, exponent = (plain[1], int(plain[2])) if plain else (word, int(power or 1))
        if base in _DIMENSIONLESS:
            continue
        for unit, inner in _DERIVED.get(base, {base: 1}).items():
            exponents[unit] = exponents.get(unit, 0) + sign * exponent * inner
    return {unit: exponent for unit, exponent in exponents.items() if exponent}


def unit_text(exponents: Exponents) -> str:
    """Return a unit as text, `m/s**2` or `1`."""
    above = [_power(unit, e) for unit, e in sorted(exponents.items()) if e > 0]
    below = [_power(unit, -e) for unit, e in sorted(exponents.items()) if e < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(unit: str, exponent: int | Fraction) -> str:
    if exponent == 1:
        return unit
    return f"{unit}**{exponent}" if exponent.denominator == 1 else f"{unit}**({exponent})"


def _times(a: Exponents, b: Exponents, power: int | Fraction = 1) -> Exponents:
    """Return a * b**power."""
    if not b:
        return a
    product = dict(a)
    for factor, exponent in b.items():
        total = product.get(factor, 0) + power * exponent
        if total:
            product[factor] = total
        else:
            product.pop(factor, None)
    return product


_ONE: Exponents = {}


class _Solver:
    def __init__(self, variables: tuple[StateVariable, ...], time_unit: str, *, free_literals: bool) -> None:
        self._time = parse_unit(time_unit)
        self._variables = {v.name: parse_unit(v.unit or "") for v in variables}
        self._free_literals = free_literals
        self._literals = 0
        self._solved: dict[str, Exponents] = {}

    def equate_sides(self, variable: str, order: int, target: str, expression: Node) -> None:
        left = _times(self._variables[variable], self._time, -order)
        right = self._dimension(expression)
        self._equate(left, right, lambda a, b: f"{target} is {a}, but {_short(expression)} is {b}")

    def units_of(self, params: Mapping[str, float]) -> dict[str, str]:
        resolved = {name: self._resolve({_UNKNOWN + name: 1}) for name in params}
        return {name: unit_text(unit) for name, unit in resolved.items() if not _unknowns(unit)}

    def _dimension(self, node: Node) -> Exponents:
        match node:
            case Name(name):
                return self._name(name)
            case Number(value):
                return self._literal(value)
            case Binary("*", left, right):
                return _times(self._dimension(left), self._dimension(right))
            case Binary("/", left, right):
                return _times(self._dimension(left), self._dimension(right), -1)
            case Binary("**", left, right):
                return self._power(left, right)
            case Binary("+", left, right):
                sides = self._dimension(left), self._dimension(right)
                self._equate(*sides, lambda a, b: f"{_short(left)} ({a}) is added to {_short(right)} ({b})")
                return sides[0]
            case Binary(_, left, right):
                sides = self._dimension(left), self._dimension(right)
                self._equate(
                    *sides, lambda a, b: f"{_short(right)} ({b}) is subtracted from {_short(left)} ({a})"
                )
                return sides[0]
            case Negate(operand):
                return self._dimension(operand)
            case Call(function, argument):
                return self._call(function, argument)

    def _name(self, name: str) -> Exponents:
        unit = self._variables.get(name)
        if unit is not None:
            return unit
        if name == "t":
            return self._time
        return _ONE if name == "pi" else {_UNKNOWN + name: 1}

    def _literal(self, value: float) -> Exponents:
        # Zero metres are zero seconds: `d2y/dt2 = 0` needs no unit.
        if not self._free_literals and value != 0.0:
            return _ONE
        self._literals += 1
        # A space keeps this unknown apart from every param's name.
        return {f"{_UNKNOWN}literal {self._literals}": 1}

    def _call(self, function: str, argument: Node) -> Exponents:
        inner = self._dimension(argument)
        if function == "abs":
            return inner
        if function == "sqrt":
            return _times(_ONE, inner, _HALF)
        self._equate(
            inner, _ONE, lambda a, _: f"{function} is taken of {_short(argument)} ({a}), not of a pure number"
        )
        return _ONE

    def _power(self, base: Node, exponent: Node) -> Exponents:
        value = _constant(exponent)
        inner = self._dimension(base)
        if value is not None:
            return _times(_ONE, inner, value) if value else _ONE
        self._equate(
            self._dimension(exponent),
            _ONE,
            lambda a, _: f"the exponent {_short(exponent)} is {a}, not a pure number",
        )
        self._equate(
            inner, _ONE, lambda a, _: f"{_short(base)} ({a}) is raised to a power that is not a fixed number"
        )
        return _ONE

    def _resolve(self, unit: Exponents) -> Exponents:
        for unknown in _unknowns(unit):
            solution = self._solved.get(unknown)
            if solution is not None:
                exponent = unit[unknown]
                unit = _times(_times(unit, {unknown: exponent}, -1), solution, exponent)
        return unit

    def _equate(self, a: Exponents, b: Exponents, sentence: Callable[[str, str], str]) -> None:
        if a == b:
            return
        a, b = self._resolve(a), self._resolve(b)
        ratio = _times(a, b, -1)
        if not ratio:
            return
        unknowns = _unknowns(ratio)
        if not unknowns:
            raise _InconsistentError(sentence(_side(a), _side(b)))
        pivot = unknowns[0]
        coefficient = ratio[pivot]
        rest = {factor: exponent for factor, exponent in ratio.items() if factor != pivot}
        self._solved[pivot] = {factor: _over(-exponent, coefficient) for factor, exponent in rest.items()}
        self._solved = {name: self._resolve(solution) for name, solution in self._solved.items()}


_HALF = Fraction(1, 2)


def _unknowns(unit: Exponents) -> list[str]:
    return [factor for factor in unit if factor[0] == _UNKNOWN]


def _side(unit: Exponents) -> str:
    return "another unit" if _unknowns(unit) else unit_text(unit)


def _over(a: int | Fraction, b: int | Fraction) -> int | Fraction:
    quotient = Fraction(a) / b
    return quotient.numerator if quotient.denominator == 1 else quotient


def _constant(node: Node) -> int | Fraction | None:
    match node:
        case Number(value):
            return int(value) if value.is_integer() else Fraction(value).limit_denominator(64)
        case Negate(operand):
            inner = _constant(operand)
            return None if inner is None else -inner
        case Binary("/", Number(above), Number(below)) if below:
            return (Fraction(above) / Fraction(below)).limit_denominator(64)
        case _:
            return None


def _short(node: Node) -> str:
    text = show(node)
    return text if len(text) <= 32 else text[:29] + "..."
