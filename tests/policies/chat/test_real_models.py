"""A real llama.cpp server and a real Transformers model, both with the same tiny random weights."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import xllamacpp

from physix.engine import EpisodeConfig, EpisodeEngine, PolicyFailed, observe
from physix.engine.systems import sample_task
from physix.errors import PolicyError
from physix.policies import discover_policies, make_policy
from physix.policies.chat.policy import ChatPolicy, Sampling
from physix.policies.chat.prompt import render
from physix.settings import Settings
from physix.store import open_log
from tests.policies.chat.tiny_model import write_gguf, write_transformers

pytest.importorskip("torch", reason="the weights are made with torch (extra `train`)")
TASK, TRUTH = sample_task("spring_mass", 5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"tiny"}
    params.n_ctx, params.n_parallel, params.port = 4_096, 1, 0
    params.cpuparams.n_threads = 1
    running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    write_transformers(folder)
    return folder


def served(server: str, **changes: Any) -> Settings:
    return Settings(openai_base_url=server, retry_wait_s=0.0, **changes)


async def test_a_real_server_is_discovered(server: str) -> None:
    found = {info.name: info.reachable for info in await discover_policies(served(server))}
    assert found["openai:tiny"]


async def test_noise_from_a_real_model_is_streamed_and_recorded_as_unparseable(server: str) -> None:
    tokens: list[str] = []
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        policy = make_policy("openai:tiny", settings=served(server, max_reply_tokens=48))
        episode = await engine.run(started.episode_id, policy, tokens.append)
        failed = [
            one.event for one in await log.read(episode.episode_id) if isinstance(one.event, PolicyFailed)
        ]
    assert len(tokens) > 10
    assert episode.finished is not None
    assert episode.finished.reason == "policy_failed"
    assert "".join(one.raw_completion or "" for one in failed) == "".join(tokens)


async def test_a_real_server_stops_writing_when_cancelled(server: str) -> None:
    wrote = threading.Event()
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        policy = make_policy("openai:tiny", settings=served(server, max_reply_tokens=2_000, temperature=2.0))
        async with anyio.create_task_group() as tasks:

            def cancel(_: str) -> None:
                wrote.set()
                tasks.cancel_scope.cancel()

            tasks.start_soon(engine.play_turn, started.episode_id, policy, cancel)
        assert wrote.is_set()
        # The server has one slot: it answers again only because it let go of the first request.
        again = make_policy("openai:tiny", settings=served(server, max_reply_tokens=16))
        with pytest.raises(PolicyError, match="Unusable reply"):
            await again.propose(observe(await engine.load(started.episode_id)), lambda _: None)


async def test_a_context_that_is_too_small_is_the_servers_own_words(server: str) -> None:
    policy = make_policy("openai:tiny", settings=served(server, prompt_tokens=60_000))
    long = TASK.hint + " word" * 4_000
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)

        task = replace(TASK, hint=long)
        started = await engine.start(task, TRUTH, config=EpisodeConfig(), policy="test", door="test")
        with pytest.raises(PolicyError, match="The server answered 400"):
            await policy.propose(observe(started), lambda _: None)


async def test_a_local_checkpoint_writes_the_same_reply_for_the_same_seed(checkpoint: Path) -> None:
    policy = make_policy(f"hf:{checkpoint}", allow_files=True, settings=Settings())
    assert isinstance(policy, ChatPolicy)
    async with open_log("memory://") as log:
        started = await EpisodeEngine(log).start(
            TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test"
        )
    prompt = render(observe(started))
    backend = policy.backend
    replies = []
    for seed in (1, 1, 2):
        sampling = Sampling(temperature=1.0, max_tokens=12, seed=seed)
        chunks = [chunk async for chunk in backend.stream(prompt, sampling)]
        replies.append("".join(chunk.text for chunk in chunks))
        assert chunks[-1].completion_tokens == 12
    assert replies[0] == replies[1] != replies[2]


async def test_a_checkpoint_that_is_not_there_is_a_failure_in_one_line(tmp_path: Path) -> None:
    policy = make_policy(f"hf:{tmp_path / 'nothing'}", allow_files=True, settings=Settings())
    async with open_log("memory://") as log:
        started = await EpisodeEngine(log).start(
            TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test"
        )
    with pytest.raises(PolicyError, match="Cannot load"):
        await policy.propose(observe(started), lambda _: None)
