from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import (
    DATASET_VERSION,
    DEMONSTRATION_SEEDS,
    EVALUATION_SEEDS,
    HELD_OUT_SYSTEMS,
    REINFORCEMENT_SEEDS,
    SPLITS,
    TRAINING_SYSTEMS,
    count,
    draw,
    is_for_evaluation,
    manifest_row,
    salt_fingerprint,
    split_task,
    task_row,
)
from physix.errors import BadInputError
from physix.limits import PUBLIC_SALT

# What published numbers rest on: a change here is a change of everybody's tasks.
MANIFEST = {
    "test": (200, "f09bb111cd5e358bb708da32e9cc8d7cce0b50fcce80d01d95dd4702543fca43"),
    "train": (6000, "47533f347edb9cf17b6402a54c196f7bb23d333811029b8df552ab04b45cf50c"),
    "validation": (240, "cb9b38f6574e7d8de9d0a76cfdeb6bf2c038fcc1ffc8dce22c1cc0f85c642178"),
}


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_is_what_it_was_at_its_release(split: str) -> None:
    tasks, sha256 = MANIFEST[split]
    assert manifest_row(split) == {"version": "physix-public-2", "tasks": tasks, "sha256": sha256}


def test_the_openenv_manifest_declares_the_version_of_the_splits() -> None:
    manifest = (Path(__file__).parents[3] / "openenv.yaml").read_text(encoding="utf-8")
    assert f"dataset_version: {DATASET_VERSION}\n" in manifest


def test_servers_with_other_salts_have_other_fingerprints() -> None:
    assert salt_fingerprint("mine") == salt_fingerprint("mine")
    assert salt_fingerprint("mine") != salt_fingerprint(PUBLIC_SALT)


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


def test_the_registry_and_the_splits_hold_out_the_same_systems() -> None:
    assert {system.id for system in SYSTEMS.values() if system.held_out} == set(HELD_OUT_SYSTEMS)
    assert not set(TRAINING_SYSTEMS) & set(HELD_OUT_SYSTEMS)


def test_seeds_to_learn_from_and_to_be_measured_on_are_apart() -> None:
    ranges = sorted((DEMONSTRATION_SEEDS, REINFORCEMENT_SEEDS, EVALUATION_SEEDS), key=lambda one: one.start)
    assert all(one.stop <= other.start for one, other in pairwise(ranges))


def test_a_task_for_evaluation_is_known_by_its_seed_its_split_or_its_missing_seed() -> None:
    task, _ = sample_task("free_fall", 7)
    assert not is_for_evaluation(task)
    assert not is_for_evaluation(task, "train")
    assert is_for_evaluation(task, "validation")
    assert is_for_evaluation(sample_task("free_fall", EVALUATION_SEEDS.start)[0])
    assert is_for_evaluation(split_task("validation", 0)[0])
    assert not is_for_evaluation(replace(task, system_id="csv", seed=None))
