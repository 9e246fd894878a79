"""The Gymnasium environment, by Gymnasium's own checker."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from gymnasium.utils.env_checker import check_env

from physix.errors import BadInputError, EpisodeFinishedError
from physix.training.doors.gymnasium import PhysiXTextEnv

DOCS = Path(__file__).parents[3] / "docs/environment.md"


@pytest.fixture
def env() -> Iterator[PhysiXTextEnv]:
    env = PhysiXTextEnv("free_fall", max_turns=3)
    yield env
    env.close()


# The checker says that an environment that is not registered has no spec; it is right, and none is needed.
@pytest.mark.filterwarnings("ignore:.*spec:UserWarning")
@pytest.mark.filterwarnings("ignore:.*render:UserWarning")
def test_gymnasiums_checker_finds_nothing(env: PhysiXTextEnv) -> None:
    check_env(env, skip_render_check=True)


def test_an_episode_ends_by_solving_or_by_its_turns(env: PhysiXTextEnv) -> None:
    question, _ = env.reset(seed=7)
    assert "t y vy" in question
    _, reward, terminated, truncated, info = env.step('{"equation": "d2y/dt2 = -g", "params": {"g": 9.81}}')
    assert (terminated, truncated) == (info["match"] > 0.93, False)
    total = reward
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step("[1, 2")
        total += reward
    assert 0.0 < total <= 1.0
    with pytest.raises(EpisodeFinishedError):
        env.step("d2y/dt2 = 0")


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
