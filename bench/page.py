"""The page in Chromium: frames, a long list, a long episode, many rows, a live run, six tabs.

`python bench/page.py [--episodes N]`.

Needs the page built (`make page`), its node modules and Chromium (`make test-e2e` installs it).
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

from physix.engine import EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.events import EpisodeStarted
from physix.engine.systems import sample_task
from physix.engine.systems.measured import task_from_csv
from physix.engine.verifier.types import Hypothesis
from physix.store import open_log

WEB = Path(__file__).parents[1] / "web"
LONG = "sixty-four"
ROWS = 10_000


def _swing(rows: int) -> str:
    """Return a table of a noiseless swing."""
    return "t,x\n" + "".join(f"{i / 100:.2f},{math.sin(i / 100):.6f}\n" for i in range(rows))


async def fill(url: str, episodes: int) -> tuple[str, str, str, str]:
    """Record an episode of 64 turns, two short ones, one on many rows and copies; return the first four."""
    task, truth = sample_task("damped_pendulum", 7)
    law = "d2theta/dt2 = -w*sin(theta) - b*dtheta"
    async with open_log(url) as log:
        engine = EpisodeEngine(log)

        async def play(damping: list[float], policy: str) -> str:
            config = EpisodeConfig(max_turns=len(damping))
            episode = await engine.start(task, truth, config=config, policy=policy, door="test")
            for b in damping:
                hypothesis = Hypothesis(equation=law, params={"w": 3.0, "b": b})
                episode = await engine.submit(
                    episode.episode_id, hypothesis, provenance=Provenance(policy=policy)
                )
            return episode.episode_id

        pair = (await play([0.1, 0.2], "nano"), await play([0.3, 0.4], "search"))
        long = await play([0.01 * i for i in range(64)], LONG)
        measured, unknown = task_from_csv(_swing(ROWS), hint="It swings.", hold_back=0.0)
        rows = await engine.start(
            measured, unknown, config=EpisodeConfig(max_turns=1), policy="search", door="test"
        )
        await engine.submit(
            rows.episode_id,
            Hypothesis(equation="d2x/dt2 = -0.98*x", params={}),
            provenance=Provenance(policy="search"),
        )
        events = [one.event for one in await log.read(pair[0])]
        first = next(event for event in events if isinstance(event, EpisodeStarted))
        for i in range(episodes):
            name = f"copy-{i:06}"
            await log.append(name, (replace(first, policy=f"copy {i}"),), expected_version=0)
            await log.append(name, tuple(events[1:4]), expected_version=1)
    return long, *pair, rows.episode_id


def main() -> None:
    """Fill a log, serve it, and let Chromium look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    episodes = parser.parse_args().episodes
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/log.db"
        ids = asyncio.run(fill(url, episodes))
        environment = {**os.environ, "PHYSIX_PORT": str(port), "PHYSIX_DB": url}
        server = subprocess.Popen([sys.executable, "-m", "physix.api.app"], env=environment)
        try:
            base = f"http://127.0.0.1:{port}"
            while True:
                try:
                    urllib.request.urlopen(f"{base}/health").close()
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            subprocess.run(["node", "scripts/measure.mjs", base, *ids], cwd=WEB, check=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
