"""Lessons: episodes that begin with a mistake, and the rows that are learnt from them."""

from dataclasses import replace
from pathlib import Path

import anyio
import pyarrow.parquet as pq
import pytest

from physix.engine import Episode
from physix.engine.episode import observe
from physix.engine.systems import SYSTEMS
from physix.engine.verifier.types import Hypothesis
from physix.policies.chat.compact import COMPACT_VERSION
from physix.policies.chat.reply import parse_completion
from physix.store import open_log
from physix.training.data.files import write_lessons
from physix.training.data.law import Law
from physix.training.data.lessons import LessonPlan, begun, chosen, lessons_of, mended, play_lessons
from physix.training.data.synthetic import draw

PLAN = LessonPlan(synthetic=24, systems=12, plane_firsts=1.0, line_firsts=1.0)


@pytest.fixture(scope="module")
def played() -> list[tuple[Episode, Law]]:
    async def play() -> list[tuple[Episode, Law]]:
        async with open_log("memory://") as log:
            return [one async for one in play_lessons(log, PLAN, "t")]

    return anyio.run(play)


def test_most_lessons_are_solved_and_many_only_after_a_repair(played: list[tuple[Episode, Law]]) -> None:
    solved = [episode.outcome.turns_to_solve for episode, _ in played]
    assert sum(turns is not None for turns in solved) >= 20
    assert sum((turns or 0) > 1 for turns in solved) >= 15


def test_every_later_turn_does_what_its_prompt_says_and_nothing_else(
    played: list[tuple[Episode, Law]],
) -> None:
    later = 0
    for episode, law in played:
        taken = [*(v.name for v in episode.task.variables), *(i.name for i in episode.task.inputs)]
        for row in lessons_of(episode, law):
            if row.turn == 1:
                continue
            seen = observe(replace(episode, turns=episode.turns[: row.turn - 1], finished=None))
            done = mended(seen, taken)
            reply = row.completion[0]["content"]
            assert done is None or reply == done.text()
            assert f"Law: {reply}\n" not in row.prompt[1]["content"]
            later += 1
    assert later >= 15


def test_a_first_law_is_whole_along_a_line_and_plain_in_a_plane() -> None:
    seen = set()
    for seed in range(30):
        drawn = draw(seed)
        law = begun(drawn.law, drawn.task, "plain")
        if len(law.equations) == 1:
            assert law == drawn.law
        else:
            names = [v.name for v in drawn.task.variables if v.rate_of is not None]
            assert not [term for _, terms in law.equations for term in terms if term.rest in names]
            seen.add(law == drawn.law)
    assert seen == {True, False}


def test_replies_are_read_as_they_were_written(played: list[tuple[Episode, Law]]) -> None:
    for episode, law in played:
        for row in lessons_of(episode, law):
            reply = row.completion[0]["content"]
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
    few = LessonPlan(synthetic=24, systems=12, plane_firsts=0.1, line_firsts=0.0, system_firsts=0.0)
    rows = [row for episode, law in played for row in lessons_of(episode, law)]
    kept = [row for row in rows if chosen(row, few)]
    assert 0 < sum(row.turn == 1 for row in kept) < sum(row.turn == 1 for row in rows)
    assert all(row.system_id == "synthetic" for row in kept if row.turn == 1)
    assert [row for row in rows if row.turn > 1] == [row for row in kept if row.turn > 1]


def test_written_lessons_are_the_same_bytes_every_time_and_play_only_once(tmp_path: Path) -> None:
    plan = LessonPlan(synthetic=5, systems=6)
    db = f"sqlite:///{tmp_path / 'log.db'}"
    first = anyio.run(write_lessons, db, plan, "t", tmp_path / "a")
    again = anyio.run(write_lessons, db, plan, "t", tmp_path / "b")
    fresh = anyio.run(write_lessons, "memory://", plan, "t", tmp_path / "c")
    assert first["sha256"] == again["sha256"] == fresh["sha256"]
    assert first["renderer"] == COMPACT_VERSION
    assert pq.read_table(tmp_path / "a" / "train.parquet").num_rows == first["rows"]
