"""`local:` policies over a stand-in for llama.cpp; the real one runs in tests/training/test_smollm2.py."""

import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.systems import sample_task
from physix.engine.verifier.types import VerifierConfig
from physix.errors import PolicyError
from physix.policies import list_policies, make_policy
from physix.policies.chat.policy import Sampling
from physix.policies.chat.prompt import Message, Prompt
from physix.policies.local import backend, models
from physix.policies.local.backend import LocalBackend, LocalPolicy, local_policy
from physix.settings import Settings
from physix.store import open_log

TASK, TRUTH = sample_task("spring_mass", 5)
PROMPT = Prompt((Message("user", "?"),), "v", 1, 0, (), "")
SAMPLING = Sampling(temperature=0.0, max_tokens=5, seed=3)


class Server:
    """Answers as llama.cpp does: a dictionary a token, then the usage; it stops when it is told to."""

    requests: ClassVar[list[dict[str, Any]]] = []
    reply: tuple[str, ...] = ("d2x/dt2", " = ", "-k*x")
    failure: dict[str, Any] | None = None
    told = 0
    ended = threading.Event()

    def __init__(self, params: Any) -> None:
        self.adapters = params.lora_adapters
        self.keeps_mib = params.cache_ram_mib

    def handle_chat_completions(self, request: dict[str, Any], on_part: Callable[[Any], bool]) -> None:
        Server.requests.append(request)
        if Server.failure is not None:
            on_part(Server.failure)
            return
        for text in Server.reply:
            Server.told += 1
            if on_part({"choices": [{"delta": {"content": text}, "finish_reason": None}]}):
                Server.ended.set()
                return
        on_part({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        on_part({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPolicy]:
    """A model that is here, over the stand-in."""
    params = types.SimpleNamespace
    module = types.ModuleType("xllamacpp")
    module.Server = Server  # type: ignore[attr-defined]  # put there
    module.CommonParams = lambda: params(  # type: ignore[attr-defined]  # put there
        model=params(), cpuparams=params(), cpuparams_batch=params(), lora_adapters=[]
    )
    module.CommonAdapterLoraInfo = lambda path, scale: (path, scale)  # type: ignore[attr-defined]  # put there
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    monkeypatch.setattr(backend, "installed", lambda: True)
    monkeypatch.setattr(models.LocalModel, "present", True)
    Server.requests, Server.failure, Server.told = [], None, 0
    Server.reply, Server.ended = ("d2x/dt2", " = ", "-k*x"), threading.Event()
    backend._loaded.cache_clear()
    found = local_policy("local:smollm2")
    assert found is not None
    yield found
    backend._loaded.cache_clear()


async def test_a_turn_is_streamed_counted_and_recorded_with_its_prompt(here: LocalPolicy) -> None:
    tokens: list[str] = []
    config = EpisodeConfig(verifier=VerifierConfig(constants="fitted"))
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=config, policy="local:smollm2", door="test")
        policy = make_policy("local:smollm2", settings=Settings(grammar="off"))
        episode = await engine.play_turn(started.episode_id, policy, tokens.append)
    turn = episode.turns[0]
    assert tokens == ["d2x/dt2", " = ", "-k*x"]
    assert turn.submitted.equation == "d2x/dt2 = -k*x"
    made = turn.submitted.provenance
    assert (made.prompt_version, made.prompt_tokens, made.completion_tokens) == ("compact-2", 7, 3)
    assert "grammar" not in made.sampling
    assert "grammar" not in Server.requests[0]


async def test_the_grammar_goes_to_the_server_and_the_record_says_so(here: LocalPolicy) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="p", door="test")
        policy = make_policy("local:smollm2", settings=Settings())
        episode = await engine.play_turn(started.episode_id, policy, lambda _: None)
    assert Server.requests[0]["grammar"].startswith('root ::= law\nlaw ::= "d2x/dt2 = "')
    assert episode.turns[0].submitted.provenance.sampling["grammar"] == 1.0


async def test_a_stream_that_is_closed_stops_the_server_at_the_next_token(here: LocalPolicy) -> None:
    Server.reply = ("a",) * 10_000_000
    stream = LocalBackend(here).stream(PROMPT, SAMPLING)
    await anext(stream)
    await stream.aclose()
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(Server.ended.wait)
    assert Server.told < 10_000_000


async def test_what_the_server_refuses_is_a_failed_policy(here: LocalPolicy) -> None:
    Server.failure = {"error": {"message": "too long"}}
    with pytest.raises(PolicyError, match="too long"):
        async for _ in LocalBackend(here).stream(PROMPT, SAMPLING):
            pass


async def test_episodes_share_a_server_and_an_adapter_has_one_of_its_own(
    here: LocalPolicy, tmp_path: Path
) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    first = backend._server(here.model.path, None, 1)
    assert backend._server(here.model.path, None, 1) is first
    other = backend._server(here.model.path, tmp_path / "a.gguf", 1)
    assert other is not first
    assert other.adapters == [(str(tmp_path / "a.gguf"), 1.0)]


async def test_a_server_keeps_some_prompts_and_not_gigabytes_of_them(here: LocalPolicy) -> None:
    assert 0 < backend._server(here.model.path, None, 1).keeps_mib <= 512


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"{}", "no GGUF file")])
async def test_an_adapter_that_is_none_is_refused_by_its_name(
    here: LocalPolicy, tmp_path: Path, content: bytes | None, said: str
) -> None:
    adapter = tmp_path / "mine.gguf"
    if content is not None:
        adapter.write_bytes(content)
    with pytest.raises(PolicyError, match=rf"mine\.gguf.*{said}"):
        async for _ in LocalBackend(replace(here, adapter=adapter)).stream(PROMPT, SAMPLING):
            pass


async def test_a_model_that_cannot_be_loaded_is_said_with_its_adapter_and_what_helps(
    here: LocalPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_params: Any) -> None:
        raise RuntimeError("Failed to init server")

    monkeypatch.setattr(sys.modules["xllamacpp"], "Server", refuse)
    with pytest.raises(PolicyError, match=r"adapter mine\.gguf.*Failed to init.*physix models pull"):
        backend._server(here.model.path, tmp_path / "mine.gguf", 1)


def test_what_is_missing_is_said_with_the_command_that_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PHYSIX_MODELS", str(tmp_path))
    monkeypatch.setattr(backend, "installed", lambda: True)
    info = next(one for one in list_policies() if one.name == "local:smollm2")
    assert not info.reachable
    assert info.command == "physix models pull smollm2"
    monkeypatch.setattr(backend, "installed", lambda: False)
    info = next(one for one in list_policies() if one.name == "local:smollm2-physix")
    assert info.command == "pip install 'physix-live[local]'"


def test_only_the_command_line_may_name_another_adapter(tmp_path: Path) -> None:
    name = f"local:smollm2+{tmp_path / 'a.gguf'}"
    assert make_policy(name, allow_files=True).name == name
    with pytest.raises(Exception, match="local:smollm2"):
        make_policy(name)


@pytest.mark.parametrize(
    ("name", "asked", "taken"),
    [
        ("local:smollm2-physix", 0.7, 0.2),
        ("local:smollm2-physix", 0.1, 0.1),
        ("local:smollm2", 0.7, 0.7),
    ],
)
async def test_replies_are_sampled_no_hotter_than_the_policy_says_and_the_record_says_how(
    here: LocalPolicy, name: str, asked: float, taken: float
) -> None:
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        started = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy=name, door="test")
        policy = make_policy(name, settings=Settings(temperature=asked))
        episode = await engine.play_turn(started.episode_id, policy, lambda _: None)
    assert Server.requests[0]["temperature"] == taken
    assert episode.turns[0].submitted.provenance.sampling["temperature"] == taken
