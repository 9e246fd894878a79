"""OpenEnv over `/ws`: steps per second and latency beside OpenEnv's own echo environment, and a soak.

Both are served by one uvicorn process each and driven by the same client with the same frames; every
PhysiX step is verified and its three events are durable before it is answered. The echo environment
is what `openenv init` writes. Whole episodes of eight steps are played, resets included. CPU time a step is
that of the server's processes: on a busy machine, rates tell of the machine.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from physix.errors import PhysixError

_SESSIONS = (1, 16, 64)
_TURNS = 8
_SAMPLES = 12  # of memory and handles during a soak
_ECHO = """
import sys, uvicorn
sys.path.insert(0, sys.argv[2])
from openenv.core.env_server.http_server import create_app
from echo_env.models import EchoAction, EchoObservation
from echo_env.server.echo_env_environment import EchoEnvironment
app = create_app(EchoEnvironment, EchoAction, EchoObservation, env_name="echo_env", max_concurrent_envs=128)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", timeout_graceful_shutdown=2)
"""

# An episode's frames: the reset, then the steps.
Frames = Callable[[int], tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class _Rate:
    """What the sessions saw together."""

    steps: int
    steps_per_s: float
    p50_ms: float
    p99_ms: float


def main(seconds: float, postgres_url: str | None, soak_minutes: float, workers: int = 1) -> None:
    """Print every figure; PostgreSQL only where a URL of an empty database is given."""
    out = sys.stdout
    out.write(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}\n")
    with tempfile.TemporaryDirectory(prefix="physix-bench-") as folder:
        targets: list[tuple[str, list[str], Frames]] = [
            ("echo", [sys.executable, "-c", _ECHO, "PORT", _init_echo(folder)], _echo_frames),
            ("SQLite", _serve(f"sqlite:///{folder}/log.db"), _physix_frames),
        ]
        if postgres_url is None:
            out.write("PostgreSQL: not measured; give an empty database with --postgres URL\n")
        else:
            targets.append(("PostgreSQL", _serve(postgres_url), _physix_frames))
        if workers > 1:
            several = [*_serve(f"sqlite:///{folder}/shared.db"), "--workers", str(workers)]
            targets.append((f"{workers} workers", several, _physix_frames))
        floor: dict[int, tuple[float, float]] = {}  # steps per second, and CPU milliseconds a step
        for name, command, frames in targets:
            with _running(command) as (port, process):
                for sessions in _SESSIONS:
                    asyncio.run(_drive(port, sessions, min(2.0, seconds), frames))
                    busy = _cpu_s(process.pid)
                    seen = asyncio.run(_drive(port, sessions, seconds, frames))
                    cpu_ms = 1e3 * (_cpu_s(process.pid) - busy) / seen.steps
                    rate, least = floor.setdefault(sessions, (seen.steps_per_s, cpu_ms))
                    out.write(
                        f"{name:10} {sessions:2} sessions {seen.steps_per_s:7.0f} steps/s, "
                        f"p50 {seen.p50_ms:6.2f} ms, p99 {seen.p99_ms:6.2f} ms, "
                        f"{cpu_ms:.3f} ms of the server's CPU a step; "
                        f"{seen.steps_per_s / rate:.2f} of echo, {least / cpu_ms:.2f} by CPU\n"
                    )
                    out.flush()
        if soak_minutes > 0:
            _soak(_serve(f"sqlite:///{folder}/soak.db"), soak_minutes)
    out.write(f"load average at the end {os.getloadavg()[0]:.2f}\n")


def _serve(url: str) -> list[str]:
    return [sys.executable, "-m", "physix.cli", "serve", "--port", "PORT", "--db", url]


def _init_echo(folder: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "openenv.cli", "init", "echo_env"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PhysixError(f"openenv init failed: {done.stderr[-500:] or done.stdout[-500:]}")
    return folder


def _soak(command: list[str], minutes: float) -> None:
    out = sys.stdout
    with _running(command) as (port, process):
        asyncio.run(_drive(port, 64, 10.0, _physix_frames))
        out.write(f"soak: 64 sessions, {minutes:g} minutes; after warming up {_usage(process.pid)}\n")
        for sample in range(_SAMPLES):
            # Sockets stay open within a sample and are opened anew between them: both must be flat.
            seen = asyncio.run(_drive(port, 64, 60.0 * minutes / _SAMPLES, _physix_frames))
            out.write(
                f"soak: {minutes * (sample + 1) / _SAMPLES:5.2f} min {seen.steps_per_s:6.0f} steps/s, "
                f"p99 {seen.p99_ms:.1f} ms, {_usage(process.pid)}\n"
            )
            out.flush()


def _usage(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) // 1024
    threads = int(status.partition("Threads:")[2].split()[0])
    handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return f"{resident} MiB resident, {handles} file handles, {threads} threads"


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children so far, resets and all."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(_cpu_s, _children(pid)))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    # Of every thread: a server starts its judges from one of its own. Threads come and go meanwhile.
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, file.read_text().split())
    return found


@contextmanager
def _running(command: list[str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [str(port) if word == "PORT" else word for word in command], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 600
        while True:
            try:
                health = httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status().json()
                if health.get("openenv", "ready") == "ready":
                    break
                time.sleep(0.05)
            except httpx.TransportError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise PhysixError("The server to measure did not start.") from error
                time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        process.wait()


async def _drive(port: int, sessions: int, seconds: float, frames: Frames) -> _Rate:
    spent: list[float] = []
    stop = time.perf_counter() + seconds
    numbers = itertools.count()
    sockets = [
        await connect(f"ws://127.0.0.1:{port}/ws", compression=None, max_size=None) for _ in range(sessions)
    ]
    began = time.perf_counter()
    try:
        await asyncio.gather(*(_play(one, stop, numbers, frames, spent) for one in sockets))
        total = time.perf_counter() - began
    finally:
        for one in sockets:
            await one.close()
    spent.sort()
    return _Rate(len(spent), len(spent) / total, statistics.median(spent), spent[int(0.99 * len(spent))])


async def _play(
    link: ClientConnection, stop: float, numbers: Iterator[int], frames: Frames, spent: list[float]
) -> None:
    while time.perf_counter() < stop:
        reset, steps = frames(next(numbers))
        await _ask(link, reset)
        for step in steps:
            began = time.perf_counter()
            await _ask(link, step)
            spent.append(1e3 * (time.perf_counter() - began))


async def _ask(link: ClientConnection, frame: str) -> None:
    await link.send(frame)
    answer = await link.recv()
    if '"type":"observation"' not in str(answer[:40]):
        raise PhysixError(f"The server answered {str(answer)[:300]}")


def _frame(kind: str, data: dict[str, object]) -> str:
    return json.dumps({"type": kind, "data": data})


WRONG_LAWS = {
    "free_fall": "d2y/dt2 = -{k}*vy",
    "free_fall_drag": "d2y/dt2 = -{k}*vy",
    "simple_pendulum": "d2theta/dt2 = -{k}*dtheta",
    "damped_pendulum": "d2theta/dt2 = -{k}*dtheta",
    "spring_mass": "d2x/dt2 = -{k}*vx",
    "damped_spring": "d2x/dt2 = -{k}*vx",
    "projectile_drag": "d2x/dt2 = -{k}*vx; d2y/dt2 = -{k}*vy",
    "charged_b_field": "d2x/dt2 = -{k}*x; d2y/dt2 = -{k}*y",
}


def _physix_frames(number: int) -> tuple[str, list[str]]:
    """Every system in turn, with laws that are wrong, so that no episode ends early."""
    system_id = list(WRONG_LAWS)[number % len(WRONG_LAWS)]
    laws = [WRONG_LAWS[system_id].format(k=0.5 + turn / 10) for turn in range(_TURNS)]
    return _frame("reset", {"system_id": system_id, "seed": number, "max_turns": _TURNS}), [
        _frame("step", {"equation": law}) for law in laws
    ]


def _echo_frames(number: int) -> tuple[str, list[str]]:
    return _frame("reset", {"seed": number}), [
        _frame("step", {"message": f"message {number} {turn}"}) for turn in range(_TURNS)
    ]
