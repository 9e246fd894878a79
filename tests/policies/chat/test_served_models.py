"""Policies over the wire: a faithful Ollama, its failures, and what the log says of them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from anyio import to_thread

from physix.engine import EpisodeConfig, EpisodeEngine, PolicyFailed
from physix.engine.systems import sample_task
from physix.errors import UnknownPolicyError
from physix.policies import discover_policies, make_policy
from physix.policies.chat import ollama
from physix.policies.chat.policy import ChatPolicy
from physix.policies.chat.prompt import PROMPT_VERSION
from physix.settings import Settings
from physix.store import open_log
from tests.policies.chat.ollama_server import REPLY, Ollama, ollama_server

TASK, TRUTH = sample_task("spring_mass", 5)


@pytest.fixture
def daemon() -> Iterator[Ollama]:
    with ollama_server() as running:
        yield running


def settings(daemon: Ollama, **changes: Any) -> Settings:
    return Settings(ollama_host=daemon.url, retry_wait_s=0.0, **changes)


async def played(daemon: Ollama, model: str, **changes: object) -> tuple[EpisodeEngine, str, list[str]]:
    """Play one turn and return where it is recorded, and the tokens seen."""
    tokens: list[str] = []
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        policy = make_policy(f"ollama:{model}", settings=settings(daemon, **changes))
        await engine.play_turn(started.episode_id, policy, tokens.append)
        return engine, started.episode_id, tokens


async def failures(engine: EpisodeEngine, episode_id: str) -> list[PolicyFailed]:
    return [one.event for one in await engine.log.read(episode_id) if isinstance(one.event, PolicyFailed)]


async def test_a_reply_is_streamed_and_becomes_a_turn(daemon: Ollama) -> None:
    engine, episode_id, tokens = await played(daemon, "good")
    turn = (await engine.load(episode_id)).turns[0]
    assert len(tokens) > 3
    assert "".join(tokens) == turn.submitted.raw_completion == REPLY
    assert turn.submitted.equation == "d2x/dt2 = -k*x"


async def test_a_turn_records_where_it_came_from(daemon: Ollama) -> None:
    engine, episode_id, _ = await played(daemon, "good")
    made = (await engine.load(episode_id)).turns[0].submitted.provenance
    assert (made.policy, made.model, made.prompt_version) == ("ollama:good", "good", PROMPT_VERSION)
    assert (made.prompt_tokens, made.completion_tokens) == (321, 27)
    assert made.prompt_sha256
    assert made.sampling["seed"] == daemon.requests[0]["options"]["seed"]


async def test_thinking_is_kept_apart_from_the_answer(daemon: Ollama) -> None:
    engine, episode_id, _ = await played(daemon, "thinks")
    submitted = (await engine.load(episode_id)).turns[0].submitted
    assert submitted.raw_completion == f"<think>A spring, perhaps.</think>{REPLY}"
    assert submitted.params == {"k": 4.0}


@pytest.mark.parametrize(
    ("setting", "sent"), [("auto", None), ("on", True), ("off", False), ("low", "low"), ("max", "max")]
)
async def test_a_model_is_told_whether_to_think_in_ollamas_words(
    daemon: Ollama, setting: str, sent: bool | str | None
) -> None:
    await played(daemon, "thinks", ollama_think=setting)
    assert daemon.requests[0].get("think") == sent


async def test_a_model_that_cannot_think_says_which_setting_to_change(daemon: Ollama) -> None:
    engine, episode_id, _ = await played(daemon, "good", ollama_think="on")
    assert "PHYSIX_OLLAMA_THINK=auto" in (await failures(engine, episode_id))[0].reason


def test_a_level_of_thinking_is_one_word() -> None:
    with pytest.raises(ValueError, match="ollama_think"):
        Settings(ollama_think="very hard")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("absent", "ollama pull absent"),
        ("dies", "broke off"),
        ("error", "llama runner process has terminated"),
        ("stops", "without finishing"),
        ("rambles", "no_hypothesis"),
        ("ponders", "still thinking when it was cut at 1024 tokens: raise PHYSIX_MAX_REPLY_TOKENS"),
        ("loads", "wrote nothing: it was told to load loads"),
    ],
)
async def test_what_goes_wrong_is_recorded_three_times_and_ends_the_episode(
    daemon: Ollama, model: str, reason: str
) -> None:
    engine, episode_id, _ = await played(daemon, model)
    failed = await failures(engine, episode_id)
    finished = (await engine.load(episode_id)).finished
    assert [one.attempt for one in failed] == [1, 2, 3]
    assert all(reason in one.reason for one in failed), failed[0].reason
    assert finished is not None
    assert finished.reason == "policy_failed"


async def test_a_reply_without_a_hypothesis_is_kept_and_the_next_attempt_is_drawn_anew(
    daemon: Ollama,
) -> None:
    engine, episode_id, _ = await played(daemon, "recovers")
    (failed,) = await failures(engine, episode_id)
    seeds = [request["options"]["seed"] for request in daemon.requests]
    assert failed.raw_completion == "Hm."
    assert len(set(seeds)) == 2
    assert len((await engine.load(episode_id)).turns) == 1


async def test_a_silent_server_is_given_up(daemon: Ollama) -> None:
    engine, episode_id, _ = await played(daemon, "slow", model_timeout_s=0.2)
    assert "silent for 0.2 s" in (await failures(engine, episode_id))[0].reason
    # On a busy machine none of the requests may have got that far.
    assert not daemon.writing.is_set() or await to_thread.run_sync(daemon.hung_up.wait, 120)


async def test_cancelling_reaches_the_server(daemon: Ollama) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(played, daemon, "slow")
        assert await to_thread.run_sync(daemon.writing.wait, 120)
        tasks.cancel_scope.cancel()
    assert await to_thread.run_sync(daemon.hung_up.wait, 120)


async def test_no_server_at_all_says_how_to_start_one() -> None:
    nowhere = Ollama(url="http://127.0.0.1:9")
    engine, episode_id, _ = await played(nowhere, "good")
    assert "ollama serve" in (await failures(engine, episode_id))[0].reason


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server that is there take its time to say so; a list on the page would not wait as long."""
    monkeypatch.setattr(ollama, "look", partial(ollama.look, timeout_s=120.0))


@pytest.mark.usefixtures("patient")
async def test_models_of_a_daemon_are_discovered(daemon: Ollama) -> None:
    found = {info.name: info for info in await discover_policies(settings(daemon))}
    assert found["ollama:good"].reachable


@pytest.mark.usefixtures("patient")
async def test_a_daemon_without_models_names_the_command_that_helps() -> None:
    with ollama_server(models=()) as empty:
        (info,) = [i for i in await discover_policies(settings(empty)) if i.name.startswith("ollama:")]
    assert (info.reachable, info.command) == (False, "ollama pull qwen2.5:1.5b-instruct")


async def test_servers_that_do_not_answer_are_listed_with_a_reason() -> None:
    lost = Settings(ollama_host="http://127.0.0.1:9", openai_base_url="http://127.0.0.1:9/v1")
    found = {info.name: info for info in await discover_policies(lost)}
    assert found["ollama:<tag>"].command == "ollama serve"
    assert "no server answers" in (found["openai:<model>"].reason or "")


def test_a_name_from_the_network_cannot_make_the_server_load_a_checkpoint() -> None:
    with pytest.raises(UnknownPolicyError):
        make_policy("hf:/etc", settings=Settings(hf_models="tiny"))
    assert isinstance(make_policy("hf:tiny", settings=Settings(hf_models="tiny, other")), ChatPolicy)
