"""Grammars of replies, made from the task."""

import re
from dataclasses import replace

import pytest

from physix.engine.systems import sample_task
from physix.engine.verifier.types import Constants
from physix.policies.chat.grammar import gbnf, json_schema
from tests.policies.chat.test_compact import asked

ONE = asked(sample_task("simple_pendulum", 1)[0])
TWO = asked(sample_task("charged_b_field", 1)[0])


@pytest.mark.parametrize(
    ("equation", "fits"),
    [
        ("d2theta/dt2 = -(g/L)*sin(theta)", True),
        ("d2x/dt2 = -k*x", False),
        ("d2theta/dt2 = -w*sin(theta); d2x/dt2 = 0", False),
        ("d2theta/dt2 = ", False),
    ],
)
def test_the_schema_fixes_the_left_sides(equation: str, fits: bool) -> None:
    pattern = json_schema(ONE)["properties"]["equation"]["pattern"]
    assert bool(re.search(pattern, equation)) is fits


def test_the_schema_asks_for_one_equation_a_variable() -> None:
    pattern = json_schema(TWO)["properties"]["equation"]["pattern"]
    assert re.search(pattern, "d2x/dt2 = w*vy; d2y/dt2 = -w*vx")
    assert not re.search(pattern, "d2x/dt2 = w*vy")


def test_constants_of_the_grammar_are_never_called_like_a_column() -> None:
    rule = next(line for line in gbnf(TWO, bare=True).splitlines() if line.startswith("constant ::="))
    letters = re.search(r"\[([a-zA-Z]+)\]", rule).group(1)  # type: ignore[union-attr]  # it is found
    assert not {"x", "y", "t"} & set(letters)
    assert '"theta"' in gbnf(ONE, bare=True)


@pytest.mark.parametrize(("constants", "named"), [("declared", False), ("fitted", True)])
def test_equations_alone_name_constants_only_where_the_verifier_finds_them(
    constants: Constants, named: bool
) -> None:
    """A reply that is nothing but equations has no place for the numbers that declared constants need."""
    rules = gbnf(replace(TWO, constants=constants), bare=True).splitlines()
    parts = [line.split(" ::= ", 1) for line in rules]
    uses = [name for name, meaning in parts if re.search(r"\bconstant\b", meaning)]
    assert uses == (["atom", "simple"] if named else [])


def test_bare_replies_are_equations_and_others_are_objects() -> None:
    assert gbnf(ONE, bare=True).startswith("root ::= law\n")
    assert '"equation' in gbnf(ONE, bare=False).splitlines()[0].replace("\\", "")
