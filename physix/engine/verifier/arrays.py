"""Expressions over whole arrays, for what is computed at many points and many constants at once.

`compile` serves `odeint`, one state at a time and bit for bit; here a few last bits do not matter,
and a value that is undefined is NaN or infinite instead of an exception.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.functions import FUNCTIONS
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Equation,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    children,
    walk,
    with_operands,
)

Values = Mapping[str, FloatArray | float]


def evaluate_arrays(node: Node, values: Values) -> FloatArray | float:
    """Return the value of an expression, broadcast over the arrays that its names stand for.

    Call it within `np.errstate(all="ignore")`: undefined points are NaN or infinite, without a warning.
    """
    if isinstance(node, Name):
        return math.pi if node.name == "pi" else values[node.name]
    if isinstance(node, Number):
        return np.float64(node.value)
    if isinstance(node, Binary):
        return _apply(node.operator, evaluate_arrays(node.left, values), evaluate_arrays(node.right, values))
    if isinstance(node, Negate):
        return -evaluate_arrays(node.operand, values)
    if isinstance(node, Call):
        return FUNCTIONS[node.function].array(evaluate_arrays(node.argument, values))
    left, right = evaluate_arrays(node.left, values), evaluate_arrays(node.right, values)
    return FUNCTIONS[node.function].array(left, right)


def _apply(operator: str, a: FloatArray | float, b: FloatArray | float) -> FloatArray | float:
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return np.divide(a, b)
        case _:
            return np.power(a, b)


def names_in(node: Node) -> set[str]:
    """Return every name in an expression."""
    return {inner.name for inner in walk(node) if isinstance(inner, Name)}


def _degree(node: Node, unknown: frozenset[str]) -> int:
    """Return 0 where no unknown occurs, 1 where the expression is affine in all together, else 2."""
    match node:
        case Name(name):
            return int(name in unknown)
        case Negate(operand):
            return _degree(operand, unknown)
        case Binary("+" | "-", left, right):
            return max(_degree(left, unknown), _degree(right, unknown))
        case Binary("*", left, right):
            return min(2, _degree(left, unknown) + _degree(right, unknown))
        case Binary("/", left, right):
            return 2 if _degree(right, unknown) else _degree(left, unknown)
        case _:
            return 2 if any(_degree(child, unknown) for child in children(node)) else 0


def linear_names(equations: Sequence[Equation], names: Sequence[str]) -> list[str]:
    """Return some of `names`, as many as a greedy choice finds, in which every equation is jointly affine."""
    best: list[str] = []
    for order in (names, names[::-1]):
        chosen: list[str] = []
        for name in order:
            unknown = frozenset([*chosen, name])
            if all(_degree(equation.expression, unknown) < 2 for equation in equations):
                chosen.append(name)
        if len(chosen) > len(best):
            best = [name for name in names if name in chosen]
    return best


@dataclass(frozen=True, slots=True)
class Scales:
    """Finds how large constants must roughly be for each equation to be as large as it is."""

    values: Values  # of everything but the constants
    names: frozenset[str]

    def of(self, equations: Sequence[Equation], sizes: Sequence[float]) -> dict[str, float]:
        """Return a positive magnitude for each constant that occurs.

        Args:
            equations: whose right-hand sides hold the constants.
            sizes: how large each right-hand side is, in its own unit.
        """
        found: dict[str, float] = {}
        for equation, size in zip(equations, sizes, strict=True):
            self._ask(equation.expression, size, found)
        return {name: size if 0.0 < size < math.inf else 1.0 for name, size in found.items()}

    def _known(self, node: Node) -> float | None:
        """Return how large an expression is, None if that depends on the constants."""
        if names_in(node) & self.names:
            return None
        size = np.abs(evaluate_arrays(node, self.values))
        size = size[np.isfinite(size)] if np.ndim(size) else size
        return float(np.sqrt(np.mean(np.square(size)))) if np.size(size) else None

    def _ask(self, node: Node, size: float, found: dict[str, float]) -> None:
        """Note what the constants below a node must be for the node to have that size."""
        match node:
            case Name(name):
                if name in self.names:
                    found.setdefault(name, size)
            case Negate(operand):
                self._ask(operand, size, found)
            case Call("abs", argument):
                self._ask(argument, size, found)
            case Call("sqrt", argument):
                self._ask(argument, size**2, found)
            case Call(_, argument):
                # Arguments of other functions are pure numbers, of order one where the function bends.
                self._ask(argument, 1.0, found)
            case Extremum(_, left, right):
                self._ask_operands("+", left, right, size, found)
            case Binary(operator, left, right):
                self._ask_operands(operator, left, right, size, found)

    def _ask_operands(
        self, operator: str, left: Node, right: Node, size: float, found: dict[str, float]
    ) -> None:
        a, b = self._known(left), self._known(right)
        match operator:
            case "+" | "-":
                # What is added to something known is about as large as that.
                self._ask(left, b or size, found)
                self._ask(right, a or size, found)
            case "*":
                self._ask(left, size / b if b else size, found)
                self._ask(right, size / a if a else (size if a == 0.0 else 1.0), found)
            case "/":
                self._ask(left, size * b if b else size, found)
                self._ask(right, a / size if a and size else 1.0, found)
            case _:
                root = size ** (1.0 / right.value) if isinstance(right, Number) and right.value else 1.0
                self._ask(left, root, found)
                self._ask(right, 1.0, found)


def with_free_literals(equations: Sequence[Equation]) -> tuple[tuple[Equation, ...], dict[str, float]]:
    """Return the equations with every number that is no exponent turned into a name, and their values."""
    values: dict[str, float] = {}

    def freed(node: Node) -> Node:
        match node:
            case Number(value):
                name = f"#{len(values)}"  # no name that a text can hold
                values[name] = value
                return Name(name)
            case Binary("**", left, right):
                return Binary("**", freed(left), right)
            case _:
                return with_operands(node, freed)

    return tuple(replace(e, expression=freed(e.expression)) for e in equations), values
