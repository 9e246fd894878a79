"""What users of OpenEnv's own clients and models expect of any server, asked of ours."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from openenv.core.env_server.types import (
    EnvironmentMetadata,
    HealthResponse,
    ResetRequest,
    ResetResponse,
    SchemaResponse,
    State,
    StepRequest,
    StepResponse,
    WSErrorResponse,
    WSObservationResponse,
    WSStateResponse,
)
from openenv.core.generic_client import GenericAction, GenericEnvClient
from openenv.core.mcp_client import MCPToolClient
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from physix.api.app import create_app
from physix.api.openenv.client import PhysiXAction, PhysiXObservation
from physix.settings import Settings
from tests.policies.chat.ollama_server import serving

TASK: dict[str, Any] = {"system_id": "free_fall", "seed": 7, "max_turns": 3}
LAW = {"equation": "d2y/dt2 = -g", "params": {"g": 9.0}}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(Settings(db="memory://", max_sessions=4))) as base:
        yield base


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120) as client:
        yield client


def opened(url: str) -> Connection:
    return connect(url.replace("http", "ws") + "/ws", open_timeout=120)


@pytest.fixture
def socket(url: str) -> Iterator[Connection]:
    with opened(url) as one:
        yield one


def ask(socket: Connection, kind: str, **data: Any) -> str:
    socket.send(json.dumps({"type": kind, **({"data": data} if data else {})}))
    return str(socket.recv(timeout=120))


def test_the_generic_client_plays_an_episode_and_begins_the_next_on_the_same_socket(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as env:
        for _ in range(2):
            first = env.reset(**TASK)
            assert (first.done, first.reward) == (False, None)
            assert first.observation["turns_remaining"] == 3
            result = env.step(GenericAction(**LAW))
            assert isinstance(result.reward, float)
            state = env.state()
            assert state["step_count"] == 1
            assert state["episode_id"] == first.observation["episode_id"]


def test_a_client_chooses_the_episodes_id_and_its_seed_draws_the_task(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as env:
        first = env.reset(seed=11, episode_id="upstream-1")
        again = env.reset(seed=11, episode_id="upstream-2")
        assert (first.observation["episode_id"], env.state()["episode_id"]) == ("upstream-1", "upstream-2")
        same = {"episode_id", "token"}
        assert {k: v for k, v in first.observation.items() if k not in same} == {
            k: v for k, v in again.observation.items() if k not in same
        }
        other = env.reset(seed=12)
        assert other.observation["trajectories"] != first.observation["trajectories"]


def test_sessions_of_one_client_are_independent(url: str) -> None:
    async def play() -> list[dict[str, Any]]:
        async with GenericEnvClient(base_url=url) as env:
            other = await env.new_session()
            await env.reset(**TASK)
            await other.reset(**{**TASK, "system_id": "spring_mass"})
            await env.step(LAW)
            return [await env.state(), await other.state()]

    mine, theirs = asyncio.run(play())
    assert (mine["system_id"], mine["step_count"]) == ("free_fall", 1)
    assert (theirs["system_id"], theirs["step_count"]) == ("spring_mass", 0)


def test_what_a_session_is_told_to_do_wrongly_is_an_error_of_the_call_and_not_of_the_session(
    url: str,
) -> None:
    with GenericEnvClient(base_url=url).sync() as env:
        with pytest.raises(RuntimeError, match="call reset first"):
            env.step(LAW)
        with pytest.raises(RuntimeError, match="Options:"):
            env.reset(no_such_option=1)
        env.reset(**TASK)
        with pytest.raises(RuntimeError, match="VALIDATION_ERROR"):
            env.step({"equation": 5})
        assert env.step(LAW).reward is not None


def test_beyond_the_last_session_a_client_is_told_why(url: str) -> None:
    with ExitStack() as stack:
        for one in [stack.enter_context(opened(url)) for _ in range(4)]:
            WSObservationResponse.model_validate_json(ask(one, "reset", **TASK))
        one_too_many = stack.enter_context(opened(url))
        error = WSErrorResponse.model_validate_json(one_too_many.recv(timeout=120))
    assert error.data["code"] == "CAPACITY_REACHED"


def test_every_frame_is_one_that_upstreams_models_read(socket: Connection) -> None:
    seen = WSObservationResponse.model_validate_json(ask(socket, "reset", **TASK)).data
    assert (seen["done"], seen["reward"]) == (False, None)
    stepped = WSObservationResponse.model_validate_json(ask(socket, "step", **LAW)).data
    assert stepped["reward"] > 0.0
    state = State.model_validate(WSStateResponse.model_validate_json(ask(socket, "state")).data)
    assert (state.episode_id, state.step_count) == (seen["observation"]["episode_id"], 1)
    for frame, code in (
        ("{", "INVALID_JSON"),
        ('{"type": "dance"}', "UNKNOWN_TYPE"),
        ('{"type": "step", "data": {"nothing": 1}}', "VALIDATION_ERROR"),
    ):
        socket.send(frame)
        error = WSErrorResponse.model_validate_json(socket.recv(timeout=120))
        assert error.data["code"] == code, frame
    assert "state" in ask(socket, "state")


def test_http_requests_and_answers_are_upstreams(http: httpx.Client) -> None:
    health = http.get("/health").json()
    assert health.pop("openenv") == "ready"  # ours alone
    assert HealthResponse.model_validate(health).status == "healthy"
    metadata = EnvironmentMetadata.model_validate(http.get("/metadata").json())
    assert metadata.name == "physix"
    schema = SchemaResponse.model_validate(http.get("/schema").json())
    assert schema.action["required"] == PhysiXAction.model_json_schema()["required"]
    assert set(PhysiXObservation.model_json_schema()["properties"]) <= set(schema.observation["properties"])
    State.model_validate(http.get("/state").json())

    body = ResetRequest.model_validate(TASK).model_dump(exclude_none=True)
    first = ResetResponse.model_validate(http.post("/reset", json=body).json())
    named = {name: first.observation[name] for name in ("episode_id", "token")}
    asked = StepRequest.model_validate({"action": LAW, "request_id": "once", **named})
    answers = [
        StepResponse.model_validate(http.post("/step", json=asked.model_dump(exclude_none=True)).json())
        for _ in range(2)
    ]
    assert answers[0].reward is not None
    assert answers[0].reward > 0.0
    assert (answers[1].reward, answers[1].observation["repeated"]) == (0.0, True)


@pytest.mark.parametrize("address", ["/reset", "/step"])
def test_what_is_no_request_is_refused_with_the_status_that_upstream_gives(
    http: httpx.Client, address: str
) -> None:
    assert http.get(address).status_code == 405
    assert http.post(address, content=b"{", headers={"content-type": "application/json"}).status_code == 422
    assert http.post(address, json=[1]).status_code == 422


def test_the_tool_client_finds_no_tools_and_says_so(url: str, http: httpx.Client) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert http.post("/mcp", json=call).json() == {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}

    async def ask_for_tools() -> None:
        async with MCPToolClient(base_url=url) as env:
            await env.list_tools()

    with pytest.raises(RuntimeError, match="play through /ws, or /reset and /step"):
        asyncio.run(ask_for_tools())


def test_a_frame_that_is_no_text_closes_its_socket_and_is_a_line_in_the_log(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("uvicorn.error")
    level = logger.level
    logger.setLevel(logging.WARNING)  # the server of these tests says nothing
    logger.addHandler(caplog.handler)
    try:
        with opened(url) as one:
            with one.send_context():
                one.protocol.send_text(b"\xff\xfe")
            with pytest.raises(ConnectionClosedError) as closed:
                one.recv(timeout=120)
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    (told,) = {id(one): one for one in caplog.records if "UTF-8" in one.message}.values()
    assert (told.exc_info, told.levelname) == (None, "WARNING")
