"""The published laws that ship with the package."""

import math

import numpy as np
import pytest

from physix.engine.verifier.grammar import parse
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import ParsedHypothesis
from physix.training.suites import OdeCase, odebench

CASES = {case.id: case for case in odebench().cases}


def motion(case: OdeCase, start: tuple[float, ...], t: list[float]) -> list[tuple[float, ...]]:
    parsed = parse(case.equation, dict(case.parameters), case.state_variables)
    assert isinstance(parsed, ParsedHypothesis), (case.id, parsed)
    run = integrate(parsed, np.array(t), start, max_evaluations=200_000)
    assert run.outcome == "ok", (case.id, run.outcome)
    return [tuple(row) for row in run.states.tolist()]


def test_odebench_has_its_63_laws_and_names_source_and_licence() -> None:
    suite = odebench()
    assert len(CASES) == len(suite.cases) == 63
    assert "arXiv:2310.05573" in suite.about
    assert suite.notice.startswith("MIT License. Copyright (c) 2023 Stephane d'Ascoli.")


def test_every_law_parses_and_runs_from_both_starts() -> None:
    for case in CASES.values():
        for start in case.starts:
            assert len(start) == len(case.variables)
            assert len(motion(case, start, [0.0, case.t_end / 2.0, case.t_end])) == 3


def test_the_charging_capacitor_follows_its_exponential() -> None:
    case = CASES["odebench-01"]
    a, b, c = (case.parameters[name] for name in "abc")
    (x0,) = case.starts[0]
    ((_,), (x,)) = motion(case, (x0,), [0.0, 3.0])
    assert x == pytest.approx(a * b + (x0 - a * b) * math.exp(-3.0 / (b * c)), rel=1e-7)


def test_the_logistic_law_follows_its_closed_form() -> None:
    case = CASES["odebench-06"]
    a, b = case.parameters["a"], case.parameters["b"]
    (x0,) = case.starts[0]
    ((_,), (x,)) = motion(case, (x0,), [0.0, 2.0])
    assert x == pytest.approx(a / (b + (a / x0 - b) * math.exp(-2.0 * a)), rel=1e-7)
