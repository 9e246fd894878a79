"""What is typeset is what is computed, as SymPy's own LaTeX parser reads it."""

import random
import re

import pytest
import sympy
from sympy.parsing.latex import parse_latex

from physix.engine.systems.task import InputVariable, StateVariable
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
)

X = StateVariable(name="x", unit=None, symbol="x", description="")
U = InputVariable(name="u", unit=None, symbol="u", description="")
VALUES = {"x": 0.73, "u": -1.31, "k": 2.17, "omega": 0.61, "t": 1.93}


def typeset(node: Node) -> str:
    parsed = ParsedHypothesis((Equation("x", 1, node),), {"k": 1.0, "omega": 1.0}, (X,), (U,))
    return latex(parsed)


def fenced(text: str) -> str:
    """Put every call into parentheses: SymPy's grammar would let `sin(x) - 2` be sin(x - 2), too."""
    out, opened = "", []
    for piece in re.split(r"(\\(?:sin|cos|exp)\\left\(|\\left[(|]|\\right[)|])", text):
        calls = piece.startswith(("\\sin", "\\cos", "\\exp"))
        if calls or piece.startswith("\\left"):
            opened.append(calls)
        out += ("(" if calls else "") + piece
        if piece.startswith("\\right"):
            out += ")" if opened.pop() else ""
    return out


def read(text: str) -> complex:
    """Return the value of the right side, by SymPy."""
    right = fenced(text.partition(" = ")[2].replace(r"\,", r" \cdot "))
    expression = parse_latex(right, backend="lark")
    assert isinstance(expression, sympy.Expr), (right, expression)
    return complex(expression.subs({sympy.Symbol(name): value for name, value in VALUES.items()}))


def oracle(node: Node) -> complex:
    """Return the value of the tree, by SymPy too: never by the verifier's own compiler."""
    text = show(node).replace("abs(", "Abs(")
    names = {name: sympy.Float(value) for name, value in VALUES.items()}
    return complex(sympy.sympify(text, locals=names))


def law(rng: random.Random, depth: int) -> Node:
    kind = rng.random()
    if depth == 0 or kind < 0.15:
        leaves: list[Node] = [Number(rng.choice([1.0, 2.0, 0.5, 3.25]))]
        leaves += [Name(name) for name in VALUES]
        return rng.choice(leaves)
    if kind < 0.3:
        return Negate(law(rng, depth - 1))
    if kind < 0.45:
        return Call(rng.choice(["sin", "cos", "exp", "abs", "sqrt"]), law(rng, depth - 1))
    if kind < 0.55:
        return Binary("**", law(rng, depth - 1), Number(float(rng.choice([2, 3]))))
    return Binary(rng.choice("+-*/"), law(rng, depth - 1), law(rng, depth - 1))


@pytest.mark.parametrize("seed", range(48))
def test_what_is_typeset_reads_back_as_the_law(seed: int) -> None:
    node = law(random.Random(seed), 3)  # noqa: S311  # laws, not secrets
    expected = oracle(node)
    if expected == expected and abs(expected) < 1e6:  # defined at this point
        assert read(typeset(node)) == pytest.approx(expected, rel=1e-6, abs=1e-9), (show(node), typeset(node))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Call("sign", Name("x")), r"\operatorname{sgn}\left(x\right)"),
        (Call("tanh", Name("x")), r"\tanh\left(x\right)"),
        (Call("atan", Name("x")), r"\arctan\left(x\right)"),
        (Extremum("max", Name("x"), Number(0.0)), r"\max\left(x, 0\right)"),
        (Extremum("min", Name("x"), Name("u")), r"\min\left(x, u\right)"),
        (Binary("**", Number(1e-5), Number(2.0)), r"\left(1 \times 10^{-5}\right)^{2}"),
        (Binary("+", Name("x"), Binary("*", Negate(Name("k")), Name("x"))), r"x + \left(-k\,x\right)"),
        (Binary("*", Name("k"), Negate(Name("x"))), r"k\,\left(-x\right)"),
        (Name("omega0"), r"\omega_{0}"),
        (Name("omicron"), r"\mathrm{omicron}"),
    ],
)
def test_a_case_is_typeset_as_it_is_read(node: Node, text: str) -> None:
    assert typeset(node) == rf"\dot{{x}} = {text}"
