"""LaTeX of a parsed hypothesis, written node by node from our own tree."""

from __future__ import annotations

import re

from physix.engine.greek import TEX_GREEK
from physix.engine.systems.task import InputVariable, StateVariable
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
    ParsedHypothesis,
    number_text,
    precedence,
    show,
    summands,
)
from physix.engine.verifier.types import Term

# LaTeX has no command for an omicron, nor for capitals that look Latin.


def latex(parsed: ParsedHypothesis) -> str:
    """Return the equations; several stand in a `gathered` block, one a line."""
    return _equations(parsed, _symbols(parsed.variables + parsed.inputs), {})


def latex_and_terms(parsed: ParsedHypothesis) -> tuple[str, tuple[Term, ...]]:
    """Return the equations, and the summands of every right-hand side in the order written.

    Both for the price of the first: terms are nodes of the equations.
    """
    symbols = _symbols(parsed.variables + parsed.inputs)
    known: dict[int, str] = {}
    return _equations(parsed, symbols, known), _terms(parsed, symbols, known)


def _equations(parsed: ParsedHypothesis, symbols: dict[str, str], known: dict[int, str]) -> str:
    lines = [f"{_left_side(e, symbols)} = {_show(e.expression, symbols, known)}" for e in parsed.equations]
    if len(lines) == 1:
        return lines[0]
    return r"\begin{gathered}" + r" \\ ".join(lines) + r"\end{gathered}"


def _terms(parsed: ParsedHypothesis, symbols: dict[str, str], known: dict[int, str]) -> tuple[Term, ...]:
    found = []
    for equation in parsed.equations:
        # All at once: a node made here must outlive its entry in `known`.
        parts = list(summands(equation.expression))
        found += [(equation.target, negative, node) for negative, node in parts]
    return tuple(
        Term(target=target, source=show(node), latex=_show(node, symbols, known), negative=negative)
        for target, negative, node in found
    )


def typeset(node: Node, parsed: ParsedHypothesis) -> str:
    """Return an expression in the symbols of a hypothesis."""
    return _show(node, _symbols(parsed.variables + parsed.inputs), {})


def _symbols(variables: tuple[StateVariable | InputVariable, ...]) -> dict[str, str]:
    return {v.name: v.symbol for v in variables}


def _left_side(equation: Equation, symbols: dict[str, str]) -> str:
    accent = r"\ddot" if equation.order == 2 else r"\dot"
    return f"{accent}{{{symbols[equation.variable]}}}"


def _name(name: str) -> str:
    """Typeset a param: Greek by name, trailing digits or a suffix as subscript."""
    match = re.fullmatch(r"([A-Za-z]+?)(?:_?(\d+)|_([A-Za-z0-9]+))?", name)
    if match is None:
        return r"\mathrm{" + name.replace("_", r"\_") + "}"
    base, digits, suffix = match.groups()
    head = f"\\{base}" if base in TEX_GREEK else base if len(base) == 1 else rf"\mathrm{{{base}}}"
    below = digits or (rf"\mathrm{{{suffix}}}" if suffix else "")
    return f"{head}_{{{below}}}" if below else head


def number_latex(value: float) -> str:
    """Typeset a number, in powers of ten where its text is."""
    mantissa, _, exponent = number_text(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _show(node: Node, symbols: dict[str, str], known: dict[int, str]) -> str:
    """Typeset a node; `known` keeps what its composite nodes became, by identity, while the tree lives."""
    if isinstance(node, Number):
        return number_latex(node.value)
    if isinstance(node, Name):
        name = node.name
        if name == "pi":
            return r"\pi"
        return symbols.get(name) or ("t" if name == "t" else _name(name))
    text = known.get(id(node))
    if text is None:
        text = known[id(node)] = _composed(node, symbols, known)
    return text


def _composed(node: Negate | Binary | Call | Extremum, symbols: dict[str, str], known: dict[int, str]) -> str:
    if isinstance(node, Binary):
        return _binary(node, symbols, known)
    if isinstance(node, Negate):
        return "-" + _unsigned(_within(node.operand, 2, symbols, known))
    if isinstance(node, Extremum):
        inner = f"{_show(node.left, symbols, known)}, {_show(node.right, symbols, known)}"
        return rf"{FUNCTIONS[node.function].latex}\left({inner}\right)"
    argument = _show(node.argument, symbols, known)
    if node.function == "sqrt":
        return rf"\sqrt{{{argument}}}"
    if node.function == "abs":
        return rf"\left|{argument}\right|"
    return rf"{FUNCTIONS[node.function].latex}\left({argument}\right)"


def _binary(node: Binary, symbols: dict[str, str], known: dict[int, str]) -> str:
    operator, left, right = node.operator, node.left, node.right
    if operator == "*":
        factor = _within(right, 4, symbols, known)
        joint = r" \cdot " if factor[0].isdigit() else r"\,"
        return f"{_within(left, 2, symbols, known)}{joint}{factor}"
    if operator == "/":
        return rf"\frac{{{_show(left, symbols, known)}}}{{{_show(right, symbols, known)}}}"
    if operator == "**":
        base = _show(left, symbols, known)
        # A dotted symbol or a call reads as one thing only when fenced.
        if not isinstance(left, Number | Name) or "\\dot" in base or "^" in base:
            base = rf"\left({base}\right)"
        return f"{base}^{{{_show(right, symbols, known)}}}"
    # A sign right after an operator is fenced, though source text may go without.
    addend = _unsigned(_within(right, 2, symbols, known))
    return f"{_show(left, symbols, known)} {operator} {addend}"


def _unsigned(text: str) -> str:
    """Return the text in a fence if it begins with a sign, which no operator may stand right before."""
    return rf"\left({text}\right)" if text.startswith("-") else text


def _within(node: Node, at_least: int, symbols: dict[str, str], known: dict[int, str]) -> str:
    text = _show(node, symbols, known)
    # A fraction bar and a root group by themselves.
    if precedence(node) >= at_least or (isinstance(node, Binary) and node.operator == "/"):
        return text
    return rf"\left({text}\right)"
