"""The parsed form of an expression, and what can be read off it. Immutable values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from physix.engine.systems.targets import left_side
from physix.engine.systems.task import InputVariable, StateVariable

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_UNARY = 3
_ATOM = 5


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; never negative, as the sign is an operator."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A state variable, an input, `t`, `pi` or a param."""

    name: str


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`, the operator one of + - * / **."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one argument applied to it."""

    function: str
    argument: Node


@dataclass(frozen=True, slots=True)
class Extremum:
    """`min(left, right)` or `max(left, right)`."""

    function: str
    left: Node
    right: Node


Node = Number | Name | Negate | Binary | Call | Extremum


@dataclass(frozen=True, slots=True)
class Equation:
    """`target = expression`, where target is written as in the grammar."""

    variable: str
    order: int  # 1 or 2
    expression: Node

    @property
    def target(self) -> str:
        """`d2y/dt2` or `dx/dt`."""
        return left_side(self.variable, self.order)


@dataclass(frozen=True, slots=True)
class ParsedHypothesis:
    """A hypothesis that parsed: one equation per second- or first-order variable, in task order."""

    equations: tuple[Equation, ...]
    params: dict[str, float]
    variables: tuple[StateVariable, ...]
    inputs: tuple[InputVariable, ...] = ()
    free: tuple[str, ...] = ()  # params that are to be fitted; `params` holds 1.0 for them

    @property
    def operators(self) -> int:
        """Operators and functions over all equations: the complexity that is scored."""
        return sum(_operators(equation.expression) for equation in self.equations)

    @property
    def canonical(self) -> str:
        """The text of which parsing returns this very form."""
        return "; ".join(f"{e.target} = {show(e.expression)}" for e in self.equations)


def _operators(node: Node) -> int:
    if isinstance(node, Binary | Extremum):
        return 1 + _operators(node.left) + _operators(node.right)
    if isinstance(node, Negate):
        return 1 + _operators(node.operand)
    return 1 + _operators(node.argument) if isinstance(node, Call) else 0


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct operands of a node, left to right."""
    if isinstance(node, Binary | Extremum):
        return (node.left, node.right)
    if isinstance(node, Negate):
        return (node.operand,)
    return (node.argument,) if isinstance(node, Call) else ()


def with_operands(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return the node with every direct operand changed; a name or a number as it is."""
    match node:
        case Negate(operand):
            return Negate(change(operand))
        case Binary(operator, left, right):
            return Binary(operator, change(left), change(right))
        case Call(function, argument):
            return Call(function, change(argument))
        case Extremum(function, left, right):
            return Extremum(function, change(left), change(right))
        case Number() | Name():
            return node


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it, operands left to right."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)[::-1]


def precedence(node: Node) -> int:
    """Return how tightly a node binds; a looser operand needs parentheses."""
    if isinstance(node, Binary):
        return _PRECEDENCE[node.operator]
    return _UNARY if isinstance(node, Negate) else _ATOM


def number_text(value: float) -> str:
    """Return the shortest text that reads back as the same float, without a useless `.0`."""
    text = repr(value)
    return text[:-2] if text.endswith(".0") else text


def show(node: Node) -> str:
    """Return canonical source text; parsing it gives the same tree."""
    # No `match`: taking a node apart by a pattern costs three times as much, and every report shows all.
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Number):
        return number_text(node.value)
    if isinstance(node, Binary):
        return _shown(node)
    if isinstance(node, Negate):
        return "-" + _within(node.operand, _UNARY)
    if isinstance(node, Call):
        return f"{node.function}({show(node.argument)})"
    return f"{node.function}({show(node.left)}, {show(node.right)})"


def _shown(node: Binary) -> str:
    operator = node.operator
    if operator == "**":
        # Right-associative, and an exponent may carry a sign without parentheses.
        return f"{_within(node.left, _ATOM)}**{_within(node.right, _UNARY)}"
    own = _PRECEDENCE[operator]
    gap = " " if own == 1 else ""
    return f"{_within(node.left, own)}{gap}{operator}{gap}{_within(node.right, own + 1)}"


def _within(node: Node, at_least: int) -> str:
    text = show(node)
    return text if precedence(node) >= at_least else f"({text})"


def summands(node: Node, *, negative: bool = False) -> Iterator[tuple[bool, Node]]:
    """Yield (negative, term) for each top-level summand of an expression."""
    if isinstance(node, Binary) and node.operator in ("+", "-"):
        yield from summands(node.left, negative=negative)
        yield from summands(node.right, negative=negative ^ (node.operator == "-"))
    elif isinstance(node, Negate):
        yield from summands(node.operand, negative=not negative)
    else:
        # `-k*x` parses as (-k)*x: for a reader the sign belongs to the term.
        stripped = _without_leading_minus(node)
        yield (negative, node) if stripped is None else (not negative, stripped)


def _without_leading_minus(node: Node) -> Node | None:
    if not isinstance(node, Binary) or node.operator not in ("*", "/"):
        return None
    left = node.left
    inner = left.operand if isinstance(left, Negate) else _without_leading_minus(left)
    return None if inner is None else Binary(node.operator, inner, node.right)
