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
    symbols = _symbols(parsed.variables + parsed.inputs)
    lines = [f"{_left_side(e, symbols)} = {_show(e.expression, symbols)}" for e in parsed.equations]
    if len(lines) == 1:
        return lines[0]
    return r"\begin{gathered}" + r" \\ ".join(lines) + r"\end{gathered}"


def terms(parsed: ParsedHypothesis) -> tuple[Term, ...]:
    """Return the summands of every right-hand side, in the order written."""
    symbols = _symbols(parsed.variables + parsed.inputs)
    return tuple(
        Term(target=e.target, source=show(node), latex=_show(node, symbols), negative=negative)
        for e in parsed.equations
        for negative, node in summands(e.expression)
    )


def typeset(node: Node, parsed: ParsedHypothesis) -> str:
    """Return an expression in the symbols of a hypothesis."""
    return _show(node, _symbols(parsed.variables + parsed.inputs))


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


def _number(value: float) -> str:
    mantissa, _, exponent = number_text(value).partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _show(node: Node, symbols: dict[str, str]) -> str:
    match node:
        case Number(value):
            return _number(value)
        case Name("pi"):
            return r"\pi"
        case Name(name):
            return symbols.get(name) or ("t" if name == "t" else _name(name))
        case Call("sqrt", argument):
            return rf"\sqrt{{{_show(argument, symbols)}}}"
        case Call("abs", argument):
            return rf"\left|{_show(argument, symbols)}\right|"
        case Call(function, argument):
            return rf"{FUNCTIONS[function].latex}\left({_show(argument, symbols)}\right)"
        case Extremum(function, left, right):
            inner = f"{_show(left, symbols)}, {_show(right, symbols)}"
            return rf"{FUNCTIONS[function].latex}\left({inner}\right)"
        case Negate(operand):
            return "-" + _unsigned(_within(operand, 2, symbols))
        case Binary("/", left, right):
            return rf"\frac{{{_show(left, symbols)}}}{{{_show(right, symbols)}}}"
        case Binary("**", left, right):
            base = _show(left, symbols)
            # A dotted symbol or a call reads as one thing only when fenced.
            if not isinstance(left, Number | Name) or "\\dot" in base or "^" in base:
                base = rf"\left({base}\right)"
            return f"{base}^{{{_show(right, symbols)}}}"
        case Binary("*", left, right):
            factor = _within(right, 4, symbols)
            joint = r" \cdot " if factor[0].isdigit() else r"\,"
            return f"{_within(left, 2, symbols)}{joint}{factor}"
        case Binary(operator, left, right):
            # A sign right after an operator is fenced, though source text may go without.
            addend = _unsigned(_within(right, 2, symbols))
            return f"{_show(left, symbols)} {operator} {addend}"


def _unsigned(text: str) -> str:
    """Return the text in a fence if it begins with a sign, which no operator may stand right before."""
    return rf"\left({text}\right)" if text.startswith("-") else text


def _within(node: Node, at_least: int, symbols: dict[str, str]) -> str:
    text = _show(node, symbols)
    # A fraction bar and a root group by themselves.
    if precedence(node) >= at_least or (isinstance(node, Binary) and node.operator == "/"):
        return text
    return rf"\left({text}\right)"
