"""An equation that holds a derivative anywhere, solved for it: `m*x'' + k*x = 0` is `x'' = -(k*x)/m`."""

from __future__ import annotations

from collections.abc import Mapping

from physix.engine.verifier.tree import (
    Binary,
    Call,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    walk,
)

MAX_NODES = 256  # of a law after its helper lines have been put in
Part = Node | None  # None is zero


class UnreadableError(ValueError):
    """A text is no equation, or could be more than one; says what is in the way."""


class UnsolvableError(UnreadableError):
    """The derivative does not stand in the equation linearly, or not at all."""


def solve(left: Node, right: Node, derivative: str) -> Node:
    """Return what a derivative equals, from an equation that is linear in it.

    Raises:
        UnsolvableError: it is not, or the derivative falls out.
    """
    if not _holds(left, derivative):
        left, right = right, left
    if left == Name(derivative) and not _holds(right, derivative):
        return right
    factor_left, rest_left = _linear(left, derivative)
    factor_right, rest_right = _linear(right, derivative)
    factor = _less(factor_left, factor_right)
    rest = _less(rest_right, rest_left) or Number(0.0)
    if factor is None or factor == Number(0.0):
        raise UnsolvableError(f"{derivative} falls out of the equation")
    if factor == Number(1.0):
        return rest
    if factor == Negate(Number(1.0)):
        return Negate(rest)
    return Binary("/", rest, factor)


def substitute(node: Node, values: Mapping[str, Node]) -> Node:
    """Return the expression with names replaced by what they stand for, again in their own definitions.

    Raises:
        UnsolvableError: the definitions go in a circle, or the result has more than 256 nodes.
    """
    return _Substitution(values).of(node, 0)


class _Substitution:
    def __init__(self, values: Mapping[str, Node]) -> None:
        self._values = values
        self._nodes = 0

    def of(self, node: Node, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > len(self._values):
            raise UnsolvableError("definitions without end")
        match node:
            case Name(name) if name in self._values:
                return self.of(self._values[name], depth + 1)
            case Negate(operand):
                return Negate(self.of(operand, depth))
            case Call(function, argument):
                return Call(function, self.of(argument, depth))
            case Binary(operator, left, right):
                return Binary(operator, self.of(left, depth), self.of(right, depth))
            case Extremum(function, left, right):
                return Extremum(function, self.of(left, depth), self.of(right, depth))
            case _:
                return node


def _holds(node: Node, name: str) -> bool:
    return any(one == Name(name) for one in walk(node))


def _linear(node: Node, name: str) -> tuple[Part, Part]:
    """Return (factor, rest) of an expression that is factor*name + rest."""
    if node == Name(name):
        return Number(1.0), None
    if node == Number(0.0):
        return None, None
    if not _holds(node, name):
        return None, node
    match node:
        case Negate(operand):
            factor, rest = _linear(operand, name)
            return _negative(factor), _negative(rest)
        case Binary("+" | "-" as operator, left, right):
            (a, b), (c, d) = _linear(left, name), _linear(right, name)
            return (_plus(a, c), _plus(b, d)) if operator == "+" else (_less(a, c), _less(b, d))
        case Binary("*", left, right) if not _holds(right, name):
            factor, rest = _linear(left, name)
            return _times(factor, right), _times(rest, right)
        case Binary("*", left, right) if not _holds(left, name):
            factor, rest = _linear(right, name)
            return _times(left, factor), _times(left, rest)
        case Binary("/", left, right) if not _holds(right, name):
            factor, rest = _linear(left, name)
            return _over(factor, right), _over(rest, right)
        case _:
            raise UnsolvableError(f"{name} does not stand in the equation linearly")


def _negative(part: Part) -> Part:
    match part:
        case None:
            return None
        case Negate(operand):
            return operand
        case _:
            return Negate(part)


def _plus(a: Part, b: Part) -> Part:
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value + b.value)
    return Binary("+", a, b)


def _less(a: Part, b: Part) -> Part:
    if b is None:
        return a
    if a is None:
        return _negative(b)
    if a == b:
        return None
    return Binary("-", a, b)


def _times(a: Part, b: Part) -> Part:
    if a is None or b is None:
        return None
    if a == Number(1.0):
        return b
    return a if b == Number(1.0) else Binary("*", a, b)


def _over(a: Part, b: Node) -> Part:
    return None if a is None else Binary("/", a, b)
