"""Several servers of one model: who is asked, who rests, and what an agent notices of it (nothing)."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from physix.errors import BadInputError, PolicyError
from physix.policies.chat import openai
from physix.policies.chat.openai import OpenAIBackend
from physix.policies.chat.policy import Sampling
from physix.policies.chat.pool import Pool, urls_of
from physix.policies.chat.prompt import Message, Prompt
from physix.settings import Settings
from tests.policies.chat.ollama_server import serving

PROMPT = Prompt(
    messages=(Message("user", "What is it?"),), version="1", estimated_tokens=5, rows=0, turns=(), sha256=""
)
SAMPLING = Sampling(temperature=0.0, max_tokens=16, seed=1)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_server_with_the_fewest_requests_is_asked_and_none_gets_more_than_it_may() -> None:
    pool = Pool(("a", "b"), most=2)
    with ExitStack() as stack:
        asked = []
        while (endpoint := pool.free()) is not None:
            asked.append(endpoint.url)
            stack.enter_context(pool.asking(endpoint))
        assert asked == ["a", "b", "a", "b"]
    assert [one.in_flight for one in pool.endpoints] == [0, 0]


def test_a_server_that_fails_rests_twice_as_long_each_time_until_it_answers() -> None:
    clock = Clock()
    pool = Pool(("a", "b"), most=8, clock=clock)
    a, b = pool.endpoints
    rests = []
    for _ in range(8):
        pool.failed(a)
        rests.append(a.rests_until - clock.now)
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert pool.free() is b
    clock.now += 59.9
    assert pool.free() is b
    clock.now += 0.1
    assert pool.free() is a
    pool.answered(a)
    assert (a.failures, a.rests_until) == (0, 0.0)


def test_of_servers_that_all_failed_the_one_that_rested_longest_is_asked() -> None:
    clock = Clock()
    pool = Pool(("a", "b"), most=8, clock=clock)
    a, b = pool.endpoints
    pool.failed(b)
    pool.failed(a)
    pool.failed(a)
    assert pool.free() is b
    assert pool.free(["b"]) is a


@pytest.mark.parametrize("setting", ["", ",", "localhost:1", "http://a/v1,b"])
def test_what_is_no_address_is_refused(setting: str) -> None:
    with pytest.raises(BadInputError, match="http://HOST:PORT/v1"):
        urls_of(setting)
    assert urls_of(" http://a/v1/, http://b/v1,http://a/v1") == ("http://a/v1", "http://b/v1")


@dataclass
class Served:
    """One fake server: how it answers, and what it saw."""

    behaves: str
    url: str = ""
    requests: int = 0
    at_once: int = 0
    most_at_once: int = 0


@contextmanager
def served(*behaviours: str) -> Iterator[list[Served]]:
    """Serve OpenAI's chat API, once for each behaviour."""
    with ExitStack() as stack:
        servers = [Served(behaves) for behaves in behaviours]
        for one in servers:
            one.url = stack.enter_context(serving(_app(one))) + "/v1"
        yield servers


def _app(server: Served) -> Starlette:
    async def reply() -> AsyncIterator[bytes]:
        server.at_once += 1
        server.most_at_once = max(server.most_at_once, server.at_once)
        for n in range(3):
            choice = {"index": 0, "delta": {"content": f"{n}"}, "finish_reason": "stop" if n == 2 else None}
            body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            yield b"data: %b\n\n" % json.dumps({**body, "choices": [choice]}).encode()
            await anyio.sleep(0.01)
            if server.behaves == "breaks" and n == 1:
                server.at_once -= 1
                raise ConnectionResetError("the server was killed")
        server.at_once -= 1
        yield b"data: [DONE]\n\n"

    async def chat(_request: Request) -> Response:
        server.requests += 1
        if server.behaves.isdigit():
            return JSONResponse({"error": {"message": "why"}}, int(server.behaves))
        return StreamingResponse(reply(), media_type="text/event-stream")

    async def models(_request: Request) -> Response:
        listed = [{"id": f"m{server.behaves}", "object": "model", "created": 1, "owned_by": "o"}]
        return JSONResponse({"object": "list", "data": listed})

    return Starlette(
        routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)]
    )


def settings(servers: list[Served], **more: Any) -> Settings:
    return Settings(openai_base_url=",".join(one.url for one in servers), **more)


async def text(backend: OpenAIBackend) -> str:
    async with aclosing(backend.stream(PROMPT, SAMPLING)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


@pytest.mark.parametrize("broken", ["500", "503", "429", "404"])
async def test_another_server_answers_for_one_that_fails_before_it_wrote(broken: str) -> None:
    with served(broken, "well") as (bad, good):
        backend = OpenAIBackend("m", settings([bad, good]))
        assert [await text(backend) for _ in range(4)] == ["012"] * 4
        # A server that lacks the model is well otherwise, and is asked again.
        assert bad.requests == (4 if broken == "404" else 1)
        assert good.requests == 4


async def test_a_reply_that_broke_off_is_a_failure_and_not_begun_anew_elsewhere() -> None:
    with served("breaks", "well") as (bad, good):
        backend = OpenAIBackend("m", settings([bad, good]))
        with pytest.raises(PolicyError, match="broke off"):
            await text(backend)
        assert good.requests == 0
        assert await text(backend) == "012"


@pytest.mark.parametrize("status", ["400", "401"])
async def test_a_request_that_is_wrong_everywhere_is_sent_once(status: str) -> None:
    with served(status, "well") as (bad, good):
        with pytest.raises(PolicyError, match=status):
            await text(OpenAIBackend("m", settings([bad, good])))
        assert (bad.requests, good.requests) == (1, 0)


async def test_when_all_fail_the_last_failure_is_told() -> None:
    with served("500", "503") as servers:
        with pytest.raises(PolicyError, match="503"):
            await text(OpenAIBackend("m", settings(servers)))
        assert [one.requests for one in servers] == [1, 1]


async def test_many_policies_share_the_servers_and_keep_to_what_each_may_have() -> None:
    with served("well", "well") as servers:
        made = settings(servers, openai_in_flight=2)
        found: list[str] = []

        async def ask() -> None:
            found.append(await text(OpenAIBackend("m", made)))

        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(ask)
        assert found == ["012"] * 12
        assert all(one.most_at_once <= 2 for one in servers)
        assert all(one.requests >= 4 for one in servers)


async def test_the_models_of_all_servers_are_listed() -> None:
    with served("1", "2") as servers:
        assert (await openai.look(settings(servers))).models == ("m1", "m2")
        gone = Settings(openai_base_url=f"http://127.0.0.1:9/v1,{servers[0].url}")
        assert (await openai.look(gone)).models == ("m1",)
