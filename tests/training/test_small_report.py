"""Measuring small models: arms on the same tasks, findings of other tasks, paired tables."""

import json
import re
from pathlib import Path

import anyio
import pytest

from physix.engine.ports import PastTurn
from physix.engine.systems.task import Task
from physix.errors import BadInputError
from physix.settings import Settings
from physix.training import small_report
from physix.training.small_report import PLANES, Arm, arms_from, measure_arms, plan_of, play_arm


def told(suite: str, episodes: int) -> list[tuple[Task, Task, PastTurn]]:
    """Return each task of a suite with another one and what it would be told of that."""
    pool = anyio.run(small_report._pool, plan_of(Arm(policy="obedient", suite=suite), episodes))
    found = []
    for task, own in pool:
        for other, donor in pool:
            if small_report._differs(other, task):
                found.append((task, other, small_report._told_of(own, other, donor, task)))
    return found


@pytest.mark.parametrize("suite", ["tier 3", PLANES])
def test_what_is_shuffled_is_of_another_law_in_the_names_of_the_task(suite: str) -> None:
    found = told(suite, 6)
    assert found
    for task, other, past in found:
        assert other.system_id != task.system_id or other.task_id != task.task_id
        names = {v.name for v in task.variables}
        assert past.findings is not None
        for finding in past.findings.findings:
            assert finding.target.removeprefix("d2").removeprefix("d").partition("/")[0] in names
            strangers = {v.name for v in other.variables} - names
            assert not strangers & set(re.findall(r"[A-Za-z_]\w*", finding.term))


def test_a_task_is_never_told_what_was_found_about_its_own_system() -> None:
    assert {(task.system_id, other.system_id) for task, other, _ in told("tier 3", 4)} == {
        ("projectile_drag", "charged_b_field"),
        ("charged_b_field", "projectile_drag"),
    }


def test_findings_are_worth_something_to_whoever_obeys_them() -> None:
    def solved(told_of: str) -> int:
        arm = Arm(policy="obedient", suite="tiers 1 and 2", told=told_of)
        return sum(one.solved_within(8) for one in anyio.run(play_arm, "memory://", arm, 6, Settings()))

    assert solved("true") >= 5
    assert solved("none") == 0
    assert solved("shuffled") < solved("true")


def test_arms_are_compared_task_by_task_where_the_list_says_so(tmp_path: Path) -> None:
    rows = [
        {"policy": "obedient", "suite": "tiers 1 and 2", "episodes": 6},
        {"policy": "obedient", "suite": "tiers 1 and 2", "told": "none", "episodes": 6, "against": 0},
    ]
    (tmp_path / "arms.json").write_text(json.dumps(rows))
    arms = arms_from(tmp_path / "arms.json")
    out = tmp_path / "m.md"
    outcomes = measure_arms("memory://", arms, out, Settings())
    assert [len(one) for one in outcomes.values()] == [6, 6]
    line = next(line for line in out.read_text().splitlines() if " less " in line)
    assert line.startswith("| obedient | tiers 1 and 2 | mismatch none less obedient | tiers 1 and 2 | 6 | ")


def test_an_arm_is_compared_with_one_that_was_played_before(tmp_path: Path) -> None:
    (tmp_path / "arms.json").write_text(
        '[{"policy": "obedient", "suite": "tier 3", "episodes": 1, "against": 0}]'
    )
    with pytest.raises(BadInputError, match="does not come before"):
        arms_from(tmp_path / "arms.json")


def test_random_laws_in_a_plane_have_two_equations() -> None:
    arm = Arm(policy="obedient", suite=PLANES)
    for task, truth in plan_of(arm, 5).tasks():
        assert (truth.equation or "").count(";") == 1
        assert len(task.variables) in (2, 4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"told": "nothing"}, "told is 'nothing'"),  # it was shuffled, and the table said nothing
        ({"suite": "tier 4"}, "suite is 'tier 4'"),
        ({"suite": PLANES, "hint": "misleading"}, "use given, removed"),  # it was removed
        ({"colour": "red"}, "Arm 0 .*colour"),
        ({"episodes": "many"}, "Arm 0 .*many"),
    ],
)
def test_an_arm_that_would_measure_something_else_is_refused(
    change: dict[str, str], said: str, tmp_path: Path
) -> None:
    arm = {"policy": "obedient", "suite": "tier 3", "episodes": 1} | change
    (tmp_path / "arms.json").write_text(json.dumps([arm]))
    with pytest.raises(BadInputError, match=said):
        arms_from(tmp_path / "arms.json")


def test_a_file_that_lists_no_arms_is_refused(tmp_path: Path) -> None:
    for name, text in (("no.json", "arms"), ("one.json", '{"policy": "obedient"}')):
        (tmp_path / name).write_text(text)
        with pytest.raises(BadInputError, match="no list of arms"):
            arms_from(tmp_path / name)
    with pytest.raises(BadInputError, match="no list of arms"):
        arms_from(tmp_path / "absent.json")
