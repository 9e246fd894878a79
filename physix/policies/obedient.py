"""A policy that does only what the verifier's findings say: it measures what they teach.

It fits nothing, searches nothing and knows no physics. It begins with a given law, and each turn
multiplies, drops or adds exactly the terms that the last turn's findings name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task
from physix.engine.verifier import parse
from physix.engine.verifier.defect import expanded
from physix.engine.verifier.tree import (
    Binary,
    Name,
    Negate,
    Node,
    Number,
    ParsedHypothesis,
    show,
    summands,
    with_operands,
)
from physix.engine.verifier.types import Finding, Hypothesis

_DIGITS = 6


class ObedientPolicy:
    """Implements `Policy`.

    Args:
        start: the law of turn 1; None for `= 0` in every equation.
    """

    name = "obedient"

    def __init__(self, start: Hypothesis | None = None) -> None:
        self._start = start

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        hypothesis = self._start or Hypothesis(equation=zero_law(observation.task))
        if observation.history:
            last = observation.history[-1]
            before = Hypothesis(equation=last.equation, params=last.params | last.fitted)
            findings = () if last.findings is None else last.findings.findings
            hypothesis = mended(before, findings, observation.task)
        return Proposal(hypothesis=hypothesis, provenance=Provenance(policy=self.name))


def zero_law(task: Task) -> str:
    """Return the law under which nothing changes its speed."""
    return "; ".join(f"{target.left} = 0" for target in targets(task.variables))


def mended(hypothesis: Hypothesis, findings: Iterable[Finding], task: Task) -> Hypothesis:
    """Return the law with its terms multiplied, dropped and added as the findings say; numbers put in.

    A text that does not parse is returned as it is.
    """
    parsed = parse(
        hypothesis.equation, hypothesis.params, task.variables, inputs=task.inputs, functions="extended"
    )
    if not isinstance(parsed, ParsedHypothesis):
        return hypothesis
    equations = []
    for equation in parsed.equations:
        mine = [f for f in findings if f.target == equation.target]
        terms = _mended_terms(equation.expression, mine, parsed.params)
        equations.append(f"{equation.target} = {_sum(terms)}")
    return Hypothesis(equation="; ".join(equations))


@dataclass(slots=True)
class _Term:
    coefficient: float
    rest: str  # source of what is left once the numbers are taken out; "" for a constant


def _mended_terms(expression: Node, findings: Sequence[Finding], params: Mapping[str, float]) -> list[_Term]:
    factors = {f.term: f.factor for f in findings if f.kind != "missing"}
    terms: list[_Term] = []
    for negative, node in summands(expression):
        whole = factors.get(show(Negate(node) if negative else node))
        parts = [(negative, node)] if whole is not None else list(expanded(node, negative=negative))
        for sign, part in parts:
            term = _term(part, params, -1.0 if sign else 1.0)
            term.coefficient *= factors.get(show(Negate(part) if sign else part), 1.0)
            terms.append(term)
    terms += [_Term(f.factor, "" if f.term == "1" else f.term) for f in findings if f.kind == "missing"]
    return _merged(terms)


def _merged(terms: Iterable[_Term]) -> list[_Term]:
    merged: dict[str, _Term] = {}
    for term in terms:
        if term.rest in merged:
            merged[term.rest].coefficient += term.coefficient
        else:
            merged[term.rest] = term
    return [term for term in merged.values() if term.coefficient != 0.0]


def _term(node: Node, params: Mapping[str, float], sign: float) -> _Term:
    """Split a product into its number and the rest, the rest with numbers for its params."""
    over: list[str] = []
    under: list[str] = []
    coefficient = sign * _split(node, params, over, under)
    rest = "*".join(over) or ("1" if under else "")
    return _Term(coefficient, "/".join([rest, *under]))


def _split(node: Node, params: Mapping[str, float], over: list[str], under: list[str]) -> float:
    match node:
        case Number(value):
            return value
        case Name("pi"):
            return math.pi
        case Name(name) if name in params:
            return params[name]
        case Negate(operand):
            return -_split(operand, params, over, under)
        case Binary("*", left, right):
            return _split(left, params, over, under) * _split(right, params, over, under)
        case Binary("/", left, right):
            above = _split(left, params, over, under)
            below = _split(right, params, under, over)
            if below != 0.0:
                return above / below
            under.append("0")
            return above
        case _:
            over.append(_with_numbers(node, params))
            return 1.0


def _with_numbers(node: Node, params: Mapping[str, float]) -> str:
    text = show(_substituted(node, params))
    return f"({text})" if isinstance(node, Binary | Negate) else text


def _substituted(node: Node, params: Mapping[str, float]) -> Node:
    if isinstance(node, Name) and node.name in params:
        value = params[node.name]
        return Number(value) if value >= 0.0 else Negate(Number(-value))
    return with_operands(node, lambda operand: _substituted(operand, params))


def _sum(terms: Sequence[_Term]) -> str:
    parts = []
    for term in terms:
        size = f"{abs(term.coefficient):.{_DIGITS}g}"
        body = f"{size}*{term.rest}" if term.rest else size
        parts.append(f"{'-' if term.coefficient < 0.0 else '+'} {body}")
    text = " ".join(parts) or "0"
    return text.removeprefix("+ ").replace("- ", "-", 1) if text.startswith(("+", "- ")) else text
