"""Server-sent events over real sockets: a server process, N clients, one episode being played.

Latency is from the event's `recorded_at`, taken in the server before the commit, to the client's
having read the whole frame; both are clocks of this machine.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

_SERVE = """
import sys, uvicorn
from physix.api.app import create_app
from physix.settings import Settings
app = create_app(Settings(db=sys.argv[1]), openenv=False)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", timeout_graceful_shutdown=2)
"""
_TURNS = 20


@dataclass(frozen=True, slots=True)
class FanOut:
    """What N clients saw."""

    clients: int
    p50_ms: float
    p99_ms: float
    events_per_s: float


def fan_out(url: str, clients: int) -> FanOut:
    """Play one episode of 20 turns while `clients` follow it; return what they saw."""
    port = _free_port()
    server = subprocess.Popen([sys.executable, "-c", _SERVE, url, str(port)], env={**os.environ})
    try:
        _await_server(port, server)
        return anyio.run(_measure, port, clients)
    finally:
        server.terminate()
        server.wait()


async def _measure(port: int, clients: int) -> FanOut:
    body: dict[str, object] = {"system_id": "projectile_drag", "seed": 7, "max_turns": _TURNS}
    session = json.loads(await anyio.to_thread.run_sync(_post, port, "/interactive/sessions", body))
    episode = str(session["episode_id"])
    delays: list[float] = []
    connected = anyio.Event()
    waiting = clients

    async def follow() -> None:
        nonlocal waiting
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            request = (
                f"GET /api/episodes/{episode}/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
            )
            await stream.send(request.encode())
            rest, frames = b"", 0
            while b"EpisodeFinished" not in rest:
                rest += await stream.receive(262_144)
                now = time.time()
                *whole, rest = rest.split(b"\r\n\r\n")
                for frame in whole:
                    at = frame.find(b'"recorded_at":"')
                    if at < 0:
                        continue
                    frames += 1
                    if frames == 1:
                        waiting -= 1
                        if waiting == 0:
                            connected.set()
                    else:
                        moment = datetime.fromisoformat(frame[at + 15 : frame.index(b'"', at + 15)].decode())
                        delays.append(1e3 * (now - moment.astimezone(UTC).timestamp()))
                    if b"event: EpisodeFinished" in frame:
                        return

    async with anyio.create_task_group() as tasks:
        for _ in range(clients):
            tasks.start_soon(follow)
        await connected.wait()
        began = time.perf_counter()
        for turn in range(_TURNS):
            law: dict[str, object] = {
                "equation": f"d2x/dt2 = -0.{turn + 1}*vx; d2y/dt2 = -9.81 - 0.{turn + 1}*vy"
            }
            await anyio.to_thread.run_sync(_post, port, f"/interactive/sessions/{episode}/step", law)
    spent = time.perf_counter() - began
    delays.sort()
    return FanOut(clients, statistics.median(delays), delays[int(0.99 * len(delays))], len(delays) / spent)


def _post(port: int, path: str, body: dict[str, object]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{path} answered {response.status}: {text[:300]!r}")
        return text
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_server(port: int, server: subprocess.Popen[bytes]) -> None:
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server ended with {server.returncode} before it answered")
