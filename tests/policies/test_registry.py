"""Which names make a policy, and which of them the network may use."""

import json
from pathlib import Path

import pytest

from physix.engine import EpisodeConfig, EpisodeEngine, Provenance, observe
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Constants, Hypothesis
from physix.errors import EpisodeNotFoundError, PolicyError, UnknownPolicyError
from physix.policies import constants_for, list_policies, make_policy
from physix.policies.registry import open_policy
from physix.settings import Settings
from physix.store import open_log


@pytest.mark.parametrize(
    ("policies", "wanted", "constants"),
    [
        (["search"], None, "declared"),
        (["local:smollm2-physix"], None, "fitted"),
        (["search", "local:smollm2+/some/adapter.gguf"], None, "fitted"),
        (["local:smollm2"], "declared", "declared"),
        (["search"], "fitted", "fitted"),
        ([], None, "declared"),
    ],
)
def test_constants_are_found_by_whom_a_policy_is_made_for_unless_somebody_says_otherwise(
    policies: list[str], wanted: Constants | None, constants: Constants
) -> None:
    assert constants_for(policies, wanted) == constants


HERE = Settings(hf_models="tiny, my/other")


@pytest.mark.parametrize(
    "name",
    [
        *("", "oracle", "teacher", "Search", "search ", "search:x", "nano:x"),
        *("scripted:", "scripted:{file}", "hf:{folder}", "hf:tin", "hf:tiny2", "hf:my", "hf:"),
        *("ollama:", "ollama:<tag>", "openai:", "openai:<model>", "ollama", "../search", "replay:x"),
    ],
)
def test_a_name_from_the_network_opens_no_file_and_loads_nothing_unlisted(tmp_path: Path, name: str) -> None:
    (tmp_path / "script.json").write_text('[{"equation": "d2y/dt2 = 1"}]')
    asked = name.format(file=tmp_path / "script.json", folder=tmp_path)
    with pytest.raises(UnknownPolicyError, match=r"search.*hf:tiny.*hf:my/other"):
        make_policy(asked, settings=HERE)


@pytest.mark.parametrize(
    "name", ["search", "nano", "nano-untrained", "ollama:a:b", "openai:m", "hf:my/other"]
)
def test_a_policy_bears_the_name_that_made_it(name: str) -> None:
    assert make_policy(name, settings=HERE).name == name


def test_the_command_line_may_name_files(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"equation": "d2y/dt2 = 1"}]))
    assert make_policy(f"scripted:{script}", allow_files=True, settings=HERE).name == f"scripted:{script}"
    assert make_policy(f"hf:{tmp_path}", allow_files=True, settings=HERE).name == f"hf:{tmp_path}"


def test_every_listed_policy_that_is_reachable_can_be_made_and_no_other_says_why_not() -> None:
    for info in list_policies():
        if info.reachable:
            assert make_policy(info.name).name == info.name
            assert (info.reason, info.command) == (None, None)
        else:
            assert info.reason
            assert info.command


async def test_a_replay_proposes_what_was_recorded_turn_by_turn_and_then_stops() -> None:
    task, truth = sample_task("free_fall", 2)
    laws = [
        Hypothesis(equation="d2y/dt2 = -a", params={"a": 1.5}, rationale="first"),
        Hypothesis(equation="d2y/dt2 = ", params={}, rationale="second"),
    ]
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        first = await engine.start(task, truth, config=EpisodeConfig(), policy="p", door="test")
        for place, law in enumerate(laws):
            await engine.submit(
                first.episode_id, law, provenance=Provenance(policy="p"), raw_completion=f"said {place}"
            )
        replay = await open_policy(f"replay:{first.episode_id}", log)
        other = await engine.start(task, truth, config=EpisodeConfig(), policy="p", door="test")
        for place, law in enumerate(laws):
            proposal = await replay.propose(observe(other), lambda _: None)
            assert (proposal.hypothesis, proposal.raw_completion) == (law, f"said {place}")
            other = await engine.submit(other.episode_id, law, provenance=proposal.provenance)
        with pytest.raises(PolicyError, match="none is left"):
            await replay.propose(observe(other), lambda _: None)
        with pytest.raises(EpisodeNotFoundError):
            await open_policy("replay:nowhere", log)
