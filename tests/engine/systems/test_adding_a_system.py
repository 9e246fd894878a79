"""The documented example works when pasted."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from physix.engine.systems import SYSTEMS, System, sample_task
from physix.engine.systems.sampling import sample
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig

DOCS = Path(__file__).parents[3] / "docs" / "systems.md"


@pytest.fixture
def example_id() -> Iterator[str]:
    before = set(SYSTEMS)
    code = re.search(r"<!-- example: system -->\n```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code is not None
    exec(code[1], {"__name__": "pasted"})  # noqa: S102  # our own documentation
    (added,) = set(SYSTEMS) - before
    yield added
    del SYSTEMS[added]


def test_the_pasted_example_can_be_sampled_and_its_truth_fits(example_id: str) -> None:
    for seed in range(50):
        task, truth = sample_task(example_id, seed)
        hypothesis = Hypothesis(equation=truth.equation or "", params=truth.params)
        verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
        assert verified.reward.match >= 0.97
        assert (verified.generalisation or 0.0) >= 0.99
        assert verified.parse.units == "ok"


def test_the_pasted_example_draws_its_hidden_starts_as_it_says(example_id: str) -> None:
    for seed in range(20):
        same, opposite = (one.states[0] for one in sample_task(example_id, seed)[1].hidden)
        assert same[0] == same[1] >= 0.6
        assert 0.0 < opposite[1] == -opposite[0] <= 0.1


def test_without_a_declaration_the_hidden_starts_come_from_the_box_of_the_shown_ones(example_id: str) -> None:
    declared = type(SYSTEMS[example_id])
    plain = type("Plain", (declared,), {"sample_hidden_initials": System.sample_hidden_initials})
    for seed in range(20):
        for one in sample(plain(), seed)[1].hidden:
            assert 0.1 <= one.states[0][0] <= 0.5
            assert -0.1 <= one.states[0][1] <= 0.1


def test_the_pasted_example_is_about_fifty_lines(example_id: str) -> None:
    code = DOCS.read_text().partition("<!-- example: system -->\n```python\n")[2].partition("```")[0]
    assert SYSTEMS[example_id].id == example_id
    assert len([line for line in code.splitlines() if line.strip()]) <= 50
