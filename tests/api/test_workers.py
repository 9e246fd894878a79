"""`physix serve --workers 2`, real processes: killed, replaced, restarted under load, stopped."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from physix.api.app import serve
from physix.errors import BadInputError
from physix.settings import Settings
from tests.api.test_server import free_port

TOKEN = "operator-operator"  # noqa: S105  # of the tests
PATIENCE_S = 600.0  # four starts of OpenEnv's import on a machine that is busy


@contextmanager
def workers(db: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Serve with two processes until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "physix.cli", "serve", "--workers", "2", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--db", f"sqlite:///{db}"], env={**os.environ, "PHYSIX_OPERATOR_TOKEN": TOKEN}
    )
    children: list[psutil.Process] = []
    try:
        await_server(f"http://127.0.0.1:{port}", process)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for child in children:
            child.kill()


def await_server(base: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, "the server ended"
        try:
            return httpx.get(f"{base}/readyz", timeout=60).is_success
        except httpx.TransportError:
            return False

    until(answers)


def serving_pids(process: subprocess.Popen[bytes]) -> set[int]:
    """Return the server processes of a supervisor."""
    found = set()
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # gone, or dead and not yet waited for
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def begin(base: str) -> str:
    """Start a run that takes a while; return its episode."""
    with httpx.Client(base_url=base, timeout=60) as client:
        body = {"system_id": "charged_b_field", "seed": 3, "policy": "nano-untrained", "max_turns": 64}
        episode_id: str = client.post("/interactive/sessions", json=body).json()["episode_id"]
        assert client.post(f"/interactive/sessions/{episode_id}/run").status_code == 202
    return episode_id


def turns(base: str, episode_id: str) -> tuple[int, str | None]:
    view = httpx.get(f"{base}/api/episodes/{episode_id}", timeout=60).json()
    return len(view["turns"]), view["outcome"]


def test_a_log_in_memory_is_refused_for_several_processes() -> None:
    with pytest.raises(BadInputError, match="memory"):
        serve(Settings(db="memory://", workers=2, port=free_port()))


@pytest.mark.soak
def test_a_killed_process_is_replaced_and_what_it_played_goes_on(tmp_path: Path) -> None:
    with workers(tmp_path / "log.db") as (process, base):
        until(lambda: len(serving_pids(process)) == 2)
        before = serving_pids(process)
        episode_id = begin(base)
        until(lambda: turns(base, episode_id)[0] >= 2)
        for pid in before:  # one after the other, so that whichever plays is killed
            os.kill(pid, signal.SIGKILL)
            until(lambda gone=pid: gone not in serving_pids(process) and len(serving_pids(process)) == 2)  # type: ignore[misc]  # the loop variable, bound
            await_server(base, process)
        until(lambda: turns(base, episode_id)[1] is not None)
        assert not serving_pids(process) & before
        figures = httpx.get(f"{base}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60).text
        assert "physix_steps_total" in figures


@pytest.mark.soak
def test_a_restart_refuses_nobody_and_interrupts_no_run(tmp_path: Path) -> None:
    failed: list[str] = []
    stop = threading.Event()
    with workers(tmp_path / "log.db") as (process, base):
        until(lambda: len(serving_pids(process)) == 2)
        before = serving_pids(process)

        def ask() -> None:
            while not stop.wait(0.05):
                try:
                    httpx.get(f"{base}/api/systems", timeout=60).raise_for_status()
                except httpx.HTTPError as error:
                    failed.append(repr(error))

        asking = threading.Thread(target=ask)
        asking.start()
        episode_id = begin(base)
        until(lambda: turns(base, episode_id)[0] >= 1)
        process.send_signal(signal.SIGHUP)
        until(lambda: not serving_pids(process) & before)
        until(lambda: turns(base, episode_id)[1] is not None)
        stop.set()
        asking.join()
        assert failed == []


@pytest.mark.soak
def test_a_stop_ends_all_and_so_does_the_death_of_the_supervisor(tmp_path: Path) -> None:
    for number, how in enumerate((signal.SIGTERM, signal.SIGKILL)):
        with workers(tmp_path / f"{number}.db") as (process, _base):
            until(lambda: len(serving_pids(process)) == 2)
            pids = serving_pids(process)
            process.send_signal(how)
            process.wait(PATIENCE_S)
            until(lambda those=pids: not any(psutil.pid_exists(pid) for pid in those))  # type: ignore[misc]  # as above
