"""A server that does not wait for OpenEnv's import: what it answers before, and what after."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.arriving import PATHS
from physix.api.openenv import environment
from physix.settings import Settings


@contextmanager
def serving(*, openenv: bool = True, arriving: bool = False) -> Iterator[TestClient]:
    app = create_app(Settings(db="memory://"), openenv=openenv, arriving=arriving)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Keep OpenEnv from arriving until the event is set."""
    let, register = threading.Event(), environment.register

    def later(app: FastAPI, *rest: Any, **more: Any) -> None:
        assert let.wait(60)
        register(app, *rest, **more)

    monkeypatch.setattr(environment, "register", later)
    yield let
    let.set()


def test_until_openenv_is_there_the_page_is_served_and_its_routes_say_to_come_back(
    held: threading.Event,
) -> None:
    with serving(arriving=True) as client:
        assert client.get("/").status_code == 200
        assert client.get("/api/systems").status_code == 200
        assert client.get("/health").json() == {"status": "healthy", "openenv": "arriving"}
        for answer in (
            client.post("/reset", json={}),
            client.post("/step", json={}),
            client.get("/physix/splits"),
        ):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
        held.set()
        with client.websocket_connect("/ws") as socket:
            # It waited: no client of a socket reads Retry-After.
            socket.send_json({"type": "reset", "data": {"seed": 1}})
            assert socket.receive_json()["type"] == "observation"
        assert client.get("/health").json() == {"status": "healthy", "openenv": "ready"}
        assert client.post("/reset", json={"seed": 1}).status_code == 200


def test_the_document_is_complete_once_openenv_is_there_even_if_it_was_read_before(
    held: threading.Event,
) -> None:
    with serving(arriving=True) as client:
        before = client.get("/openapi.json").json()["paths"]
        held.set()
        with client.websocket_connect("/ws"):
            pass
        after = client.get("/openapi.json").json()
    with serving() as client:
        assert client.get("/openapi.json").json() == after
    assert after["paths"].keys() - before.keys() >= {"/reset", "/step", "/{env_name}/splits"}


def test_the_paths_that_wait_are_those_that_openenv_adds() -> None:
    bare = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    own = create_app(Settings(db="memory://"), openenv=False)
    environment.register(bare, lambda: None, max_sessions=1)  # type: ignore[arg-type, return-value]  # nobody asks for the engine
    added = {path for path in (getattr(route, "path", None) for route in bare.router.routes) if path}
    assert added - {"/health"} == set(PATHS)
    with TestClient(own, base_url="http://127.0.0.1:8000") as client:
        assert client.get("/health").json() == {"status": "healthy", "openenv": "absent"}


def test_an_import_that_fails_is_told_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing, failed = threading.Event(), threading.Event()

    def broken(*_: object, **__: object) -> None:
        failing.set()
        raise ImportError("no such library")

    monkeypatch.setattr(environment, "register", broken)
    with serving(arriving=True) as client:
        assert failing.wait(60)
        while client.get("/health").json()["openenv"] == "arriving":
            failed.wait(0.01)
        assert client.get("/health").status_code == 503
        assert "failed" in client.post("/reset", json={}).json()["detail"]
        assert client.get("/api/systems").status_code == 200
    assert "no such library" in caplog.text


def test_what_answers_first_waits_for_no_import_that_it_does_not_need() -> None:
    heavy = {"openenv", "torch", "transformers", "sympy", "scipy.stats", "pandas", "pyarrow"}
    code = f"import sys, physix.api.app; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
