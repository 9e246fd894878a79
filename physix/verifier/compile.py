"""From a parsed hypothesis to a plain Python function over `math`.

The generated source is made from our own tree only, with every number passed in as an
argument, so that texts of the same structure share one compiled function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from physix.verifier.tree import Binary, Call, Name, Negate, Node, Number, ParsedHypothesis
from physix.verifier.types import Outcome

FloatArray = NDArray[np.float64]
Evaluate = Callable[[Sequence[float], float, Sequence[float]], list[float]]

_NAMESPACE = {
    "__builtins__": {},
    "_sin": math.sin,
    "_cos": math.cos,
    "_tan": math.tan,
    "_exp": math.exp,
    "_log": math.log,
    "_sqrt": math.sqrt,
    "_abs": abs,
    "_pow": math.pow,
    "_pi": math.pi,
}


class CompiledRhs:
    """The right-hand side of one hypothesis, counting its evaluations.

    After the first failure every call returns NaN: `odeint` then runs on to the end of its
    grid, and each row before the failure is genuine (an exception would lose them all).
    """

    __slots__ = (
        "_calls_left",
        "_constants",
        "_dimension",
        "_evaluate",
        "calls",
        "failed_at",
        "failure",
        "last_state",
        "last_t",
    )

    def __init__(self, parsed: ParsedHypothesis, *, max_calls: int) -> None:
        compiled = program(parsed)
        self._evaluate = compiled.evaluate
        self._constants = compiled.constants
        self._dimension = len(parsed.variables)
        self._calls_left = max_calls
        self.calls = 0
        self.failure: Outcome | None = None
        self.failed_at: float | None = None
        # Where the last evaluation was: tells a blow-up from a stiff equation afterwards.
        self.last_state: list[float] = []
        self.last_t = math.nan

    def __call__(self, state: FloatArray, t: float) -> list[float]:
        """Return the derivative at one state, NaN from the first failure on."""
        if self.failure is None and self.calls < self._calls_left:
            self.calls += 1
            self.last_t = t
            values = self.last_state = state.tolist()
            try:
                return self._evaluate(values, t, self._constants)
            except ValueError:
                self._fail("domain_error", t)
            except ZeroDivisionError:
                self._fail("division_by_zero", t)
            except OverflowError:
                self._fail("overflow", t)
        elif self.failure is None:
            self._fail("budget_exhausted", t)
        return [math.nan] * self._dimension

    def _fail(self, outcome: Outcome, t: float) -> None:
        self.failure = outcome
        self.failed_at = t


@dataclass(frozen=True, slots=True)
class Program:
    """A right-hand side with its numbers taken out: `evaluate(state, t, constants)`.

    `evaluate` raises ValueError, ZeroDivisionError or OverflowError where it is undefined.
    """

    evaluate: Evaluate
    constants: tuple[float, ...]
    params: dict[str, int]  # where each param stands in `constants`
    literals: tuple[int, ...]  # where the literals stand that are no exponents


def program(parsed: ParsedHypothesis) -> Program:
    """Return the compiled right-hand side; laws that differ in numbers only share `evaluate`."""
    source, writer = _source(parsed)
    return Program(_compile(source), tuple(writer.constants), writer.params, tuple(writer.literals))


def evaluate(parsed: ParsedHypothesis, state: Sequence[float], t: float) -> list[float]:
    """Return the derivative of every state variable, shape (D,), at one state.

    Raises:
        ValueError, ZeroDivisionError, OverflowError: the state is outside the domain.
    """
    compiled = program(parsed)
    return compiled.evaluate(list(state), t, compiled.constants)


def _source(parsed: ParsedHypothesis) -> tuple[str, _Writer]:
    """Return Python source with every number replaced by `c[i]`, and the writer that has them."""
    writer = _Writer(parsed)
    derivatives = {e.variable: writer.write(e.expression) for e in parsed.equations}
    rates = {v.rate_of: f"s{i}" for i, v in enumerate(parsed.variables) if v.rate_of is not None}
    parts = []
    for variable in parsed.variables:
        if variable.rate_of is not None:
            parts.append(derivatives[variable.rate_of])
        else:
            parts.append(rates.get(variable.name) or derivatives[variable.name])
    states = ", ".join(f"s{i}" for i in range(len(parsed.variables)))
    names = ", ".join(f"c{i}" for i in range(len(writer.constants)))
    unpack = f"    {names}, = c\n" if writer.constants else ""
    return f"def rhs(s, t, c):\n    {states}, = s\n{unpack}    return [{', '.join(parts)}]\n", writer


class _Writer:
    """Writes expressions as Python, collecting numbers into slots."""

    def __init__(self, parsed: ParsedHypothesis) -> None:
        self._states = {v.name: f"s{i}" for i, v in enumerate(parsed.variables)}
        self._values = parsed.params
        self._in_exponent = 0
        self.constants: list[float] = []
        self.params: dict[str, int] = {}
        self.literals: list[int] = []

    def write(self, node: Node) -> str:
        match node:
            case Number(value):
                if not self._in_exponent:
                    self.literals.append(len(self.constants))
                return self._slot(value)
            case Name("t"):
                return "t"
            case Name("pi"):
                return "_pi"
            case Name(name):
                return self._states.get(name) or self._param(name)
            case Negate(operand):
                return f"(-{self.write(operand)})"
            case Call(function, argument):
                return f"_{function}({self.write(argument)})"
            case Binary("**", left, right):
                return self._power(left, right)
            case Binary(operator, left, right):
                return f"({self.write(left)} {operator} {self.write(right)})"

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
        return self._slot(self._values[name])


@lru_cache(maxsize=1024)
def _compile(source: str) -> Evaluate:
    namespace: dict[str, object] = dict(_NAMESPACE)
    exec(compile(source, "<hypothesis>", "exec"), namespace)  # noqa: S102  # written by _Writer alone
    return namespace["rhs"]  # type: ignore[return-value]  # defined by the line above
