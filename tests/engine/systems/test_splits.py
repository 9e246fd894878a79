from dataclasses import asdict

import pytest

from physix.engine.systems import SYSTEMS
from physix.engine.systems.splits import PUBLIC_SALT, SPLITS, count, draw, manifest_row, split_task, task_row
from physix.errors import BadInputError

# What published numbers rest on: a change here is a change of everybody's tasks.
MANIFEST: dict[str, dict[str, str | int]] = {
    "test": {"sha256": "1e470f484773315d3a6a86c8ef906d10b1c8ee3a92437fd7fe81c14032603177", "tasks": 200},
    "train": {"sha256": "ac03ad94ce281b7763229641ed31ad50a31d4a5932f869df81bea4b75c880210", "tasks": 6000},
    "validation": {
        "sha256": "8c6ba50554500ad92d61c60ac088f33dda439c0e3153e6da2a5ad877a6b97023",
        "tasks": 240,
    },
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_is_what_it_was_at_its_release(split: str) -> None:
    assert manifest_row(split) == MANIFEST[split]


def test_the_test_split_is_held_out_and_training_is_not() -> None:
    assert {draw("test", i).system_id for i in range(count("test"))} == {
        system.id for system in SYSTEMS.values() if system.held_out
    }
    assert all(not SYSTEMS[draw("train", i).system_id].held_out for i in range(24))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_evaluation_task_says_nothing_of_its_draw(split: str) -> None:
    drawn = draw(split, 3, salt=PUBLIC_SALT)
    task, _ = split_task(split, 3)
    assert str(drawn.seed) not in str(asdict(task))
    assert task.seed is None
    assert set(task_row(split, 3)) == {"id", "split", "index"}


def test_another_salt_is_another_set_of_evaluation_tasks_but_the_same_training() -> None:
    assert draw("test", 0, salt="mine").seed != draw("test", 0).seed
    assert draw("train", 7, salt="mine") == draw("train", 7)


def test_evaluation_draws_do_not_repeat_or_touch_training() -> None:
    seeds = [draw(split, i).seed for split in ("validation", "test") for i in range(count(split))]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > 1_000


@pytest.mark.parametrize(("split", "index"), [("dev", 0), ("test", -1), ("test", 200), ("train", True)])
def test_what_is_not_in_a_split_is_an_error(split: str, index: int) -> None:
    with pytest.raises(BadInputError):
        draw(split, index)
