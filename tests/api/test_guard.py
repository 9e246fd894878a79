"""Bounds on bodies and the guard's token, with and without what a client says of itself."""

import base64
from collections.abc import Iterator

import anyio
import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from physix.api.app import create_app
from physix.api.middleware import Guard
from physix.api.origin import Neighbours
from physix.settings import Settings

LIMIT = 2_048
PATH = "/interactive/sessions/any/step"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(db="memory://", max_body_bytes=LIMIT, max_csv_body_bytes=2 * LIMIT)
    with TestClient(create_app(settings, openenv=False)) as running:
        yield running


def body(size: int) -> bytes:
    return b'{"equation": "' + b"x" * (size - 16) + b'"}'


def in_pieces(whole: bytes) -> Iterator[bytes]:
    """A body whose length nobody says beforehand."""
    for start in range(0, len(whole), 100):
        yield whole[start : start + 100]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 404), (LIMIT + 1, 413), (100 * LIMIT, 413)])
def test_a_body_is_taken_up_to_its_bound(client: TestClient, size: int, status: int, told: bool) -> None:
    whole = body(size)
    assert len(whole) == size
    headers = {"content-type": "application/json"}
    answer = client.post(PATH, content=whole if told else in_pieces(whole), headers=headers)
    assert answer.status_code == status
    assert ("content-length" in answer.request.headers) is told


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("size", "refused"), [(2 * LIMIT, False), (2 * LIMIT + 1, True)])
def test_tables_have_a_bound_of_their_own(client: TestClient, size: int, refused: bool, told: bool) -> None:
    whole = body(size)
    headers = {"content-type": "application/json"}
    answer = client.post("/api/csv/check", content=whole if told else in_pieces(whole), headers=headers)
    assert (answer.status_code == 413) is refused


def test_a_lie_about_the_length_gains_nothing(client: TestClient) -> None:
    answer = client.post(
        PATH, content=body(10 * LIMIT), headers={"content-type": "application/json", "content-length": "10"}
    )
    assert answer.status_code in (400, 413, 422)


async def read_all(_scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads its whole body, as any route does."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(("told", "reads"), [(None, LIMIT // 100 + 1), (LIMIT + 1, 0), (10**12, 0), (5, 21)])
async def test_no_more_is_read_of_a_body_than_its_bound(told: int | None, reads: int) -> None:
    """It never ends: only who stops reading answers at all."""
    taken = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        taken += 1
        assert taken < 1_000
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if told is None else [(b"content-length", str(told).encode())]
    scope: Scope = {"type": "http", "method": "POST", "path": "/any", "headers": headers}
    nobody = Neighbours(hosts=(), origins=())
    guard = Guard(read_all, max_body_bytes=LIMIT, token=None, operator_token="o", neighbours=nobody)  # noqa: S106  # of this test alone
    await guard(scope, receive, send)
    assert [message.get("status") for message in sent if message["type"] == "http.response.start"] == [413]
    assert taken == reads


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        ("Bearer secret", True),
        ("bearer secret", True),
        (basic("secret"), True),
        (None, False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer secre", False),
        ("Bearer secret2", False),
        ("Bearer SECRET", False),
        (basic("wrong"), False),
        (basic(""), False),
        ("Basic secret", False),
        ("Basic !", False),
    ],
)
def test_nothing_but_the_token_opens_a_guarded_server(authorization: str | None, allowed: bool) -> None:
    settings = Settings(db="memory://", token="secret")  # noqa: S106  # of this test alone
    headers = {} if authorization is None else {"Authorization": authorization}
    with TestClient(create_app(settings, openenv=False)) as client:
        for path in ("/api/episodes", "/api/events", "/api/systems", "/docs", "/openapi.json", "/"):
            if path == "/api/events" and allowed:
                continue  # a stream without an end
            answer = client.get(path, headers=headers)
            assert (answer.status_code == 401) is not allowed, path
        posted = client.post("/interactive/sessions", json={"system_id": "free_fall"}, headers=headers)
        assert (posted.status_code == 201) is allowed
        assert client.get("/health").status_code != 401


def guarded(app: ASGIApp, *, body_s: float) -> Guard:
    return Guard(
        app,
        max_body_bytes=LIMIT,
        token=None,
        operator_token="operators",  # noqa: S106  # of this test
        neighbours=Neighbours(hosts=(), origins=()),
        body_s=body_s,
    )


async def reads_its_body(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body", False):
        pass
    with anyio.move_on_after(0.0):
        await receive()  # as a stream waits for its client to leave
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.mark.parametrize(
    ("pieces", "whole", "status"), [(1, True, 200), (2, True, 200), (0, False, 408), (1, False, 408)]
)
async def test_a_body_that_does_not_arrive_is_not_waited_for(pieces: int, whole: bool, status: int) -> None:
    """Its client may send a byte now and then, or none: each holds a connection and a task."""
    sent: list[Message] = []
    left = [{"type": "http.request", "body": b"x", "more_body": True} for _ in range(pieces)]
    if whole:
        left[-1]["more_body"] = False

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/step", "headers": [], "query_string": b""}
    await guarded(reads_its_body, body_s=0.0)(scope, receive, send)
    assert sent[0]["status"] == status
    assert (b"connection", b"close") in sent[0]["headers"] or status == 200
