"""Laws as algebra, through SymPy: simpler forms, and whether two laws are the same. Never in the verdict.

SymPy gets our own tree, never text: it evaluates what it parses. It may still think for ever, or ask for
all memory there is (`9**9**9**9`), so it works in a process of its own, bounded in time and memory; giving
up is an answer. Names are real symbols: what a rate or a param stands for is not known here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from physix.engine.systems.task import StateVariable
from physix.engine.verifier.grammar import names_in, parse, stated
from physix.engine.verifier.latex import latex
from physix.engine.verifier.tree import (
    Binary,
    Call,
    Equation,
    Extremum,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    walk,
)
from physix.engine.verifier.types import Rejection
from physix.errors import BadInputError
from physix.limits import EXTENDED_FUNCTIONS, MAX_EQUATION_CHARACTERS, MAX_PARAMS

if TYPE_CHECKING:
    import sympy

TIMEOUT_S = 10.0
MEMORY_BYTES = 512 * 1024 * 1024  # beyond what the interpreter takes itself
_START_S = 20.0  # for the imports, on a machine that is busy with other things
_POINTS = 32
_DIGITS = 30

Sameness = Literal["same", "different", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simplified:
    """A law in the simplest form that was found; `gave_up`: it is as it was, for want of time or memory."""

    outcome: Literal["simplified", "unchanged", "gave_up"]
    equation: str
    latex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Whether two laws are the same function of the same names, and how that is known."""

    verdict: Sameness
    reason: str


def simplify(law: str, *, timeout_s: float = TIMEOUT_S) -> Simplified:
    """Return the law in a form with fewer operators, if SymPy finds one.

    Args:
        law: equations as the grammar has them; every name is a symbol, no params are needed.
        timeout_s: what the search may take.

    Raises:
        BadInputError: the text is no law; the message says where.
    """
    parsed = read_law(law)
    answer = _ask({"do": "simplify", "laws": [law]}, timeout_s)
    found = parsed if answer is None else read_law(answer["law"])
    outcome: Literal["simplified", "unchanged", "gave_up"] = "gave_up"
    if answer is not None:
        outcome = "simplified" if found.canonical != parsed.canonical else "unchanged"
    return Simplified(outcome=outcome, equation=found.canonical, latex=latex(found))


def same_law(first: str, second: str, *, timeout_s: float = TIMEOUT_S) -> Compared:
    """Tell whether two laws give the same derivatives wherever both are defined.

    They are `different` if they differ at a random point, `same` if SymPy shows that their difference is
    zero, and `undecided` if neither was found.

    Raises:
        BadInputError: one of the texts is no law; the message says where.
    """
    sides = [{e.target for e in read_law(law).equations} for law in (first, second)]
    if sides[0] != sides[1]:
        missing = ", ".join(sorted(sides[0] ^ sides[1]))
        return Compared(verdict="different", reason=f"Only one of them has an equation for {missing}.")
    if read_law(first).canonical == read_law(second).canonical:
        return Compared(verdict="same", reason="They read the same.")
    answer = _ask({"do": "compare", "laws": [first, second]}, timeout_s)
    if answer is None:
        reason = f"Nothing was found within {timeout_s:g} s and its memory."
        return Compared(verdict="undecided", reason=reason)
    return Compared(**answer)


def read_law(law: str) -> ParsedHypothesis:
    """Return the parsed law; names on the right are params, the variables are those on the left.

    Raises:
        BadInputError: it does not parse; the message says where.
    """
    if not isinstance(law, str) or len(law) > MAX_EQUATION_CHARACTERS:
        raise BadInputError(f"A law is a text of at most {MAX_EQUATION_CHARACTERS} characters.")
    equations = stated(law)
    first = {variable for variable, order, _ in equations if order == 1}
    second = {variable for variable, order, _ in equations if order == 2}
    names = names_in(" ".join(right for _, _, right in equations)) - first - second
    variables = [_variable(name) for name in sorted(first)]
    for name in sorted(second):
        rate = "v" + name if "v" + name not in first | second else "rate_of_" + name
        variables += [_variable(name), _variable(rate, rate_of=name)]
        names.discard(rate)
    if len(names) > MAX_PARAMS:
        raise BadInputError(f"The law has {len(names)} names beside its variables; at most {MAX_PARAMS}.")
    parsed = parse(law, dict.fromkeys(names, 1.0), variables, functions="extended")
    if isinstance(parsed, Rejection):
        raise BadInputError(f"{law[:60]!r} is no law: {parsed.message}.")
    return parsed


def _variable(name: str, *, rate_of: str | None = None) -> StateVariable:
    return StateVariable(name=name, unit="", symbol=name, description="", rate_of=rate_of)


def to_sympy(node: Node) -> sympy.Expr:
    """Return the expression; decimal literals become exact fractions, names real symbols."""
    import sympy

    match node:
        case Number(value):
            return sympy.Rational(Fraction(repr(value)))
        case Name("pi"):
            return sympy.pi
        case Name(name):
            return sympy.Symbol(name, real=True)
        case Negate(operand):
            return -to_sympy(operand)
        case Binary(operator, left, right):
            return _OPERATIONS[operator](to_sympy(left), to_sympy(right))
        case Call(function, argument):
            return _functions()[function](to_sympy(argument))
        case Extremum(function, left, right):
            return _functions()[function](to_sympy(left), to_sympy(right))


_OPERATIONS: Mapping[str, Any] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}


def _functions() -> Mapping[str, Any]:
    import sympy

    special = {"abs": sympy.Abs, "min": sympy.Min, "max": sympy.Max}
    return {name: special.get(name) or getattr(sympy, name) for name in EXTENDED_FUNCTIONS}


class _NoFormError(Exception):
    """The grammar has no words for an expression; never leaves this module."""


def from_sympy(expression: sympy.Expr) -> Node:
    """Return the expression as a tree of ours.

    Raises:
        ValueError: the grammar has no words for it.
    """
    try:
        return _node(expression)
    except _NoFormError as error:
        raise ValueError(f"{error} cannot be written in the grammar") from error


def _node(e: Any) -> Node:
    import sympy

    if e.is_Rational:
        return _rational(int(e.p), int(e.q))
    if e.is_Symbol:
        return Name(e.name)
    if e is sympy.pi:
        return Name("pi")
    if e is sympy.E:
        return Call("exp", Number(1.0))
    if e.is_Add:
        return _sum(e.as_ordered_terms())
    if e.is_Mul and e.could_extract_minus_sign():
        return _negated(_node(-e))
    coefficient, rest = e.as_coeff_Mul()
    if coefficient != 1 and isinstance(decimal := _node(coefficient), Number) and coefficient.q != 1:
        return Binary("*", decimal, _node(rest))
    top, bottom = sympy.fraction(e, exact=True)
    if bottom != 1:
        return Binary("/", _node(top), _node(bottom))
    if e.is_Mul:
        return reduce(lambda a, b: Binary("*", a, b), (_node(factor) for factor in e.as_ordered_factors()))
    if e.is_Pow:
        if e.exp == sympy.Rational(1, 2):
            return Call("sqrt", _node(e.base))
        return Binary("**", _node(e.base), _node(e.exp))
    return _call(e)


def _call(e: Any) -> Node:
    for name, function in _functions().items():
        if name in ("sqrt", "min", "max"):
            continue
        if isinstance(e, function):
            return Call(name, _node(e.args[0]))
    import sympy

    if isinstance(e, sympy.Min | sympy.Max):
        name = "min" if isinstance(e, sympy.Min) else "max"
        return reduce(lambda a, b: Extremum(name, a, b), (_node(a) for a in e.args))
    raise _NoFormError(type(e).__name__)


def _sum(terms: Sequence[Any]) -> Node:
    total: Node | None = None
    for term in terms:
        negative = term.could_extract_minus_sign()
        node = _node(-term if negative else term)
        if total is None:
            total = _negated(node) if negative else node
        else:
            total = Binary("-" if negative else "+", total, node)
    return total if total is not None else Number(0.0)


def _negated(node: Node) -> Node:
    """Return `-k*x` rather than `-(k*x)`."""
    if isinstance(node, Binary) and node.operator in "*/":
        return Binary(node.operator, _negated(node.left), node.right)
    return Negate(node)


def _rational(p: int, q: int) -> Node:
    """Return a decimal where it is exact, a quotient elsewhere."""
    if p < 0:
        return Negate(_rational(-p, q))
    value = p / q
    if Fraction(repr(value)) == Fraction(p, q):
        return Number(value)
    return Binary("/", Number(float(p)), Number(float(q)))


def _simplified(law: str) -> dict[str, str]:
    """Return the law with every right-hand side as short as it was found."""
    import sympy

    parsed = read_law(law)
    equations = []
    for equation in parsed.equations:
        best = equation.expression
        plain = to_sympy(best)
        for form in (plain, sympy.simplify(plain)):
            best = min(best, _valid(equation, form, best), key=_size)
        equations.append(Equation(equation.variable, equation.order, best))
    return {"law": "; ".join(f"{e.target} = {show(e.expression)}" for e in equations)}


def _valid(equation: Equation, form: sympy.Expr, otherwise: Node) -> Node:
    try:
        node = from_sympy(form)
        read_law(f"{equation.target} = {show(node)}")
    except (ValueError, OverflowError, BadInputError):
        return otherwise
    return node


def _size(node: Node) -> tuple[int, int]:
    """How long a law reads: what it is made of, and among equals how often it names something."""
    parts = list(walk(node))
    return len(parts), sum(isinstance(part, Name) for part in parts)


def _compare(first: str, second: str) -> dict[str, str]:
    import sympy

    one, other = (
        {e.target: to_sympy(e.expression) for e in read_law(law).equations} for law in (first, second)
    )
    differences = {target: one[target] - other[target] for target in one}
    for target, difference in differences.items():
        where = _point_of_difference(difference, one[target])
        if where is not None:
            return {"verdict": "different", "reason": f"{target} differs at {where}."}
    unproven = [target for target, d in differences.items() if sympy.simplify(d) != 0]
    if unproven:
        reason = f"Equal at every point tried, yet not shown to be: {', '.join(unproven)}."
        return {"verdict": "undecided", "reason": reason}
    return {"verdict": "same", "reason": "Their difference simplifies to zero."}


def _point_of_difference(difference: Any, scale: Any) -> str | None:
    """Return a seeded random point at which the difference is no rounding, in words; None without one."""
    import random

    names = sorted(difference.free_symbols | scale.free_symbols, key=lambda s: s.name)
    rng = random.Random(0)  # noqa: S311  # points to try, no secret
    for _ in range(_POINTS):
        point = {s: Fraction(rng.randint(-3_000, 3_000), 1_000) for s in names}
        values = {s: _exact(v) for s, v in point.items()}
        gap, size = difference.evalf(_DIGITS, subs=values), scale.evalf(_DIGITS, subs=values)
        if not (gap.is_real and gap.is_finite and size.is_real and size.is_finite):
            continue
        if abs(gap) > 10 ** (-_DIGITS // 2) * max(1, abs(size)):
            return ", ".join(f"{s.name} = {float(v):g}" for s, v in point.items()) or "every point"
    return None


def _exact(value: Fraction) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def _ask(request: dict[str, Any], timeout_s: float) -> Any:
    """Return the answer of a process of its own; None if it took too long or asked for too much."""
    # One thread: several would only reserve memory.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "physix.engine.verifier.symbolic"],
            input=json.dumps({**request, "seconds": timeout_s}),
            capture_output=True,
            text=True,
            timeout=timeout_s + _START_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def _bound(seconds: float) -> None:
    """Bound this process from here on."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        import resource
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return  # no Linux: time alone is bounded


def _main() -> None:
    request = json.loads(sys.stdin.read())
    import sympy  # noqa: F401  # before the bound: it is not what may take long

    _bound(float(request["seconds"]))
    work = _simplified if request["do"] == "simplify" else _compare
    try:
        sys.stdout.write(json.dumps(work(*request["laws"])))
    except Exception as error:  # SymPy raises whatever it likes: the parent hears of a failure
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(3)


if __name__ == "__main__":
    _main()
