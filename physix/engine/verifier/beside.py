"""A found law beside the true one, constant by constant. Tells of the truth: for ended episodes only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from physix.engine.verifier.arrays import evaluate_arrays, names_in
from physix.engine.verifier.defect import expanded
from physix.engine.verifier.latex import typeset
from physix.engine.verifier.tree import (
    Binary,
    Equation,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    with_operands,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """What a term is multiplied by in two laws; None where a law has no such term."""

    target: str  # the derivative it belongs to: "d2theta/dt2"
    form: str  # the term without its constant, source in the grammar: "sin(theta)"
    latex: str  # the form, typeset
    true: float | None
    found: float | None
    percent: float | None  # by how much `found` is off, of the true size; None unless both are there


@dataclass(frozen=True, slots=True)
class _Part:
    """`factor * form`, the form free of outer constants; None for the form 1."""

    factor: float
    form: Node | None


def constants_beside(found: ParsedHypothesis | None, true: ParsedHypothesis) -> tuple[Coefficient, ...]:
    """Pair the constants of two laws by what they multiply, products of sums multiplied out.

    The terms of the true law come first, in its order, then what only the found law has. Params are
    put in by value, so `-(g/L)*sin(theta)` and `-w*sin(theta)` differ in one number. A number within
    a function belongs to the form: `sin(2*t)` and `sin(3*t)` are two terms.

    Args:
        found: None, or a law that did not parse, leaves every true constant alone.
        true: over the same variables.
    """
    rows = []
    for equation in true.equations:
        there = _sums(equation, true.params)
        own = [e for e in (found.equations if found else ()) if e.target == equation.target]
        here = _sums(own[0], found.params) if found and own else {}
        for key in [*there, *(key for key in here if key not in there)]:
            form = (there.get(key) or here[key]).form
            a, b = (side[key].factor if key in side else None for side in (there, here))
            rows.append(
                Coefficient(
                    target=equation.target,
                    form=key,
                    latex=typeset(form, true) if form is not None else "1",
                    true=a,
                    found=b,
                    percent=_percent(b, a),
                )
            )
    return tuple(rows)


def _percent(found: float | None, true: float | None) -> float | None:
    if found is None or true is None or true == 0.0:
        return None
    return 100.0 * (found - true) / true


def _sums(equation: Equation, params: Mapping[str, float]) -> dict[str, _Part]:
    """Return the factors of an equation by form; terms of one form are added up."""
    sums: dict[str, _Part] = {}
    for negative, node in expanded(equation.expression):
        part = _split(node, params)
        key = show(part.form) if part.form is not None else "1"
        before = sums[key].factor if key in sums else 0.0
        sums[key] = _Part(before + (-part.factor if negative else part.factor), part.form)
    return {key: part for key, part in sums.items() if math.isfinite(part.factor)}


def _split(node: Node, params: Mapping[str, float]) -> _Part:
    """Return a term as a number times a form."""
    factor, above, below = _factors(node, params)
    return _Part(factor, _product(above, below))


def _factors(node: Node, params: Mapping[str, float]) -> tuple[float, list[Node], list[Node]]:
    """Return the number, the factors above the line and those below it."""
    value = _value(node, params)
    if value is not None:
        return value, [], []
    match node:
        case Negate(operand):
            factor, above, below = _factors(operand, params)
            return -factor, above, below
        case Binary("*", left, right):
            a, b = _factors(left, params), _factors(right, params)
            return a[0] * b[0], a[1] + b[1], a[2] + b[2]
        case Binary("/", left, right):
            a, b = _factors(left, params), _factors(right, params)
            return a[0] / b[0] if b[0] else math.inf, a[1] + b[2], a[2] + b[1]
        case _:
            return 1.0, [_by_value(node, params)], []


def _value(node: Node, params: Mapping[str, float]) -> float | None:
    """Return what a node of numbers and params comes to; None if it holds anything that moves."""
    if not names_in(node) <= {*params, "pi"}:
        return None
    with np.errstate(all="ignore"):
        value = float(evaluate_arrays(node, params))
    return value if math.isfinite(value) else None


def _by_value(node: Node, params: Mapping[str, float]) -> Node:
    """Return the node with its constants put in as numbers of four figures."""
    value = _value(node, params)
    if value is not None:
        number = Number(abs(float(f"{value:.4g}")))
        return Negate(number) if value < 0 else number
    return with_operands(node, lambda operand: _by_value(operand, params))


def _product(above: Sequence[Node], below: Sequence[Node]) -> Node | None:
    """Return the factors as one node, in an order of their own, so that `y*x` is `x*y`."""
    over = _times(above)
    under = _times(below)
    if under is None:
        return over
    return Binary("/", over or Number(1.0), under)


def _times(factors: Sequence[Node]) -> Node | None:
    powers: dict[str, tuple[Node, int]] = {}
    for node in factors:
        base, power = _power(node)
        before = powers.get(show(base), (base, 0))[1]
        powers[show(base)] = (base, before + power)
    made: Node | None = None
    for _, (base, power) in sorted(powers.items()):
        node = base if power == 1 else Binary("**", base, Number(float(power)))
        made = node if made is None else Binary("*", made, node)
    return made


def _power(node: Node) -> tuple[Node, int]:
    match node:
        case Binary("**", base, Number(value)) if value == int(value) and 0 < value < 10:
            return base, int(value)
        case _:
            return node, 1
