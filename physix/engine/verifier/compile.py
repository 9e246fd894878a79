"""From a parsed hypothesis to plain Python functions over `math`.

The generated source is made from our own tree only, with every number passed in as an
argument, so that texts of the same structure share the compiled functions: `evaluate` for single
points, and `bind`, which makes the callback that `odeint` calls hundreds of times. What that
callback costs is what a verification costs, hence its shape: numbers in closure cells, the
derivative written through a memoryview into an array that `odeint` copies from (a quarter faster
than returning a list), evaluations counted by an iterator that runs out, and no call of ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.verifier.functions import FUNCTIONS
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    walk,
)

Inputs = Callable[[float], Sequence[float]]  # from a time to the task's inputs, in their order
Callback = Callable[[FloatArray, float], FloatArray]
Field = Callable[
    [Sequence[Sequence[float]], Sequence[float], Sequence[float], Sequence[Sequence[float]] | None],
    list[list[float]],
]
Bind = Callable[[Sequence[float], memoryview, FloatArray, Iterator[int], Inputs | None], Callback]


class Evaluate(Protocol):
    """From a state, a time, the constants, and the inputs where the law reads any, to the derivatives."""

    def __call__(
        self,
        state: Sequence[float],
        t: float,
        constants: Sequence[float],
        inputs: Sequence[float] | None = None,
        /,
    ) -> list[float]:
        """Return the derivatives, shape (D,)."""
        ...


UNDEFINED = (ValueError, ZeroDivisionError, OverflowError)  # what `math` raises outside a domain
_NAMESPACE = {
    "__builtins__": {},
    "next": next,
    "zip": zip,
    **{f"_{name}": function.scalar for name, function in FUNCTIONS.items()},
    "_pow": math.pow,
    "_pi": math.pi,
}
_EVALUATE = """\
def generated(s, t, c, u=None):
    {states} = s
    {given} = u
    {unpack}
    return [{listed}]
"""
_FIELD = """\
def generated(rows, times, c, us=None):
    {unpack}
    return [[{listed}] for ({states}), t{and_given} in zip(rows, times{and_us})]
"""
_BIND = """\
def generated(c, out, result, evaluations, inputs):
    {unpack}
    def rhs(y, t):
        next(evaluations)
        {states} = y.tolist()
        {given} = inputs(t)
        {written}
        return result
    return rhs
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A right-hand side with its numbers taken out."""

    derivatives: tuple[str, ...]  # as Python; equal for laws that differ in numbers only
    constants: tuple[float, ...]
    params: dict[str, int]  # where each param stands in `constants`
    literals: tuple[int, ...]  # where the literals stand that are no exponents
    inputs: int = 0  # how many inputs a call must be given; 0 where the law reads none
    named_exponents: bool = False  # some exponent holds a name

    @property
    def evaluate(self) -> Evaluate:
        """`evaluate(state, t, constants, inputs)` returns the derivatives, or raises one of UNDEFINED."""
        evaluate: Evaluate = self._compiled(_EVALUATE)
        return evaluate

    def field(
        self,
        states: Sequence[Sequence[float]],
        times: Sequence[float],
        inputs: Sequence[Sequence[float]] | None = None,
    ) -> list[list[float]]:
        """Return the derivatives at many points at once, or raise one of UNDEFINED.

        Args:
            states: N states of D numbers.
            times: N times.
            inputs: N rows of the task's inputs, where the law reads any.
        """
        field: Field = self._compiled(_FIELD)
        return field(states, times, self.constants, inputs)

    def callback(self, evaluations: Iterator[int], inputs: Inputs | None = None) -> Callback:
        """Return what `odeint` calls.

        It raises one of UNDEFINED, or StopIteration once `evaluations` has run out, and reuses
        the array that it returns. `inputs` gives the task's inputs at any time; a law that reads
        none never calls it.

        Raises:
            TypeError: the law reads inputs and none are given.
        """
        if self.inputs and inputs is None:
            # Left to the callback this would look like a law outside its domain.
            raise TypeError("the law reads inputs, and no inputs were given")
        bind: Bind = self._compiled(_BIND)
        result = np.empty(len(self.derivatives))
        return bind(self.constants, result.data, result, evaluations, inputs)

    def _compiled(self, template: str) -> Any:
        return _compile(template, len(self.constants), self.derivatives, self.inputs)


def program(parsed: ParsedHypothesis) -> Program:
    """Return the right-hand side; laws that differ in numbers only share their compiled functions."""
    writer = _Writer(parsed)
    derivatives = writer.derivatives()
    given = {v.name for v in parsed.inputs}
    reads = given and any(
        isinstance(node, Name) and node.name in given for e in parsed.equations for node in walk(e.expression)
    )
    return Program(
        derivatives,
        tuple(writer.constants),
        writer.params,
        tuple(writer.literals),
        inputs=len(given) if reads else 0,
        named_exponents=writer.named_exponents,
    )


def evaluate(
    parsed: ParsedHypothesis, state: Sequence[float], t: float, inputs: Sequence[float] | None = None
) -> list[float]:
    """Return the derivative of every state variable, shape (D,), at one state.

    Raises:
        ValueError, ZeroDivisionError, OverflowError: the state is outside the domain.
        TypeError: the law reads inputs and none are given.
    """
    compiled = program(parsed)
    return compiled.evaluate(state, t, compiled.constants, inputs)


class _Writer:
    """Writes expressions as Python, collecting numbers into slots."""

    def __init__(self, parsed: ParsedHypothesis) -> None:
        self._parsed = parsed
        self._columns = {v.name: f"s{i}" for i, v in enumerate(parsed.variables)}
        self._columns |= {v.name: f"u{i}" for i, v in enumerate(parsed.inputs)}
        self._in_exponent = 0
        self.constants: list[float] = []
        self.params: dict[str, int] = {}
        self.literals: list[int] = []
        self.named_exponents = False

    def derivatives(self) -> tuple[str, ...]:
        """Return one Python expression for the derivative of each state variable."""
        written = {e.variable: self.write(e.expression) for e in self._parsed.equations}
        rates = {v.rate_of: self._columns[v.name] for v in self._parsed.variables if v.rate_of is not None}
        return tuple(
            written[v.rate_of] if v.rate_of is not None else rates.get(v.name) or written[v.name]
            for v in self._parsed.variables
        )

    def write(self, node: Node) -> str:
        if isinstance(node, Binary):
            if node.operator == "**":
                return self._power(node.left, node.right)
            return f"({self.write(node.left)} {node.operator} {self.write(node.right)})"
        if isinstance(node, Name):
            return self._name(node.name)
        if isinstance(node, Number):
            if not self._in_exponent:
                self.literals.append(len(self.constants))
            return self._slot(node.value)
        if isinstance(node, Negate):
            return f"(-{self.write(node.operand)})"
        if isinstance(node, Call):
            return f"_{node.function}({self.write(node.argument)})"
        return f"_{node.function}({self.write(node.left)}, {self.write(node.right)})"

    def _name(self, name: str) -> str:
        if self._in_exponent:
            self.named_exponents = True
        if name == "t":
            return "t"
        return "_pi" if name == "pi" else self._columns.get(name) or self._param(name)

    def _power(self, left: Node, right: Node) -> str:
        base = self.write(left)
        # Products are exact where pow may differ in the last bit, and several times faster;
        # only for a name, as anything else would be evaluated once per factor.
        if isinstance(right, Number) and right.value in (2.0, 3.0, 4.0) and isinstance(left, Name):
            return "(" + " * ".join([base] * int(right.value)) + ")"
        self._in_exponent += 1
        exponent = self.write(right)
        self._in_exponent -= 1
        return f"_pow({base}, {exponent})"

    def _slot(self, value: float) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def _param(self, name: str) -> str:
        if name in self.params:
            return f"c{self.params[name]}"
        self.params[name] = len(self.constants)
        return self._slot(self._parsed.params[name])


def forget_compiled() -> None:
    """Empty the cache of compiled functions; results never depend on it."""
    _compile.cache_clear()


@lru_cache(maxsize=8)
def _without_inputs(template: str) -> str:
    """Return the template of laws that read no inputs, which need not be asked for any."""
    return re.sub(r" *\{given\} = .*\n", "", template)


@lru_cache(maxsize=2048)
def _compile(template: str, constants: int, derivatives: tuple[str, ...], inputs: int) -> Any:
    """Return the function that a template defines; which that is, the caller says."""
    given = "".join(f"u{i}, " for i in range(inputs))
    source = (template if inputs else _without_inputs(template)).format(
        given=given,
        and_given=f", ({given})" if inputs else "",
        and_us=", us" if inputs else "",
        states="".join(f"s{i}, " for i in range(len(derivatives))),
        unpack="".join(f"c{i}, " for i in range(constants)) + "= c" if constants else "pass",
        listed=", ".join(derivatives),
        written="; ".join(f"out[{i}] = {derivative}" for i, derivative in enumerate(derivatives)),
    )
    namespace: dict[str, Any] = dict(_NAMESPACE)
    exec(compile(source, "<hypothesis>", "exec"), namespace)  # noqa: S102  # written by _Writer alone
    return namespace["generated"]
