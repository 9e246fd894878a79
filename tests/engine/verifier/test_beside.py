"""A found law beside the true one."""

import pytest

from physix.engine.systems import sample_task
from physix.engine.systems.task import StateVariable
from physix.engine.verifier.beside import Coefficient, constants_beside
from physix.engine.verifier.correctness import true_law
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.tree import ParsedHypothesis

X = StateVariable(name="x", unit="m", symbol="x", description="")
V = StateVariable(name="vx", unit="m/s", symbol="v_x", description="", rate_of="x")


def law(text: str, **params: float) -> ParsedHypothesis:
    parsed = parse(f"d2x/dt2 = {text}", params, (X, V), functions="extended")
    assert isinstance(parsed, ParsedHypothesis)
    return parsed


def told(
    found: ParsedHypothesis | None, true: ParsedHypothesis
) -> list[tuple[str, float | None, float | None]]:
    return [(one.form, one.true, one.found) for one in constants_beside(found, true)]


def test_constants_are_paired_by_what_they_multiply_whatever_they_are_called() -> None:
    rows = constants_beside(law("-w*x - c*vx", w=3.9, c=0.5), law("-(k/m)*x - b/m*vx", k=8.0, m=2.0, b=1.0))
    first, second = rows
    assert first == Coefficient(
        target="d2x/dt2", form="x", latex="x", true=-4.0, found=-3.9, percent=first.percent
    )
    assert first.percent == pytest.approx(-2.5)
    assert second == Coefficient(target="d2x/dt2", form="vx", latex="v_x", true=-0.5, found=-0.5, percent=0.0)


def test_a_term_that_only_one_law_has_stands_alone() -> None:
    assert told(law("-4*x + 0.1*cos(2*x)"), law("-4*x - 0.5*vx")) == [
        ("x", -4.0, -4.0),
        ("vx", -0.5, None),
        ("cos(2*x)", None, 0.1),
    ]


def test_products_are_multiplied_out_and_terms_of_one_form_added() -> None:
    assert told(law("-2*(x - 3) - 2*x"), law("6 - 4*x")) == [("1", 6.0, 6.0), ("x", -4.0, -4.0)]


def test_the_order_of_factors_and_repeated_ones_do_not_matter() -> None:
    assert told(law("vx*x*3*x"), law("3*x**2*vx")) == [("vx*x**2", 3.0, 3.0)]


def test_a_number_within_a_function_belongs_to_the_form() -> None:
    assert told(law("a*sin(w*x)", a=1.0, w=3.0), law("sin(2*x)")) == [
        ("sin(2*x)", 1.0, None),
        ("sin(3*x)", None, 1.0),
    ]


def test_a_wrong_sign_is_off_by_two_hundred_percent() -> None:
    (row,) = constants_beside(law("4*x"), law("-4*x"))
    assert row.percent == pytest.approx(-200.0)


def test_without_a_found_law_every_true_constant_stands_alone() -> None:
    task, truth = sample_task("damped_pendulum", 7)
    true = true_law(task, truth)
    assert true is not None
    assert [(row.latex, row.found, row.percent) for row in constants_beside(None, true)] == [
        (r"\sin\left(\theta\right)", None, None),
        (r"\dot{\theta}", None, None),
    ]
