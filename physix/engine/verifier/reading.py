"""From untrusted text to all that follows from the text alone: the law, its program, what is told of it.

Whoever refines constants sends one text again and again with other numbers in it. What such texts have in
common is worked out once, at the second of them (most texts come once), and the numbers are put in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from physix.engine.systems.task import InputVariable, StateVariable, Task
from physix.engine.verifier.compile import Program, forget_compiled, program
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.latex import latex_and_terms, number_latex
from physix.engine.verifier.prepared import Same
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
    show,
    walk,
    with_operands,
)
from physix.engine.verifier.types import FunctionSet, Hypothesis, ParseReport, Rejection, Term, VerifierConfig
from physix.engine.verifier.units import UnitsReport, check_units, counts_numbers, shortened
from physix.limits import MAX_EQUATION_CHARACTERS, MAX_NAME_CHARACTERS, MAX_NUMBER, MAX_PARAMS

# A number as the tokenizer takes it, but for the exponents, of which a law is made as much as of its names.
_NUMBER = re.compile(
    r"(?<![\w.])(?<!\*\*)(?<!\*\*-)(?<![eE][-+])((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.ASCII
)
_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_MARK = 918_273_645  # what stands for the first number in a text that is parsed for its form


@dataclass(frozen=True, slots=True)
class Law:
    """A hypothesis that parsed."""

    parsed: ParsedHypothesis
    program: Program
    told: ParseReport


def read(hypothesis: Hypothesis, task: Task, config: VerifierConfig) -> Law | Rejection:
    """Return the law, or the first reason why the text is none. Never raises."""
    rules = _rules_of(Same(task), config.functions, config.constants == "fitted")
    found = _alike(hypothesis, rules)
    if found is not None:
        return found
    parsed = rules.parse(hypothesis)
    return parsed if isinstance(parsed, Rejection) else _law(parsed, rules)


def _law(parsed: ParsedHypothesis, rules: _Rules) -> Law:
    compiled = program(parsed)
    return Law(parsed, compiled, report(parsed, check_units(parsed, rules.time_unit, compiled)))


def forget_read() -> None:
    """Empty the caches of forms and of compiled functions; results never depend on them."""
    _known.cache_clear()
    _form_of.cache_clear()
    forget_compiled()


def report(parsed: ParsedHypothesis, units: UnitsReport) -> ParseReport:
    """Return what a page or an agent may want to know of a hypothesis that parsed."""
    typeset, terms = latex_and_terms(parsed)
    return ParseReport(
        rejection=None,
        canonical=parsed.canonical,
        latex=typeset,
        terms=terms,
        operators=parsed.operators,
        units=units.verdict,
        units_message=units.message,
        param_units=units.param_units,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    """What a text is read by; one object for all tasks with the same."""

    variables: tuple[StateVariable, ...]
    inputs: tuple[InputVariable, ...]
    time_unit: str | None
    functions: FunctionSet
    fit_nulls: bool

    def parse(self, hypothesis: Hypothesis) -> ParsedHypothesis | Rejection:
        return parse(
            hypothesis.equation,
            hypothesis.params,
            self.variables,
            inputs=self.inputs,
            functions=self.functions,
            fit_nulls=self.fit_nulls,
        )


_rules = lru_cache(maxsize=512)(_Rules)


@lru_cache(maxsize=512)
def _rules_of(same: Same, functions: FunctionSet, fit_nulls: bool) -> _Rules:
    (task,) = same.values
    assert isinstance(task, Task)  # noqa: S101  # for the type checker
    return _rules(task.variables, task.inputs, task.time_unit, functions, fit_nulls)


def _alike(hypothesis: Hypothesis, rules: _Rules) -> Law | None:
    """Return the law by what is known of texts that differ from it in numbers only; None: too little is."""
    equation, params = hypothesis.equation, hypothesis.params
    if type(equation) is not str or len(equation) > MAX_EQUATION_CHARACTERS:
        return None
    # What comes for the first time should not be taken apart for nothing.
    if not _known(equation.translate(_DIGITS), rules).again():
        return None
    if type(params) is not dict or len(params) > MAX_PARAMS or not all(map(_is_plain, params.items())):
        return None
    pieces = _NUMBER.split(equation)
    numbers = list(map(float, pieces[1::2]))
    # Zero has any unit, and what is too large is no number.
    if numbers and not (min(numbers) > 0.0 and max(numbers) <= MAX_NUMBER):
        return None
    form = _form_of(tuple(pieces[::2]), tuple(params), rules)
    return None if form is None else form.with_numbers(numbers, {**params})


def _is_plain(param: tuple[str, float | None]) -> bool:
    name, value = param
    known = type(name) is str and len(name) <= MAX_NAME_CHARACTERS
    return known and type(value) is float and abs(value) <= MAX_NUMBER


class _Sighting:
    """Remembers whether it was asked before."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = False

    def again(self) -> bool:
        before, self._seen = self._seen, True
        return before


@lru_cache(maxsize=1024)
def _known(without_digits: str, rules: _Rules) -> _Sighting:
    return _Sighting()


class _Slot(float):
    """A place for a number: it is written as a mark that no text holds."""

    def __new__(cls, at: int) -> _Slot:
        return super().__new__(cls, at + 1)

    @property
    def at(self) -> int:
        return int(self) - 1

    def __repr__(self) -> str:
        return f"0\0{self.at}\0"  # begins as numbers do


_MARKED = re.compile("0\0(\\d+)\0")
_EDGE = "\1"  # of an expression within a sentence


@dataclass(frozen=True, slots=True)
class _Text:
    """A text with places for numbers."""

    pattern: str
    slots: tuple[int, ...]

    @classmethod
    def of(cls, marked: str) -> _Text:
        slots = tuple(map(int, _MARKED.findall(marked)))
        return cls(_MARKED.sub("%s", marked.replace("%", "%%")), slots)

    def filled(self, numbers: Sequence[str]) -> str:
        return self.pattern % tuple([numbers[slot] for slot in self.slots])


@dataclass(frozen=True, slots=True)
class _UnitsForm:
    """What is said of units, expressions in its sentence apart: they are shortened once they have numbers."""

    report: UnitsReport
    parts: tuple[_Text, ...]  # every second one an expression

    @classmethod
    def of(cls, report: UnitsReport) -> _UnitsForm:
        return cls(report, tuple(map(_Text.of, report.message.split(_EDGE))))

    def message(self, numbers: Sequence[str]) -> str:
        texts = [part.filled(numbers) for part in self.parts]
        texts[1::2] = map(shortened, texts[1::2])
        return "".join(texts)


_Make = Callable[[Sequence[float]], Node]


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """What laws that differ in numbers share, with places for these."""

    law: ParsedHypothesis
    expressions: tuple[_Make, ...]  # of each equation
    program: Program
    slots: tuple[tuple[int, int], ...]  # which of the program's constants is which number
    canonical: _Text
    latex: _Text
    terms: tuple[tuple[Term, _Text, _Text], ...]  # source and LaTeX of each
    operators: int
    units: _UnitsForm | None  # None: they depend on the numbers
    time_unit: str | None

    def with_numbers(self, numbers: Sequence[float], params: dict[str, float]) -> Law:
        law = self.law
        equations = [
            Equation(e.variable, e.order, make(numbers))
            for e, make in zip(law.equations, self.expressions, strict=True)
        ]
        parsed = ParsedHypothesis(tuple(equations), params, law.variables, law.inputs)
        compiled = self._program(numbers, params)
        return Law(parsed, compiled, self._told(numbers, parsed, compiled))

    def _program(self, numbers: Sequence[float], params: dict[str, float]) -> Program:
        made = self.program
        constants = list(made.constants)
        for at, slot in self.slots:
            constants[at] = numbers[slot]
        for name, at in made.params.items():
            constants[at] = params[name]
        return Program(
            made.derivatives,
            tuple(constants),
            made.params,
            made.literals,
            made.inputs,
            made.named_exponents,
        )

    def _told(self, numbers: Sequence[float], parsed: ParsedHypothesis, compiled: Program) -> ParseReport:
        plain, typeset = list(map(number_text, numbers)), list(map(number_latex, numbers))
        if self.units is None:
            units = check_units(parsed, self.time_unit, compiled)
            message = units.message
        else:
            units, message = self.units.report, self.units.message(plain)
        terms = [
            Term(
                target=term.target,
                source=source.filled(plain),
                latex=latex.filled(typeset),
                negative=term.negative,
            )
            for term, source, latex in self.terms
        ]
        return ParseReport(
            rejection=None,
            canonical=self.canonical.filled(plain),
            latex=self.latex.filled(typeset),
            terms=tuple(terms),
            operators=self.operators,
            units=units.verdict,
            units_message=message,
            param_units={**units.param_units},
        )


@lru_cache(maxsize=1024)
def _form_of(pieces: tuple[str, ...], params: tuple[str, ...], rules: _Rules) -> _Form | None:
    """Return the form of texts with these pieces around their numbers; None where numbers shape the law."""
    count = len(pieces) - 1
    text = pieces[0] + "".join(f"{_MARK + at}{piece}" for at, piece in enumerate(pieces[1:]))
    parsed = rules.parse(Hypothesis(equation=text, params=dict.fromkeys(params, 1.0)))
    if isinstance(parsed, Rejection):
        return None
    equations = tuple(
        Equation(e.variable, e.order, _with_slots(e.expression, count)) for e in parsed.equations
    )
    nodes = [node for equation in equations for node in walk(equation.expression)]
    # An exponent may be a product, and what is raised to one is fenced where it is typeset.
    powers = [node for node in nodes if isinstance(node, Binary) and node.operator == "**"]
    shaping = any(_slot(one) is not None for power in powers for one in (power.left, *walk(power.right)))
    found = sorted(slot for node in nodes if (slot := _slot(node)) is not None)
    if shaping or found != list(range(count)):
        return None
    law = ParsedHypothesis(equations, parsed.params, parsed.variables, parsed.inputs)
    compiled = program(law)
    units = check_units(law, rules.time_unit, shown=lambda node: f"{_EDGE}{show(node)}{_EDGE}")
    latex, terms = latex_and_terms(law)
    form = _Form(
        law=law,
        expressions=tuple(_maker(e.expression) for e in equations),
        program=compiled,
        slots=tuple((at, one.at) for at, one in enumerate(compiled.constants) if isinstance(one, _Slot)),
        canonical=_Text.of(law.canonical),
        latex=_Text.of(latex),
        terms=tuple((term, _Text.of(term.source), _Text.of(term.latex)) for term in terms),
        operators=law.operators,
        units=None if counts_numbers(compiled) else _UnitsForm.of(units),
        time_unit=rules.time_unit,
    )
    # A form that does not give back what it was found by is none.
    numbers = [float(_MARK + at) for at in range(count)]
    return form if form.with_numbers(numbers, parsed.params) == _law(parsed, rules) else None


def _slot(node: Node) -> int | None:
    return node.value.at if isinstance(node, Number) and isinstance(node.value, _Slot) else None


def _with_slots(node: Node, count: int) -> Node:
    """Return an expression of a text with marks as one with places."""
    if isinstance(node, Number):
        at = node.value - _MARK
        return Number(_Slot(int(at))) if 0.0 <= at < count else node
    return with_operands(node, lambda operand: _with_slots(operand, count))


def _maker(node: Node) -> _Make:
    """Return what makes the expression anew with other numbers; what holds none is shared."""
    if all(_slot(one) is None for one in walk(node)):
        return lambda _: node
    match node:
        case Number():
            at = _slot(node) or 0
            return lambda numbers: Number(numbers[at])
        case Negate(operand):
            inner = _maker(operand)
            return lambda numbers: Negate(inner(numbers))
        case Call(function, argument):
            inner = _maker(argument)
            return lambda numbers: Call(function, inner(numbers))
        case Binary(operator, left, right):
            first, second = _maker(left), _maker(right)
            return lambda numbers: Binary(operator, first(numbers), second(numbers))
        case Extremum(function, left, right):
            first, second = _maker(left), _maker(right)
            return lambda numbers: Extremum(function, first(numbers), second(numbers))
        case Name():
            return lambda _: node
