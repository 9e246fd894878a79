"""What one record of one quantity can confirm: plain laws; not those that a hidden variable leaves behind."""

import math
import re

import pytest

from physix.engine.systems.task import InputVariable, StateVariable, Task, Trajectory
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.tree import ParsedHypothesis
from physix.policies.search.evidence import Picked, doubt

NOISY = 1e-2
VAN_DER_POL = "d2x/dt2 = -k*x + b*v - d*x**2*v"


def variable(name: str, rate_of: str | None = None, *, estimated: bool = False) -> StateVariable:
    return StateVariable(
        name=name, unit=None, symbol=name, description="", rate_of=rate_of, estimated=estimated
    )


ONE = (variable("x"), variable("v", "x", estimated=True))
WITH_RATE = (variable("x"), variable("v", "x"))
TWO = (*ONE[:1], variable("y"), *ONE[1:], variable("w", "y", estimated=True))
AMOUNT = (variable("u"),)


def task(
    variables: tuple[StateVariable, ...],
    *,
    runs: int = 1,
    inputs: tuple[str, ...] = (),
    measured: bool = True,
) -> Task:
    rows = tuple(tuple(math.sin(i + d) for d in range(len(variables))) for i in range(9))
    run = Trajectory(
        t=tuple(map(float, range(9))),
        states=rows,
        inputs=tuple(tuple(0.0 for _ in inputs) for _ in rows) if inputs else (),
    )
    given = tuple(InputVariable(name=n, unit=None, symbol=n, description="") for n in inputs)
    return Task(
        task_id="t", system_id="csv", title="", tier=None, seed=None, variables=variables, time_unit=None,
        shown=(run,) * runs, noise=0.0, hint="", measured=measured, inputs=given,
    )  # fmt: skip


def told(
    given: Task,
    equation: str,
    left_over: float = NOISY,
    *,
    terms: int = 3,
    alone: bool = False,
    curved: int = 0,
    twin: str | None = None,
    twin_curved: int = 0,
    ahead: float = math.inf,
) -> str | None:
    known = {"sin", *(v.name for v in given.variables), *(one.name for one in given.inputs)}
    params = {word: 1.0 for word in re.findall(r"\b[a-z]\b", equation) if word not in known}
    law = parse(equation, params, given.variables, inputs=given.inputs, functions="extended")
    assert isinstance(law, ParsedHypothesis), law
    picked = Picked(
        law=law, terms=terms, curved=curved, left_over=left_over, alone=alone,
        twin=twin, twin_curved=twin_curved, ahead=ahead,
    )  # fmt: skip
    return doubt(given, picked)


def test_a_quantity_that_its_own_unmeasured_rate_multiplies_may_hide_another() -> None:
    assert "its unmeasured rate multiply each other" in (told(task(ONE), VAN_DER_POL) or "")
    assert "multiply each other" in (told(task(ONE), "d2x/dt2 = -k*(x + a)*v") or "")
    assert told(task(ONE), "d2x/dt2 = -k*sin(x) - b*v") is None


@pytest.mark.parametrize(
    "given",
    [task(WITH_RATE), task(ONE, runs=2), task(ONE, measured=False)],
    ids=["the rate was measured", "two runs", "the noise and the order are known"],
)
def test_more_than_one_record_of_one_quantity_confirms_it(given: Task) -> None:
    assert told(given, VAN_DER_POL) is None


@pytest.mark.parametrize(("left_over", "doubted"), [(1.01e-4, True), (0.99e-4, False)])
def test_what_leaves_over_next_to_nothing_is_no_mere_description(left_over: float, doubted: bool) -> None:
    assert (told(task(ONE), VAN_DER_POL, left_over) is not None) == doubted


@pytest.mark.parametrize(
    ("given", "equation", "most"),
    [
        (task(AMOUNT), "du/dt = a - k*u{}", 2),
        (task(ONE), "d2x/dt2 = a - k*x - b*v{}", 3),
        (task(ONE, inputs=("q",)), "d2x/dt2 = a - k*x - b*v + g*q{}", 4),
        (task(TWO), "d2x/dt2 = a - k*x - b*v; d2y/dt2 = c - d*y - f*w{}", 6),
    ],
    ids=["first order", "second order", "with an input", "two positions"],
)
def test_a_law_may_have_as_many_constants_as_a_linear_one(given: Task, equation: str, most: int) -> None:
    cube = given.variables[0].name
    assert told(given, equation.format("")) is None
    assert f"with {most + 1} constants, more than {most}" in (
        told(given, equation.format(f" + p*{cube}**3")) or ""
    )


def test_positions_of_several_bodies_may_be_multiplied_by_rates() -> None:
    assert told(task(TWO), "d2x/dt2 = x*w**2 - m*x; d2y/dt2 = -c*v*w") is None


@pytest.mark.parametrize(
    ("equation", "terms", "claimed"),
    [
        (VAN_DER_POL, 3, True),
        ("d2x/dt2 = a - k*x - b*v - d*x**3 - p*x**2", 4, True),
        ("d2x/dt2 = a - k*x - b*v - d*x**3 - p*x**2", 5, False),
        ("d2x/dt2 = a*(x + b)*(x + c)*(x + d)*(x + f)*(x + g)", 4, True),
        ("d2x/dt2 = a*(x + b)*(x + c)*(x + d)*(x + f)*(x + g)*(x + h)", 4, False),
    ],
    ids=["van der Pol", "four terms", "five terms", "six constants", "seven constants"],
)
def test_a_short_law_that_no_other_comes_near_is_claimed(equation: str, terms: int, claimed: bool) -> None:
    assert told(task(ONE), equation, terms=terms) is not None
    assert (told(task(ONE), equation, terms=terms, alone=True) is None) == claimed


@pytest.mark.parametrize(("ahead", "doubted"), [(2.9, True), (3.1, False)])
def test_of_two_laws_as_short_that_do_as_well_neither_is_claimed(ahead: float, doubted: bool) -> None:
    twin = "d2x/dt2 = -k*x - f*v**3"
    why = told(task(WITH_RATE), "d2x/dt2 = -k*x - b*v*abs(v)", twin=twin, ahead=ahead)
    assert (why is not None and twin in why) == doubted


def test_but_the_more_linear_one_of_them_is() -> None:
    law, twin = "d2x/dt2 = -k*x - b*v", "d2x/dt2 = -k*x - f*v**3"
    assert told(task(ONE), law, curved=0, twin=twin, twin_curved=1, ahead=0.1) is None
    assert told(task(ONE), law, curved=1, twin=twin, twin_curved=2, ahead=0.1) is None
    assert told(task(ONE), law, curved=1, twin=twin, twin_curved=1, ahead=0.1) is not None
    assert told(task(ONE), law, curved=0, twin="d2x/dt2 = a - k*x", ahead=0.1) is not None
    assert told(task(ONE, measured=False), law, twin=twin, ahead=0.1) is None
