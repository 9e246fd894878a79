import re
import sys
from collections import Counter

import numpy as np
import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.mismatch import _Series, _shape
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from tests.engine.verifier.planted import PLANTED, SEEDS, Planted

# A claim, and the kinds of error about which it is no lie.
CLAIMS = {
    "wrong sign|sign of a term": {"sign error"},
    "damping is missing": {"damping missing", "wrong asymptote"},
    "too much damping": {"damping excess"},
    "coupling is missing": {"coupling missing"},
    "constant offset is missing": {"offset"},
    "asymptote": {"wrong asymptote", "damping missing", "damping excess", "slope"},
    "its period is": {"period ratio", "phase drift"},
}
PERFECT = "The prediction matches every variable within the noise."


def summary(planted: Planted, seed: int) -> str:
    task, truth = planted.task(seed)
    hypothesis = Hypothesis(equation=planted.equation, params=planted.params(truth))
    verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
    assert verified.parse.rejection is None
    return verified.mismatch


def test_the_summary_names_the_planted_error_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [(planted, summary(planted, seed)) for planted in PLANTED for seed in SEEDS]
    missed = [f"{p}: {text}" for p, text in cases if not re.search(p.words, text)]
    false = [
        f"{p}: {text}"
        for p, text in cases
        for claim, kinds in CLAIMS.items()
        if re.search(claim, text) and p.kind not in kinds
    ]
    named = 1 - len(missed) / len(cases)
    with capsys.disabled():
        kinds = Counter(p.kind for p, _ in cases)
        sys.stdout.write(
            f"\nplanted errors named: {named:.1%} of {len(cases)}, false claims: {len(false)}"
            f"\n{dict(kinds)}\n"
        )
    assert len(cases) >= 60
    assert named >= 0.9, "\n".join(missed)
    assert len(false) <= 0.05 * len(cases), "\n".join(false)


@pytest.mark.parametrize("system_id", SYSTEMS)
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_the_true_law_is_told_of_no_error(system_id: str, noise: float) -> None:
    for seed in range(20):
        task, truth = sample_task(system_id, seed, noise=noise)
        hypothesis = Hypothesis(equation=truth.equation or "", params=truth.params)
        verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
        assert verified.mismatch == PERFECT


T = np.linspace(0.0, 10.0, 101)
SWING = np.sin(2.0 * T)
SHAPES = [
    ("level", "amplitude of x is 1.3 times", SWING, 1.3 * SWING),
    ("level", "centre that is off by 0.8", SWING, SWING + 0.8),
    ("period", "period is 0.8 times", SWING, np.sin(2.5 * T)),
    ("period", "period is 1.25 times", SWING, np.sin(1.6 * T)),
    ("phase", "out of phase", SWING, np.sin(2.04 * T)),
    ("damping", "damping is missing", SWING * np.exp(-0.2 * T), SWING),
    ("damping", "too much damping", SWING, SWING * np.exp(-0.2 * T)),
    ("no swing", "does not", SWING, 0.1 * T),
    ("runaway", "at t = 2.", SWING, np.exp(0.7 * T)),
    ("bend", "bends the other way", T**2, 100.0 + 10.0 * T - T**2),
    ("asymptote", "observed x levels off", 1.0 - np.exp(-0.6 * T), 0.25 * T),
    ("asymptote", "predicted x levels off", 0.4 * T, 1.0 - np.exp(-0.6 * T)),
    ("growth", "changes by 0.5 per unit of time", T, 1.5 * T),
]


@pytest.mark.parametrize(("shape", "words", "observed", "predicted"), SHAPES)
def test_two_curves_show_what_kind_of_error_it_is(
    shape: str, words: str, observed: np.ndarray, predicted: np.ndarray
) -> None:
    found, sentence = _shape("x", _Series(T, observed, predicted))
    assert found == shape
    assert words in sentence


def test_a_summary_stays_short_and_in_ascii() -> None:
    for planted in PLANTED:
        text = summary(planted, SEEDS[0])
        assert text.isascii()
        assert len(text) <= 400
        assert len(re.findall(r"\.(?= |$)", text)) <= 3
