import json
from collections import Counter
from dataclasses import asdict

import pytest

from physix.engine.systems import sample_task
from physix.engine.verifier import CODES, verify
from physix.engine.verifier.separable import MAX_POINTS
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig
from physix.limits import MAX_NUMBER
from tests.engine.verifier.hostile import CASES, Case

TASK, TRUTH = sample_task("free_fall", 5)
BY_CATEGORY = {
    category: [case for case in CASES if case.category == category]
    for category in sorted({case.category for case in CASES})
}


def answer(case: Case, config: VerifierConfig | None = None) -> Verification:
    hypothesis = Hypothesis(equation=case.equation, params=case.params)
    return verify(TASK, TRUTH, hypothesis, best_match=0.0, config=config or VerifierConfig())


def test_the_corpus_is_large_and_varied() -> None:
    assert len(CASES) >= 400
    assert len(BY_CATEGORY) >= 12
    assert all(case.expected in CODES or case.expected.islower() for case in CASES)
    assert max(Counter(case.category for case in CASES).values()) <= len(CASES) / 3


@pytest.mark.parametrize("category", BY_CATEGORY)
def test_every_hostile_input_gets_its_answer(category: str) -> None:
    for case in BY_CATEGORY[category]:
        verified = answer(case)
        rejection = verified.parse.rejection
        got = rejection.code if rejection else verified.simulation.outcome
        assert got == case.expected, f"{str(case.text)[:80]!r}: {got}, not {case.expected}"


@pytest.mark.parametrize("category", BY_CATEGORY)
def test_every_answer_is_bounded_finite_and_printable(category: str) -> None:
    for case in BY_CATEGORY[category]:
        verified = answer(case)
        assert verified.simulation.evaluations <= 10_000
        assert len(json.dumps(asdict(verified), allow_nan=False)) < 60_000
        rejection = verified.parse.rejection
        if rejection is not None:
            assert len(rejection.message) < 400
            assert (rejection.message + rejection.found).isascii()
            assert (rejection.message + rejection.found).isprintable()
            assert verified.reward.total == 0.0


def test_fitted_constants_open_no_hole() -> None:
    fitted = VerifierConfig(constants="fitted")
    for text in (
        "k*1e12*vy",
        "k/0",
        "log(-abs(k))",
        "1/(y-k)",
        "k**k**k",
        "sqrt(k)",
        "sin(1e9*k*t)*1e9",
        "0",
    ):
        verified = answer(Case("fit", text, "", {"k": None}), fitted)
        json.dumps(asdict(verified), allow_nan=False)
        # Simulations and the slopes at their end, and points along the data.
        assert verified.simulation.fit_evaluations <= 500_000 + MAX_POINTS
        assert all(abs(value) <= MAX_NUMBER for value in verified.simulation.fitted.values())
        assert (verified.simulation.fit == "failed") is (verified.simulation.outcome == "fit_failed")
