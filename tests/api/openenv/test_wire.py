"""What JSON the server reads, what it answers to frames that are none of ours, and when it hangs up."""

import json
from typing import Any, get_args

import anyio
import pytest
from fastapi.testclient import TestClient
from openenv.core.env_server.types import WSErrorCode
from starlette.types import Message, Receive, Scope, Send

from physix.api.app import create_app
from physix.api.openenv.wire import MAX_DEPTH, Code, WireFaultError, WireGuard, strict_json
from physix.api.seats import Seats
from physix.settings import Settings
from tests.api.openenv.spoken import say

SEATS = Seats(most=8, of_a_client=None)


def nested(levels: int, *, lists: bool) -> str:
    opening, closing = ("[", "]") if lists else ('{"a":', "}")
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize("lists", [True, False])
def test_json_is_read_down_to_its_bound_and_no_deeper(lists: bool) -> None:
    assert strict_json(nested(MAX_DEPTH, lists=lists)) == json.loads(nested(MAX_DEPTH, lists=lists))
    for levels in (MAX_DEPTH + 1, 1_000, 100_000):
        with pytest.raises(WireFaultError):
            strict_json(nested(levels, lists=lists))


@pytest.mark.parametrize(
    "raw",
    ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", '"\\ud800"', "", "{", "{'a': 1}", b"\xff", "1 2"],
)
def test_what_is_no_json_is_refused(raw: str | bytes) -> None:
    with pytest.raises(WireFaultError):
        strict_json(raw)


HOSTILE = [
    '{"type": "step", "data": {"equation": "x", "params": {"k": NaN}}}',
    '{"type": "step", "data": {"equation": "x", "params": {"k": 1e999}}}',
    '{"type": "step", "data": {"equation": "\\ud800"}}',
    '{"type": "step", "data": {"equation": "' + "x" * 1_000_000 + '"}}',
    '{"type": "step", "data": {"equation": 7}}',
    '{"type": "step", "data": []}',
    '{"type": "step"}',
    '{"type": "reset", "data": {"seed": ' + "9" * 5_000 + "}}",
    '{"type": "reset", "data": {"seed": "' + "9" * 50 + '"}}',
    '{"type": "mcp", "data": {"method": "openenv/session/create"}}',
    '{"type": 5}',
    "[]",
    "7",
    "null",
    "{",
    "[" * 5_000,
    '{"data":' * 40 + "1" + "}" * 40,
]


def test_no_frame_kills_a_session(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        first = say(socket, "reset", system_id="free_fall", seed=1)["data"]["observation"]
        for frame in HOSTILE:
            socket.send_text(frame)
            assert socket.receive_json()["type"] == "error", frame[:80]
        socket.send_bytes(b"\x00\xff")
        assert socket.receive_json()["type"] == "error"
        state = say(socket, "state")["data"]
    assert (state["episode_id"], state["step_count"]) == (first["episode_id"], 0)


@pytest.mark.parametrize(
    "path", ["/reset", "/step", "/mcp", "/physix/tasks", "/physix/task", "/nowhere/tasks"]
)
@pytest.mark.parametrize(
    "body", [*HOSTILE, "", "{}", '{"split": "dev"}', '{"split": "test", "index": -1}', '{"action": {}}']
)
def test_no_body_is_a_server_error(client: TestClient, path: str, body: str) -> None:
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "INVALID_JSON"),
        ('{"type": "step", "data": {"equation": "x", "params": {"k": NaN}}}', "INVALID_JSON"),
        ('{"type": "dance"}', "UNKNOWN_TYPE"),
        ('{"type": 5}', "UNKNOWN_TYPE"),
        ("[]", "VALIDATION_ERROR"),
        ('{"type": "step", "data": []}', "VALIDATION_ERROR"),
        ('{"type": "step", "data": {"equation": 7}}', "VALIDATION_ERROR"),
        ('{"type": "reset", "data": {"system_id": "perpetuum"}}', "EXECUTION_ERROR"),
    ],
)
def test_a_refused_frame_bears_the_code_that_openenv_gives_it(
    client: TestClient, frame: str, code: str
) -> None:
    with client.websocket_connect("/ws") as socket:
        socket.send_text(frame)
        assert socket.receive_json()["data"]["code"] == code


def test_our_codes_are_openenvs() -> None:
    assert set(get_args(Code)) <= {code.value for code in WSErrorCode}


async def test_nothing_is_said_to_a_client_that_left() -> None:
    said: list[str] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        # As OpenEnv does: an answer that cannot be sent is followed by an error that cannot be sent.
        for _ in range(3):
            await send({"type": "websocket.send", "text": "answer"})

    async def gone(message: Any) -> None:
        said.append(message["type"])
        raise OSError("The client left.")

    async def receive() -> Any:
        return {"type": "websocket.disconnect", "code": 1006}

    guard = WireGuard(app, max_bytes=1_000, idle_s=1.0, quota=None, seats=SEATS)
    await guard({"type": "websocket", "path": "/ws"}, receive, gone)
    assert said == ["websocket.send"]


def test_a_socket_that_sends_nothing_is_closed_with_a_reason() -> None:
    app = create_app(Settings(db="memory://", idle_s=0.01))
    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        assert "without a message" in socket.receive_json()["data"]["message"]


async def test_a_session_that_works_longer_than_it_may_be_idle_is_not_closed() -> None:
    """A fit takes its time: only waiting for the client counts. Frames are there when they are asked for."""
    frames = [{"type": "websocket.receive", "text": json.dumps({"type": "state"})}] * 3
    taken: list[str] = []
    sent: list[str] = []

    async def receive() -> Message:
        if frames:
            return frames.pop()
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message.get("text", ""))

    async def working(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            taken.append(message["text"])
            await anyio.sleep(0.05)

    guard = WireGuard(working, max_bytes=1_000, idle_s=0.01, quota=None, seats=SEATS)
    await guard({"type": "websocket", "path": "/ws"}, receive, send)
    assert len(taken) == 3
    assert [("without a message" in text) for text in sent] == [True]
