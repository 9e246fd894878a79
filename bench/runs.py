"""Many models writing at once on one server: do the streams keep up, and are they the log?

    python bench/runs.py --runs 32

A physix server in a process of its own plays N episodes against a server of Ollama's protocol,
whose model writes a wrong law in small pieces, turn after turn. N clients follow one episode each.
Latency is from an event's `recorded_at` to the client's having read the frame, on one machine's clock.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.policies.chat.ollama_server import ollama_server

_SERVE = """
import sys, uvicorn
from physix.api.app import create_app
from physix.settings import Settings
app = create_app(Settings(db=sys.argv[1], ollama_host=sys.argv[3]), openenv=False)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", timeout_graceful_shutdown=2)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def follow(base: str, episode_id: str, latencies: list[float], seen: dict[str, list[object]]) -> None:
    events: list[object] = []
    with httpx.stream("GET", f"{base}/api/episodes/{episode_id}/events", timeout=600) as stream:
        event_id = None
        for line in stream.iter_lines():
            if line.startswith("id: "):
                event_id = line
            elif line.startswith("data: ") and event_id is not None:
                body = json.loads(line[6:])
                now = datetime.now(UTC)
                latencies.append((now - datetime.fromisoformat(body["recorded_at"])).total_seconds())
                events.append(body)
                event_id = None
    seen[episode_id] = events


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=32)
    options.add_argument("--turns", type=int, default=8)
    chosen = options.parse_args()
    with ollama_server() as daemon, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        url = f"sqlite:///{Path(folder) / 'log.db'}"
        process = subprocess.Popen([sys.executable, "-c", _SERVE, url, str(port), daemon.url])
        try:
            while True:
                try:
                    httpx.get(f"{base}/api/systems")
                    break
                except httpx.TransportError:
                    assert process.poll() is None
            body = {"system_id": "damped_pendulum", "policy": "ollama:good", "max_turns": chosen.turns}
            ids = [
                httpx.post(f"{base}/interactive/sessions", json={**body, "seed": seed}).json()["episode_id"]
                for seed in range(chosen.runs)
            ]
            latencies: list[float] = []
            seen: dict[str, list[object]] = {}
            readers = [threading.Thread(target=follow, args=(base, i, latencies, seen)) for i in ids]
            for reader in readers:
                reader.start()
            time.sleep(1.0)  # the streams are open, and what came before is out of the figures
            latencies.clear()
            began = time.perf_counter()
            for i in ids:
                httpx.post(f"{base}/interactive/sessions/{i}/run")
            for reader in readers:
                reader.join()
            took = time.perf_counter() - began
            same = sum(seen[i] == httpx.get(f"{base}/api/episodes/{i}/events.json").json() for i in ids)
        finally:
            process.kill()
            process.wait()
    latencies.sort()
    p50, p99 = (latencies[int(share * (len(latencies) - 1))] * 1e3 for share in (0.5, 0.99))
    print(
        f"{chosen.runs} runs, {len(latencies)} events in {took:.1f} s ({len(latencies) / took:.0f} a second)"
    )
    print(f"latency p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {latencies[-1] * 1e3:.1f} ms")
    print(f"streams identical to their logs: {same} of {len(ids)}")


if __name__ == "__main__":
    main()
