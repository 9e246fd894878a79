"""Dimensional analysis: the units of params are unknowns that the equations must allow.

A dimension is a product of base units with rational exponents, some factors of which may be
unknown. Equating two dimensions gives one linear equation; exact elimination over fractions
either solves for an unknown or finds the contradiction.

A logarithm of something with a unit is no number by itself, yet log(x) - log(y) is one, log(x/y). So
every expression carries two dimensions: its unit, and the unit `inside` its logarithms, which adds up
along sums and must have cancelled wherever a plain quantity is wanted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from physix.engine.verifier.compile import Program
from physix.engine.verifier.functions import FUNCTIONS
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    walk,
)
from physix.engine.verifier.types import CONSISTENT, UnitsVerdict
from physix.engine.verifier.unit_text import Exponents, parse_unit, shortest_unit, times, unit_text, whole
from physix.limits import MAX_NUMBER

_WORD = re.compile(r"[^\W\d_]+")
_UNKNOWN = "?"  # begins the name of a factor to solve for; no unit begins so


@dataclass(frozen=True, slots=True)
class UnitsReport:
    """The verdict, a sentence about it, and the unit each param must have."""

    verdict: UnitsVerdict
    message: str
    param_units: dict[str, str]


class _InconsistentError(Exception):
    """Two dimensions that must be equal cannot be; carries the sentence."""


def shortened(text: str) -> str:
    """Return an expression as sentences about units show it."""
    return text if len(text) <= 32 else text[:29] + "..."


def _short(node: Node) -> str:
    return shortened(show(node))


Shown = Callable[[Node], str]


def check_units(
    parsed: ParsedHypothesis,
    time_unit: str | None,
    compiled: Program | None = None,
    *,
    shown: Shown = _short,
) -> UnitsReport:
    """Return whether the equations are dimensionally consistent, solving for the units of params.

    `ok`: consistent with plain numbers; `literals`: only if a number carries a unit;
    `inconsistent`: not at all, the message naming the two sides; `undeclared`: the task has no units.

    Args:
        parsed: the law.
        time_unit: of the task; None: it has no units.
        compiled: what `program` makes of the law, where that is at hand: laws that differ only in numbers
            which have no say in units are then checked once.
        shown: how the message shows an expression.
    """
    if time_unit is None or None in _column_units(parsed).values():
        return UnitsReport("undeclared", "The data declares no units, so none were checked.", {})
    key = None if compiled is None else _alike(parsed, time_unit, compiled)
    known = _check(parsed, time_unit, shown) if key is None else _checked(_Alike(key, parsed, time_unit))
    if known.verdict == "ok":
        return replace(known, param_units={**known.param_units})
    # The sentence shows this law's own numbers.
    problem = known.message if key is None else _settled(parsed, time_unit, shown, free_literals=False)[1]
    if known.verdict == "literals":
        message = f"Consistent only if a number carries a unit: {problem}."
        return UnitsReport("literals", message, {**known.param_units})
    return UnitsReport("inconsistent", f"Units are inconsistent: {problem}.", {})


class _Alike:
    """A law, equal to every other one with the same key."""

    __slots__ = ("key", "parsed", "time_unit")

    def __init__(self, key: tuple[object, ...], parsed: ParsedHypothesis, time_unit: str) -> None:
        self.key, self.parsed, self.time_unit = key, parsed, time_unit

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self.key == other.key


@lru_cache(maxsize=2048)
def _checked(law: _Alike) -> UnitsReport:
    return _check(law.parsed, law.time_unit, _short)


def counts_numbers(compiled: Program) -> bool:
    """Tell whether units may depend on the values of numbers: exponents do not count, which shape a law."""
    return compiled.named_exponents or any("_log" in one for one in compiled.derivatives)


def _alike(parsed: ParsedHypothesis, time_unit: str | None, compiled: Program) -> tuple[object, ...] | None:
    """Return what laws share that have the same units; None where every number may have a say.

    Exponents do, and so do counts of logarithms. Of other numbers units only see whether they are zero.
    """
    if counts_numbers(compiled):
        return None
    plain = {*compiled.literals, *compiled.params.values()}
    numbers = tuple(value == 0.0 if at in plain else value for at, value in enumerate(compiled.constants))
    columns = tuple(_column_units(parsed).items())
    names = (*compiled.params.items(), *parsed.params, *parsed.free)
    return (compiled.derivatives, numbers, names, columns, time_unit)


def _check(parsed: ParsedHypothesis, time_unit: str, shown: Shown) -> UnitsReport:
    """Return the report, with what the first problem is for a message."""
    units, problem = _settled(parsed, time_unit, shown, free_literals=False)
    if units is not None:
        return UnitsReport("ok", CONSISTENT, units)
    units, _ = _settled(parsed, time_unit, shown, free_literals=True)
    return UnitsReport("inconsistent" if units is None else "literals", problem, units or {})


def _settled(
    parsed: ParsedHypothesis, time_unit: str, shown: Shown, *, free_literals: bool
) -> tuple[dict[str, str] | None, str]:
    """Return the units of params, and None with the problem where there are none."""
    solver = _Solver(parsed, time_unit, shown, free_literals=free_literals)
    try:
        for equation in parsed.equations:
            solver.equate_sides(equation.variable, equation.order, equation.target, equation.expression)
    except _InconsistentError as problem:
        return None, str(problem)
    return solver.units_of(parsed.params), ""


def _column_units(parsed: ParsedHypothesis) -> dict[str, str | None]:
    return {v.name: v.unit for v in parsed.variables} | {v.name: v.unit for v in parsed.inputs}


_ONE: Exponents = {}
_HALF = Fraction(1, 2)


class _Dimension(NamedTuple):
    unit: Exponents
    inside: Exponents = _ONE  # of the logarithms it sums up, see the module's words


class _Solver:
    def __init__(
        self, parsed: ParsedHypothesis, time_unit: str, shown: Shown, *, free_literals: bool
    ) -> None:
        self._shown = shown
        self._time = parse_unit(time_unit)
        units = _column_units(parsed)
        self._columns = {name: parse_unit(unit or "") for name, unit in units.items()}
        self._given = frozenset(word for unit in units.values() for word in _WORD.findall(unit or ""))
        self._values = {name: value for name, value in parsed.params.items() if name not in parsed.free}
        self._free = frozenset(parsed.free)
        self._free_literals = free_literals
        self._fresh = 0
        self._solved: dict[str, Exponents] = {}

    def equate_sides(self, variable: str, order: int, target: str, expression: Node) -> None:
        left = times(self._columns[variable], self._time, -order)
        right = self._plain(expression)
        self._equate(left, right, lambda a, b: f"{target} is {a}, but {self._shown(expression)} is {b}")

    def units_of(self, params: Mapping[str, float]) -> dict[str, str]:
        resolved = {name: self._resolve({_UNKNOWN + name: 1}) for name in params}
        return {
            name: shortest_unit(unit, self._given) for name, unit in resolved.items() if not _unknowns(unit)
        }

    def _plain(self, node: Node) -> Exponents:
        """Return the unit of an expression that is no bare logarithm of something with a unit."""
        return self._settled(node, self._dimension(node))

    def _settled(self, node: Node, found: _Dimension) -> Exponents:
        if found.inside:
            self._equate(
                found.inside,
                _ONE,
                lambda a, _: f"{self._shown(node)} holds the logarithm of something in {a}",
            )
        return found.unit

    def _dimension(self, node: Node) -> _Dimension:
        if isinstance(node, Name):
            return _Dimension(self._name(node.name))
        if isinstance(node, Number):
            return _Dimension(self._literal(node.value))
        if isinstance(node, Binary):
            return self._binary(node)
        if isinstance(node, Negate):
            inner = self._dimension(node.operand)
            return _Dimension(inner.unit, times(_ONE, inner.inside, -1)) if inner.inside else inner
        if isinstance(node, Call):
            return self._call(node.function, node.argument)
        unit, function, left, right = self._plain(node.left), node.function, node.left, node.right
        self._equate(
            unit,
            self._plain(right),
            lambda a, b: f"{function} compares {self._shown(left)} ({a}) with {self._shown(right)} ({b})",
        )
        return _Dimension(unit)

    def _binary(self, node: Binary) -> _Dimension:
        left, right = node.left, node.right
        match node.operator:
            case "*":
                return self._product(left, right)
            case "/":
                return self._quotient(left, right)
            case "**":
                return _Dimension(self._power(left, right))
            case "+":
                return self._sum(
                    left,
                    right,
                    1,
                    lambda a, b: f"{self._shown(left)} ({a}) is added to {self._shown(right)} ({b})",
                )
            case _:
                return self._sum(
                    left,
                    right,
                    -1,
                    lambda a, b: f"{self._shown(right)} ({b}) is subtracted from {self._shown(left)} ({a})",
                )

    def _sum(self, left: Node, right: Node, sign: int, sentence: Callable[[str, str], str]) -> _Dimension:
        a, b = self._dimension(left), self._dimension(right)
        self._equate(a.unit, b.unit, sentence)
        if not a.inside and not b.inside:
            return a
        return _Dimension(a.unit, times(a.inside, b.inside, sign))

    def _product(self, left: Node, right: Node) -> _Dimension:
        a, b = self._dimension(left), self._dimension(right)
        unit = times(a.unit, b.unit)
        if not a.inside and not b.inside:
            return _Dimension(unit)
        # n*log(x) is log(x**n) where n is a number.
        count, one = (self._constant(left), b) if b.inside else (self._constant(right), a)
        if count is not None and not (a.inside and b.inside):
            return _Dimension(unit, times(_ONE, one.inside, count) if count else _ONE)
        return _Dimension(times(self._settled(left, a), self._settled(right, b)))

    def _quotient(self, above: Node, below: Node) -> _Dimension:
        a = self._dimension(above)
        unit = times(a.unit, self._plain(below), -1)
        if not a.inside:
            return _Dimension(unit)
        count = self._constant(below)
        if count:
            return _Dimension(unit, times(_ONE, a.inside, _over(1, count)))
        self._settled(above, a)
        return _Dimension(unit)

    def _name(self, name: str) -> Exponents:
        unit = self._columns.get(name)
        if unit is not None:
            return unit
        if name == "t":
            return self._time
        return _ONE if name == "pi" else {_UNKNOWN + name: 1}

    def _literal(self, value: float) -> Exponents:
        # Zero metres are zero seconds: `d2y/dt2 = 0` needs no unit.
        return _ONE if not self._free_literals and value != 0.0 else self._unknown()

    def _unknown(self) -> Exponents:
        self._fresh += 1
        # A space keeps this unknown apart from every param's name.
        return {f"{_UNKNOWN}fresh {self._fresh}": 1}

    def _call(self, function: str, argument: Node) -> _Dimension:
        rule = FUNCTIONS[function].units
        found = self._dimension(argument)
        if rule == "log":
            return _Dimension(_ONE, times(found.unit, _ONE))
        if rule == "exp":
            self._pure(function, argument, found.unit)
            return _Dimension(found.inside)
        unit = self._settled(argument, found)
        if rule == "same":
            return _Dimension(unit)
        if rule == "root":
            return _Dimension(times(_ONE, unit, _HALF))
        if rule == "pure":
            self._pure(function, argument, unit)
        return _Dimension(_ONE)

    def _pure(self, function: str, argument: Node, unit: Exponents) -> None:
        self._equate(
            unit,
            _ONE,
            lambda a, _: f"{function} is taken of {self._shown(argument)} ({a}), not of a pure number",
        )

    def _power(self, base: Node, exponent: Node) -> Exponents:
        value = self._constant(exponent)
        inner = self._plain(base)
        self._equate(
            self._plain(exponent),
            _ONE,
            lambda a, _: f"the exponent {self._shown(exponent)} is {a}, not a pure number",
        )
        if value is not None:
            return times(_ONE, inner, value) if value else _ONE
        if any(isinstance(n, Name) and n.name in self._free for n in walk(exponent)):
            # A constant that is still to be fitted: some unit to some power is some unit.
            return self._unknown() if self._resolve(inner) else _ONE
        self._equate(
            inner,
            _ONE,
            lambda a, _: f"{self._shown(base)} ({a}) is raised to a power that is not a fixed number",
        )
        return _ONE

    def _constant(self, node: Node) -> int | Fraction | None:
        """Return the value of an expression of numbers and known params alone, with a small denominator."""
        try:
            value = self._folded(node)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None
        if value is None or not abs(value) <= MAX_NUMBER:
            return None
        return int(value) if value.is_integer() else Fraction(value).limit_denominator(64)

    def _folded(self, node: Node) -> float | None:
        match node:
            case Number(value):
                return value
            case Name("pi"):
                return math.pi
            case Name(name):
                return self._values.get(name)
            case Negate(operand):
                inner = self._folded(operand)
                return None if inner is None else -inner
            case Call(function, argument):
                inner = self._folded(argument)
                return None if inner is None else FUNCTIONS[function].scalar(inner)
            case Binary(_, left, right) | Extremum(_, left, right):
                a, b = self._folded(left), self._folded(right)
                return None if a is None or b is None else _combined(node, a, b)

    def _resolve(self, unit: Exponents) -> Exponents:
        for unknown in _unknowns(unit):
            solution = self._solved.get(unknown)
            if solution is not None:
                exponent = unit[unknown]
                unit = times(times(unit, {unknown: exponent}, -1), solution, exponent)
        return unit

    def _equate(self, a: Exponents, b: Exponents, sentence: Callable[[str, str], str]) -> None:
        if a == b:
            return
        a, b = self._resolve(a), self._resolve(b)
        ratio = times(a, b, -1)
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


def _unknowns(unit: Exponents) -> list[str]:
    return [factor for factor in unit if factor[0] == _UNKNOWN]


def _side(unit: Exponents) -> str:
    return "another unit" if _unknowns(unit) else unit_text(unit)


def _over(a: int | Fraction, b: int | Fraction) -> int | Fraction:
    return whole(Fraction(a) / b)


def _combined(node: Binary | Extremum, a: float, b: float) -> float:
    match node:
        case Extremum(function, _, _):
            return FUNCTIONS[function].scalar(a, b)
        case Binary("+", _, _):
            return a + b
        case Binary("-", _, _):
            return a - b
        case Binary("*", _, _):
            return a * b
        case Binary("/", _, _):
            return a / b
        case _:
            return math.pow(a, b)
