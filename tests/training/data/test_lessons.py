"""Lessons: episodes that begin with a mistake, and the rows that are learnt from them."""

from pathlib import Path

import anyio
import pyarrow.parquet as pq
import pytest

from physix.engine import Episode
from physix.engine.systems import SYSTEMS
from physix.engine.verifier.types import Hypothesis
from physix.policies.chat.compact import COMPACT_VERSION
from physix.policies.chat.reply import parse_completion
from physix.store import open_log
from physix.training.data.files import write_lessons
from physix.training.data.law import Law
from physix.training.data.lessons import LessonPlan, chosen, lessons_of, play_lessons

PLAN = LessonPlan(synthetic=24, systems=12, firsts=1.0)


@pytest.fixture(scope="module")
def played() -> list[tuple[Episode, Law]]:
    async def play() -> list[tuple[Episode, Law]]:
        async with open_log("memory://") as log:
            return [one async for one in play_lessons(log, PLAN, "t")]

    return anyio.run(play)


def test_most_lessons_are_solved_and_many_only_after_a_repair(played: list[tuple[Episode, Law]]) -> None:
    solved = [episode.outcome.turns_to_solve for episode, _ in played]
    assert sum(turns is not None for turns in solved) >= 28
    assert sum((turns or 0) > 1 for turns in solved) >= 15


def test_the_first_turn_is_paired_with_the_law_and_later_ones_with_what_was_played(
    played: list[tuple[Episode, Law]],
) -> None:
    for episode, law in played:
        for row in lessons_of(episode, law):
            reply = row.completion[0]["content"]
            wanted = law.text() if row.turn == 1 else episode.turns[row.turn - 1].submitted.equation
            assert reply == wanted
            read = parse_completion(
                reply, episode.task.variables, constants="fitted", inputs=episode.task.inputs
            )
            assert isinstance(read, Hypothesis)
            assert read.equation == reply


def test_a_lesson_that_was_not_solved_teaches_nothing(played: list[tuple[Episode, Law]]) -> None:
    for episode, law in played:
        if episode.outcome.turns_to_solve is None:
            assert not list(lessons_of(episode, law))


def test_the_held_out_tier_is_never_played(played: list[tuple[Episode, Law]]) -> None:
    held_out = {name for name, system in SYSTEMS.items() if system.held_out}
    assert not held_out & {episode.task.system_id for episode, _ in played}


def test_prompts_tell_no_truth(played: list[tuple[Episode, Law]]) -> None:
    for episode, law in played:
        for row in lessons_of(episode, law):
            if row.turn == 1:
                assert law.text() not in row.prompt[1]["content"]


def test_a_share_of_the_first_turns_is_kept(played: list[tuple[Episode, Law]]) -> None:
    few = LessonPlan(synthetic=24, systems=12, firsts=0.02)
    rows = [row for episode, law in played for row in lessons_of(episode, law)]
    kept = [row for row in rows if chosen(row, few)]
    assert {"repair", "first"} <= {row.kind for row in kept if row.system_id == "synthetic"}
    assert sum(row.kind == "first" for row in kept) < sum(row.kind == "first" for row in rows)
    assert [row for row in rows if row.kind == "repair"] == [row for row in kept if row.kind == "repair"]


def test_written_lessons_are_the_same_bytes_every_time_and_play_only_once(tmp_path: Path) -> None:
    plan = LessonPlan(synthetic=5, systems=6)
    db = f"sqlite:///{tmp_path / 'log.db'}"
    first = anyio.run(write_lessons, db, plan, "t", tmp_path / "a")
    again = anyio.run(write_lessons, db, plan, "t", tmp_path / "b")
    fresh = anyio.run(write_lessons, "memory://", plan, "t", tmp_path / "c")
    assert first["sha256"] == again["sha256"] == fresh["sha256"]
    assert first["renderer"] == COMPACT_VERSION
    assert pq.read_table(tmp_path / "a" / "train.parquet").num_rows == first["rows"]


def test_a_repair_does_what_was_found_and_a_leap_does_not(played: list[tuple[Episode, Law]]) -> None:
    kinds = [row.kind for episode, law in played for row in lessons_of(episode, law) if row.turn > 1]
    assert kinds.count("repair") > kinds.count("leap") > 0
    none = LessonPlan(synthetic=24, systems=12, leaps=0.0)
    rows = [row for episode, law in played for row in lessons_of(episode, law) if chosen(row, none)]
    assert "leap" not in {row.kind for row in rows}
