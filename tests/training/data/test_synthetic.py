"""Random laws: sound, various, and none of the eight systems."""

from dataclasses import replace

import numpy as np
import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.targets import targets
from physix.engine.systems.task import StateVariable, Trajectory
from physix.engine.verifier import parse, verify
from physix.engine.verifier.correctness import same_structure
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import Finding, Hypothesis, VerifierConfig
from physix.training.data.law import law_of, obeyed, renamed, with_term
from physix.training.data.synthetic import KNOWN_STRUCTURES, Synthetic, _every_term_matters, _is_known, draw

DRAWN = [draw(seed) for seed in range(40)]


def test_the_same_seed_draws_the_same_task() -> None:
    assert draw(7) == draw(7)
    assert draw(7).law != draw(8).law


@pytest.mark.parametrize("drawn", DRAWN[:12], ids=lambda d: d.task.task_id)
def test_the_true_law_is_solved_by_its_own_task(drawn: Synthetic) -> None:
    config = VerifierConfig(profile="strict")
    hypothesis = Hypothesis(equation=drawn.truth.equation or "", params=drawn.truth.params)
    assert verify(drawn.task, drawn.truth, hypothesis, best_match=0.0, config=config).solved


def test_laws_are_of_one_and_two_dimensions_with_inputs_and_of_first_order() -> None:
    kinds = {(len(targets(d.task.variables)), len(d.task.variables), bool(d.task.inputs)) for d in DRAWN}
    assert {(1, 2, False), (2, 4, False), (1, 1, False), (1, 2, True)} <= kinds
    assert {d.task.hint == "" for d in DRAWN} == {True, False}


def test_nothing_of_the_held_out_tier_occurs() -> None:
    for drawn in DRAWN:
        assert "sqrt(" not in drawn.law.text() or len(drawn.task.variables) == 1
        assert not any(word in drawn.task.hint for word in ("magnet", "charge"))


@pytest.mark.parametrize("system_id", list(SYSTEMS))
def test_every_system_is_recognised_whatever_its_variables_are_called(system_id: str) -> None:
    task, truth = sample_task(system_id, 4)
    assert _is_known(task, truth)


@pytest.mark.parametrize("system_id", list(SYSTEMS))
def test_each_known_structure_is_that_of_a_system(system_id: str) -> None:
    task, truth = sample_task(system_id, 4)
    wanted = targets(task.variables)
    like = []
    for known in KNOWN_STRUCTURES:
        if len(known) != len(wanted):
            continue
        rests = [
            (one.left, [(False, s.format(q=one.variable, v=one.driven, o=other.driven)) for s in shapes])
            for shapes, one, other in zip(known, wanted, reversed(wanted), strict=True)
        ]
        law = law_of(rests, [v.name for v in task.variables])
        parsed = parse(law.text(), dict.fromkeys(law.constants(), 1.0), task.variables)
        assert isinstance(parsed, ParsedHypothesis)
        like.append(same_structure(parsed, task, truth))
    assert any(like)


def test_a_law_that_is_none_of_the_eight_passes() -> None:
    for drawn in DRAWN:
        assert not _is_known(drawn.task, drawn.truth)


def test_every_term_moves_something() -> None:
    for drawn in DRAWN[:10]:
        assert np.array(drawn.task.shown[0].states).std(axis=0).min() > 0.0


@pytest.mark.parametrize(("push", "matters"), [(0.075, True), (0.073, False)])
def test_each_term_is_at_least_eight_hundredths_of_its_equation(push: float, matters: bool) -> None:
    # At x = -1 and vx = 0 the sum is 1 - push: the push is 0.0811 and 0.0787 of it.
    x = StateVariable(name="x", unit="m", symbol="x", description="")
    vx = StateVariable(name="vx", unit="m/s", symbol="vx", description="", rate_of="x")
    rest = Trajectory(t=(0.0, 1.0), states=((-1.0, 0.0), (-1.0, 0.0)))
    parsed = parse("d2x/dt2 = -k*x - g", {"k": 1.0, "g": push}, (x, vx))
    assert isinstance(parsed, ParsedHypothesis)
    assert _every_term_matters(parsed, rest) is matters


MISSING = Finding(
    kind="missing", target="d2x/dt2", term="vx", factor=-0.3, error=0.1, size=9.0, role="damping"
)
SPRING = law_of([("d2x/dt2", [(True, "x"), (False, "")])], ["x", "vx"])


def test_constants_are_named_by_their_role_from_left_to_right() -> None:
    law = law_of(
        [("d2x/dt2", [(True, "x"), (True, "vx")]), ("d2y/dt2", [(True, "y"), (False, "")])], ["x", "g"]
    )
    assert law.text() == "d2x/dt2 = -k*x - b*vx; d2y/dt2 = -k2*y + g2"


def test_a_missing_term_is_added_with_its_sign_and_a_superfluous_one_dropped() -> None:
    assert obeyed(SPRING, [MISSING], []).text() == "d2x/dt2 = -k*x + g - b*vx"
    drop = replace(MISSING, kind="superfluous", term="-(k*x)", factor=0.0)
    assert obeyed(SPRING, [drop], []).text() == "d2x/dt2 = g"
    one = replace(MISSING, term="1", factor=2.0)
    assert obeyed(SPRING, [one], []) == SPRING


def test_renaming_gives_one_spelling() -> None:
    messy = with_term(law_of([("d2x/dt2", [])], ["k"]), "d2x/dt2", "x", negative=True, taken=["k"])
    assert renamed(messy, []).text() == "d2x/dt2 = -k*x"
