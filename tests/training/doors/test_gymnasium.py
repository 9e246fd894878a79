"""The Gymnasium environment, by Gymnasium's own checker."""

import gc
import re
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import anyio
import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from physix.engine.systems.splits import split_task
from physix.errors import BadInputError, EpisodeFinishedError
from physix.store import EpisodeFilter, open_log
from physix.training.doors.gymnasium import PhysiXTextEnv

DOCS = Path(__file__).parents[3] / "docs/environment.md"


@pytest.fixture
def env() -> Iterator[PhysiXTextEnv]:
    env = PhysiXTextEnv("free_fall", max_turns=3)
    yield env
    env.close()


@pytest.mark.filterwarnings("ignore:.*spec:UserWarning")
@pytest.mark.filterwarnings("ignore:.*render:UserWarning")
def test_gymnasiums_checker_finds_nothing(env: PhysiXTextEnv) -> None:
    check_env(env, skip_render_check=True)


def test_an_episode_ends_by_solving_or_by_its_turns(env: PhysiXTextEnv) -> None:
    question, _ = env.reset(seed=7)
    assert "t y vy" in question
    _, reward, terminated, truncated, info = env.step('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}')
    assert not truncated
    assert 0.0 < info["match"] <= 1.0
    total = reward
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step("[1, 2")
        total += reward
    assert 0.0 < total <= 1.0
    with pytest.raises(EpisodeFinishedError):
        env.step("d2y/dt2 = 0")


WRITTEN = [
    '{"equation": "d2y/dt2 = -g", "params": {"g": NaN}}',
    '{"equation": "d2y/dt2 = -g", "params": {"g": 1e999}}',
    '{"equation": "d2y/dt2 = -g", "params": {"g": "\\ud800"}}',
    '{"equation": "d2y/dt2 = -g", "params": {"\\ud800": 1}}',
    '{"equation": "d2y/dt2 = -\\ud800", "params": []}',
    '{"equation": ["d2y/dt2", 7], "params": {"g": {"a": [1]}}}',
    "d2y/dt2 = -\ud800",
    "\ud83d d2y/dt2 = -9.81",
    "d2y/dt2 = " + "9" * 5_000,
    "d2y/dt2 = 1e999*y",
    "[" * 4_000,
    '{"equation":' * 400,
    "<think>" * 500,
    "\x00\x1b[2J",
    "",
]


def test_whatever_a_model_writes_is_a_turn() -> None:
    env = PhysiXTextEnv("free_fall", max_turns=len(WRITTEN) + 1)
    env.reset(seed=7)
    for text in WRITTEN:
        told, reward, _, truncated, _ = env.step(text)
        assert (0.0 <= reward <= 1.0, truncated) == (True, False), text[:60]
        assert env.observation_space.contains(told)
    assert "Proposals left: 1." in told


def test_a_reply_that_holds_no_hypothesis_is_told_why() -> None:
    env = PhysiXTextEnv("free_fall")
    env.reset(seed=7)
    told, reward, *_ = env.step('{"equation": "d2y/dt2 = -g", "params": {"g": NaN}}')
    assert reward == 0.0
    assert "NaN" in told or "number" in told


def test_environments_share_one_loop_and_go_when_nobody_holds_them(tmp_path: Path) -> None:
    PhysiXTextEnv("free_fall").reset(seed=0)
    threads = threading.active_count()
    made = [PhysiXTextEnv("free_fall") for _ in range(200)]
    assert threading.active_count() == threads
    gone = [weakref.ref(env) for env in made]
    del made
    gc.collect()
    assert {ref() for ref in gone} == {None}
    env = PhysiXTextEnv("free_fall", db=f"sqlite:///{tmp_path}/log.db")
    env.reset(seed=1)
    del env
    gc.collect()
    assert not list(tmp_path.glob("*-wal"))  # its log was closed


def test_an_episode_that_is_left_is_ended_in_the_log(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/log.db"
    env = PhysiXTextEnv("free_fall", db=db)
    env.reset(seed=1)
    env.reset(seed=2)
    env.close()
    env.close()

    async def outcomes() -> list[str | None]:
        async with open_log(db, read_only=True) as log:
            return [row.outcome for row in (await log.list_episodes(EpisodeFilter())).items]

    assert anyio.run(outcomes) == ["abandoned", "abandoned"]


def test_the_tasks_of_a_split_are_named_by_their_index() -> None:
    env = gymnasium.make("physix.training.doors.gymnasium:PhysiX-v0", split="test", index=3)
    first, _ = env.reset(seed=1)
    assert env.reset(seed=2)[0] == first
    assert env.reset(options={"split": "test", "index": 4})[0] != first
    task, _ = split_task("test", 3)
    assert task.hint in first
    for wrong in (
        {"split": "dev"},
        {"split": "test", "index": 200},
        {"index": 1},
        {"split": "test", "index": True},
    ):
        with pytest.raises(BadInputError):
            PhysiXTextEnv(**wrong)


def test_what_is_read_first_names_grammar_goal_and_budget(env: PhysiXTextEnv) -> None:
    told, _ = env.reset(seed=7)
    assert "sin cos tan" in told
    assert "You have 3 proposals" in told
    assert "no larger than the noise" in told
    lenient, _ = PhysiXTextEnv("free_fall", profile="classic").reset(seed=7)
    assert "above 0.93" in lenient


def test_misuse_is_named(env: PhysiXTextEnv) -> None:
    with pytest.raises(BadInputError, match="reset first"):
        env.step("d2y/dt2 = 0")
    with pytest.raises(BadInputError, match="colour"):
        env.reset(options={"colour": 1})
    with pytest.raises(BadInputError, match="Unknown system"):
        PhysiXTextEnv("perpetuum")


def test_the_documented_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"<!-- example: gymnasium -->\n```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code is not None
    exec(code[1], {})  # noqa: S102  # our own documentation
    assert "return" in capsys.readouterr().out
