"""The real server in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_server(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when the server can play, OpenEnv's routes included; fail when it ends."""
    while True:  # a busy machine takes minutes: what bounds this is the timeout of the tests
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=60).is_success:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
        assert process.poll() is None, "the server ended"


@contextmanager
def server(db: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "physix.cli", "serve", "--port", str(port), "--db", f"sqlite:///{db}"]
    )
    try:
        await_server(f"http://127.0.0.1:{port}", process)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_server_comes_back_with_every_acknowledged_turn(tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with server(tmp_path / "log.db", port) as process, httpx.Client(base_url=base, timeout=60) as client:
        started = client.post("/interactive/sessions", json={"system_id": "damped_spring", "seed": 1})
        episode_id = started.json()["episode_id"]
        path = f"/interactive/sessions/{episode_id}"
        for number in (1.0, 2.0, 3.0):
            last = client.post(f"{path}/step", json={"equation": f"d2x/dt2 = -{number}*x"}).json()
        process.send_signal(signal.SIGKILL)
        process.wait()
    with server(tmp_path / "log.db", port), httpx.Client(base_url=base, timeout=60) as client:
        assert client.get(f"/api/episodes/{episode_id}").json() == last
        resumed = client.post(f"{path}/llm-step", json={"policy": "search"})
        assert len(resumed.json()["turns"]) == 4


def example(name: str, document: str) -> str:
    code = re.search(
        rf"<!-- example: {name} -->\n```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL
    )
    assert code is not None
    return code[1]


def test_the_documents_openenv_examples_run(tmp_path: Path) -> None:
    port = free_port()
    with server(tmp_path / "log.db", port):
        # One process: importing OpenEnv takes longer than both.
        code = example("openenv", "README.md") + example("loop", "docs/environment.md")
        done = subprocess.run(
            [sys.executable, "-c", code.replace(":8000", f":{port}")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) > 3
        assert "The episode is over." in done.stdout
        episodes = httpx.get(f"http://127.0.0.1:{port}/api/episodes", timeout=60).json()
    assert [row["door"] for row in episodes["items"]] == ["openenv", "openenv"]


def test_an_address_that_others_reach_needs_a_token_or_public(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "physix.cli", "serve", "--host", "192.0.2.1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert "PHYSIX_TOKEN" in done.stderr


@pytest.mark.parametrize("content", ["not a database " * 100])
def test_a_broken_database_is_one_clear_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "log.db").write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "physix.cli", "run", "--system", "free_fall", "--db", "sqlite:///log.db"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert "log.db cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["physix.api.app", "uvicorn physix.api.app:app"])
def test_the_server_starts_by_its_other_names(tmp_path: Path, command: str) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split(), "--host", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        await_server(f"http://127.0.0.1:{port}", process)
        assert httpx.get(f"http://127.0.0.1:{port}/api/systems", timeout=60).status_code == 200
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "physix.db").exists()


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        ("physix.training.loop", ["--profile", "--output-dir", "--num-steps", "--ablation", "--push-to-hub"]),
        ("physix.training.sft", ["--dataset", "--profile", "--output-dir", "--num-steps", "--save-method"]),
        ("physix.api.app", ["--host", "--port", "--db", "--public"]),
    ],
)
def test_module_commands_keep_their_flags(module: str, flags: list[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert [flag for flag in flags if flag not in said] == []


def test_an_address_of_other_machines_is_refused_by_every_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "physix.api.app", "--host", "0.0.0.0"],  # noqa: S104  # refused
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--public" in done.stderr
    assert "Traceback" not in done.stderr
