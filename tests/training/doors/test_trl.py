"""TRL's door, against the real server."""

import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from physix.engine.systems import sample_task
from physix.errors import BadInputError, InfrastructureError
from physix.training.doors.trl import PhysiXEpisode
from physix.training.doors.words import NOT_COUNTED
from tests.api.test_server import free_port, server
from tests.training.doors.test_outage import SEEN, door

ROOT = Path(__file__).parents[3]


def propose(episode: PhysiXEpisode, equation: str) -> str:
    return asyncio.run(episode.submit_hypothesis(equation))


def test_an_episode_is_played_through_its_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("PHYSIX_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("PHYSIX_OUTAGE_S", "0.01")
    code = re.search(
        r"<!-- example: trl -->\n```python\n(.*?)```", (ROOT / "docs/environment.md").read_text(), re.DOTALL
    )
    assert code is not None
    with server(tmp_path / "log.db", port):
        episode = PhysiXEpisode()
        question = episode.reset(prompt="ignored", system_id="free_fall", seed=7, max_turns=2)
        assert "t y vy" in question
        first_words = question.partition("\n\n" + sample_task("free_fall", 7)[0].hint)[0]
        for told in ("sin cos tan", "no larger than the noise", "You have 2 proposals"):
            assert told in first_words
        assert episode.get_reward() == 0.0
        refused = propose(episode, "x" * 5_000)
        assert refused.startswith("Refused: ")
        assert "at most 4096 characters" in refused
        assert "http" not in refused
        assert "{" not in refused
        assert "Proposals left: 1" in propose(episode, "d2y/dt2 = 0")
        propose(episode, "d2y/dt2 = -9.0")
        assert 0.0 < episode.get_reward() <= 1.0
        assert "over" in propose(episode, "d2y/dt2 = 0")
        with pytest.raises(BadInputError, match="Unknown system"):
            episode.reset(system_id="perpetuum")
        example = code[1].replace(":8000", f":{port}")
        done = subprocess.run(
            [sys.executable, "-c", example], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
    with pytest.raises(InfrastructureError, match="Cannot reach"):
        episode.reset(system_id="free_fall")


def test_of_the_calls_in_one_message_only_the_first_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sent, _ = door(200)
    monkeypatch.setattr("physix.training.doors.trl.Door", lambda *_args, **_options: made)
    episode = PhysiXEpisode()
    episode.reset(system_id="free_fall")
    assert sent[0] | {"profile": "strict", "reward_mode": "gain"} == sent[0]
    SEEN.update(reward_breakdown={"total": 0.4, "match": 0.3}, turns_remaining=7, mismatch="Too low.")

    async def message() -> list[str]:
        # As TRL runs the calls of one message.
        return await asyncio.gather(*(episode.submit_hypothesis(f"d2y/dt2 = -{g}") for g in range(9)))

    first, *others = asyncio.run(message())
    assert first.startswith("Match 0.300, score 0.400. Too low.")
    assert others == [NOT_COUNTED] * 8
    assert [one["action"] for one in sent[1:]] == [{"equation": "d2y/dt2 = -0", "params": {}}]
    assert asyncio.run(episode.submit_hypothesis("d2y/dt2 = -1")).startswith("Match")
    assert episode.get_reward() == 0.4


def test_trl_is_offered_no_tool_that_it_would_call_without_the_model_reading_between() -> None:
    tools = [
        method
        for name, method in inspect.getmembers(PhysiXEpisode, inspect.isfunction)
        if not name.startswith("_") and name not in ("reset", "get_reward")
    ]
    assert [tool.__name__ for tool in tools] == ["submit_hypothesis"]
    assert all(inspect.iscoroutinefunction(tool) for tool in tools)


def test_the_door_imports_no_torch_and_no_openenv() -> None:
    code = "import sys, physix.training.doors.trl; print({'torch', 'trl', 'openenv'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
