"""Texts that differ in numbers only are read by what they share: exactly as if each were the first."""

import re
from random import Random

import pytest

from physix.engine.systems import sample_task
from physix.engine.systems.task import Task
from physix.engine.verifier import check_units, parse
from physix.engine.verifier.compile import program
from physix.engine.verifier.reading import Law, forget_read, read, report
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig
from tests.engine.verifier import sentences

TASK, _ = sample_task("damped_pendulum", 7)
NUMBERS = (
    "1",
    "2",
    "3",
    "0.5",
    ".5",
    "7.",
    "1.5E+3",
    "1e-9",
    "0",
    "1e31",
    "2.50",
    "1e-320",
    "10000000000000000",
)
_NUMBER = re.compile(r"(?<![\w.])(\d+\.?\d*(?:[eE][+-]?\d+)?)")


def plainly(hypothesis: Hypothesis, config: VerifierConfig, task: Task = TASK) -> Law | Rejection:
    parsed = parse(
        hypothesis.equation,
        hypothesis.params,
        task.variables,
        inputs=task.inputs,
        functions=config.functions,
        fit_nulls=config.constants == "fitted",
    )
    if isinstance(parsed, Rejection):
        return parsed
    return Law(parsed, program(parsed), report(parsed, check_units(parsed, task.time_unit)))


def test_random_laws_with_random_numbers_are_read_as_the_first_of_their_kind() -> None:
    draw = Random(11)  # noqa: S311  # sentences, no secrets
    configs = (VerifierConfig(functions="extended"), VerifierConfig(constants="fitted"))
    for _ in range(600):
        (task, _), config = draw.choice(sentences.TASKS), draw.choice(configs)
        first = sentences.hypothesis(draw, task, fit=False)
        for _ in range(4):
            text = _NUMBER.sub(lambda _: draw.choice(NUMBERS), first.equation)
            params = {name: draw.choice((value, 1.0, -2.5, 0.0)) for name, value in first.params.items()}
            hypothesis = Hypothesis(equation=text, params=params)
            assert repr(read(hypothesis, task, config)) == repr(plainly(hypothesis, config, task)), text


@pytest.mark.parametrize(
    "texts",
    [
        # What is a product in one text is a power in the next.
        ("-theta** 2", "-theta** 3", "-theta** 2.5", "-theta**(1)"),
        ("-theta**2", "-theta**3", "-theta**-2", "-theta**-3"),
        ("2**theta", "3e20**theta", "1e5**theta"),  # fenced where it is typeset in powers of ten
        ("-1e-5*theta", "-1e-7*theta", "-15*theta"),
        ("-rate-5*theta", "-rate-7*theta", "-rate-e5"),
        ("0", "1", "2", "0"),  # nothing has any unit, something has not
        ("2*log(theta)", "3*log(theta)", "0.5*log(theta)"),
        ("1 + 2*(3 - 4/(5*theta))", "10 + 20*(30 - 4/(0.5*theta))", "123456789*(1 - 2/(3*theta)) + 1.5"),
        ("-5*theta", "-1e31*theta", "-6*theta"),
        ("-918273645*theta + 1", "-918273646*theta + 2", "-3*theta + 918273646"),
        ("-1*theta*1.0%", "-2*theta*1.0%"),
    ],
)
def test_a_number_that_shapes_a_law_is_not_read_over(texts: tuple[str, ...]) -> None:
    forget_read()
    for text in texts * 2:
        hypothesis = Hypothesis(equation=f"d2theta/dt2 = {text}", params={"rate": 2.0})
        for config in (VerifierConfig(), VerifierConfig(constants="fitted")):
            assert repr(read(hypothesis, TASK, config)) == repr(plainly(hypothesis, config))


def test_a_long_expression_is_shortened_with_its_own_numbers() -> None:
    forget_read()
    said = []
    for number in ("1", "2.5", "1234567890123", "3", "1234567890124"):
        hypothesis = Hypothesis(equation=f"d2theta/dt2 = {number}*theta + {number}*sin(2*theta)*dtheta")
        law = read(hypothesis, TASK, VerifierConfig())
        assert isinstance(law, Law)
        assert law == plainly(hypothesis, VerifierConfig())
        said.append(str(law.told.units_message))
    assert said[3].endswith("3*theta (1) is added to 3*sin(2*theta)*dtheta (1/s).")
    assert said[4].endswith("1234567890124*theta (1) is added to 1234567890124*sin(2*theta)*dt... (1/s).")


def test_what_one_reader_does_to_a_report_no_other_sees() -> None:
    forget_read()
    hypothesis = Hypothesis(equation="d2theta/dt2 = -k*theta", params={"k": 2.0})
    for _ in range(4):
        law = read(hypothesis, TASK, VerifierConfig())
        assert isinstance(law, Law)
        assert law.told.param_units == {"k": "1/s**2"}
        assert law.parsed.params == {"k": 2.0}
        law.told.param_units["k"] = "m"
        law.parsed.params["k"] = 3.0
