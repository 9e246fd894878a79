"""A law as a list of terms, written in one way only: what synthetic truths and their lessons are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from physix.engine.verifier.types import Finding
from physix.policies.chat.compact import bare

_LETTERS = {"constant": "g", "place": "k", "rate": "b", "drag": "c", "sine": "w", "other": "d"}


@dataclass(frozen=True, slots=True)
class Term:
    """One summand: `sign * constant * rest`; `rest` is "" for a constant alone."""

    negative: bool
    constant: str
    rest: str

    def text(self) -> str:
        """Return the summand without its sign."""
        return f"{self.constant}*{self.rest}" if self.rest else self.constant


@dataclass(frozen=True, slots=True)
class Law:
    """Right-hand sides by left side, in the order of the task's targets."""

    equations: tuple[tuple[str, tuple[Term, ...]], ...]

    def text(self) -> str:
        """Return the law in the verifier's grammar."""
        return "; ".join(f"{left} = {_sum(terms)}" for left, terms in self.equations)

    def constants(self) -> list[str]:
        """Return the names of the constants, each once."""
        return list(dict.fromkeys(term.constant for _, terms in self.equations for term in terms))

    def rests(self, left: str) -> list[str]:
        """Return what the terms of one equation depend on."""
        return [term.rest for term in dict(self.equations)[left]]

    def complexity(self) -> int:
        """Return the number of terms."""
        return sum(len(terms) for _, terms in self.equations)


Rests = Sequence[tuple[str, Sequence[tuple[bool, str]]]]


def law_of(rests: Rests, taken: Iterable[str]) -> Law:
    """Return the law whose terms have these signs and dependencies; constants get names by their role."""
    law = Law(tuple((left, ()) for left, _ in rests))
    for left, terms in rests:
        for negative, rest in terms:
            law = with_term(law, left, rest, negative=negative, taken=taken)
    return law


def with_term(law: Law, left: str, rest: str, *, negative: bool, taken: Iterable[str]) -> Law:
    """Return the law with one summand more, at the end of its equation."""
    used = {*law.constants(), *taken}
    letter = _LETTERS[_role(rest)]
    name = next(n for n in (letter, *(f"{letter}{i}" for i in range(2, 99))) if n not in used)
    term = Term(negative, name, rest)
    return _with(law, left, lambda terms: (*terms, term))


def without_term(law: Law, left: str, term: Term) -> Law:
    """Return the law with a summand less."""
    return _with(law, left, lambda terms: tuple(one for one in terms if one != term))


def obeyed(law: Law, findings: Iterable[Finding], taken: Iterable[str]) -> Law:
    """Return the law with terms added and dropped as the findings say; the verifier fits the numbers."""
    for finding in findings:
        left, rest = finding.target, bare(finding.term)
        if finding.kind == "missing":
            rest = "" if rest == "1" else rest
            if rest not in law.rests(left):
                law = with_term(law, left, rest, negative=finding.factor < 0, taken=taken)
        elif finding.kind == "superfluous":
            for term in dict(law.equations)[left]:
                if term.text() == rest:
                    law = without_term(law, left, term)
    return renamed(law, taken)


def read_law(text: str) -> Law:
    """Return the law that `Law.text` wrote.

    Raises:
        ValueError: the text is no such law.
    """
    equations = []
    for part in text.split("; "):
        left, equals, right = part.partition(" = ")
        if not equals:
            raise ValueError(f"{part!r} is no equation")
        equations.append((left, tuple(_terms_of(right))))
    law = Law(tuple(equations))
    if law.text() != text:
        raise ValueError(f"{text!r} was not written by a law")
    return law


def _terms_of(right: str) -> Iterator[Term]:
    if right == "0":
        return
    depth, word = 0, ""
    signed = right if right.startswith("-") else "+" + right
    for letter in [*signed.replace(" - ", "-").replace(" + ", "+"), "+"]:
        if letter in "+-" and depth == 0 and word:
            constant, _, rest = word[1:].partition("*")
            yield Term(word[0] == "-", constant, rest.replace("-", " - ").replace("+", " + "))
            word = ""
        depth += (letter == "(") - (letter == ")")
        word += letter


def renamed(law: Law, taken: Iterable[str]) -> Law:
    """Return the law with its constants named from left to right: the one spelling that is taught."""
    rests = [(left, [(term.negative, term.rest) for term in terms]) for left, terms in law.equations]
    return law_of(rests, taken)


def _with(law: Law, left: str, change: Callable[[tuple[Term, ...]], tuple[Term, ...]]) -> Law:
    return replace(
        law, equations=tuple((one, change(terms) if one == left else terms) for one, terms in law.equations)
    )


def _role(rest: str) -> str:
    if not rest:
        return "constant"
    if "abs(" in rest or "sqrt(" in rest:
        return "drag"
    if "sin(" in rest or "cos(" in rest:
        return "sine"
    if re.fullmatch(r"[A-Za-z]\w*|\(\w+ - \w+\)", rest):
        return "rate" if re.search(r"\b[vd]\w+", rest) else "place"
    return "other"


def _sum(terms: Sequence[Term]) -> str:
    if not terms:
        return "0"
    parts = [f"{'-' if term.negative else '+'} {term.text()}" for term in terms]
    return re.sub(r"^- ", "-", " ".join(parts).removeprefix("+ "))
