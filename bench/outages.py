"""Doors x outages: a server killed with -9 and started again while doors play. `python -m bench.outages`.

Every door plays the same episode of four turns against a server of its own. Three outages are tried: the
server dies between two turns, it dies while a turn is being judged, and it is not there yet at the
reset. A cell says how many of the four turns the log has, whether the reward is that of an episode without an
outage, and how long it took. Last, a server that stays away for good: the door must say so, and score
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
LAWS = ("d2y/dt2 = -5.0", "d2y/dt2 = -7.0", "d2y/dt2 = -9.0", "d2y/dt2 = -11.0")
TASK = {
    "system_id": "free_fall",
    "seed": 7,
    "max_turns": len(LAWS),
    "profile": "strict",
    "reward_mode": "gain",
}
OUTAGES = ("between turns", "during a turn", "before the reset")


class Server:
    """A server that can be killed and started again on the same port and log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "physix.cli", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--db", f"sqlite:///{self.folder}/log.db"],
            env={**os.environ, "PHYSIX_OPERATOR_TOKEN": "bench"},
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=30).is_success:
                    return
            time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def turns(self) -> tuple[int, float]:
        """Return how many turns the newest episode has, and its best total."""
        asked = {"headers": {"Authorization": "Bearer bench"}, "timeout": 60}
        rows = httpx.get(f"{self.url}/api/episodes", params={"limit": 1}, **asked).json()["items"]
        return (0, 0.0) if not rows else (rows[0]["turns"], rows[0]["best_total"])


# What a door plays: it is told when a turn has been answered, and returns the reward of the episode.
Played = Callable[[str, Callable[[int], None]], float]


def client(url: str, answered: Callable[[int], None]) -> float:
    """`PhysiXEnv` over /ws."""
    from physix import PhysiXAction, PhysiXEnv

    async def play() -> float:
        paid = 0.0
        async with PhysiXEnv(base_url=url) as env:
            await env.reset(**TASK)
            for number, law in enumerate(LAWS):
                answered(number)
                result = await env.step(PhysiXAction(equation=law))
                paid += result.reward or 0.0
        return paid

    return asyncio.run(play())


def trl(url: str, answered: Callable[[int], None]) -> float:
    """TRL's `PhysiXEpisode` over HTTP."""
    from physix.training.doors.trl import PhysiXEpisode

    os.environ["PHYSIX_URL"] = url
    episode = PhysiXEpisode()
    episode.reset(**TASK)
    for number, law in enumerate(LAWS):
        answered(number)
        asyncio.run(episode.submit_hypothesis(law))
    return episode.get_reward()


def adapters(url: str, answered: Callable[[int], None]) -> float:
    """The wire that verifiers and Inspect share."""
    sys.path.insert(0, str(ROOT / "adapters"))
    from physix_adapters import wire

    async def play() -> float:
        started = await wire.start(url, **TASK)
        best = 0.0
        for number, law in enumerate(LAWS):
            answered(number)
            turn = await wire.submit(started.episode_id, started.token, law, url=url)
            best = max(best, turn.total)
        return best

    return asyncio.run(play())


DOORS: dict[str, Played] = {
    "PhysiXEnv (/ws)": client,
    "TRL (HTTP)": trl,
    "verifiers, Inspect (HTTP)": adapters,
}


@dataclass(frozen=True)
class Cell:
    """What came of one door in one outage."""

    turns: int
    reward: float
    expected: float
    waited_s: float
    error: str | None = None

    @property
    def as_if_nothing_had_happened(self) -> bool:
        """Whether every turn is there once, and paid what it is paid without an outage."""
        return self.error is None and self.turns == len(LAWS) and self._same

    @property
    def _same(self) -> bool:
        return abs(self.reward - self.expected) < 1e-12

    def __str__(self) -> str:
        if self.error is not None:
            return f"FAILED: {self.error}"
        same = "same reward" if self._same else f"reward {self.reward:.4f}"
        return f"{self.turns} of {len(LAWS)} turns, {same}, {self.waited_s:.1f} s"


def tried(door: Played, outage: str | None, folder: Path, expected: float) -> Cell:
    """Play the episode through one outage."""
    server = Server(folder)
    restarts: list[threading.Thread] = []

    def restart_soon(after_s: float) -> None:
        def restart() -> None:
            time.sleep(after_s)
            server.start()

        restarts.append(threading.Thread(target=restart))
        restarts[-1].start()

    def answered(number: int) -> None:
        if number != 2 or outage not in ("between turns", "during a turn"):
            return
        if outage == "between turns":
            server.kill()
            restart_soon(1.0)
            return

        def strike() -> None:
            time.sleep(0.002)  # somewhere in the turn: before, within or after its commit
            server.kill()
            restart_soon(1.0)

        restarts.append(threading.Thread(target=strike))
        restarts[-1].start()

    began = time.monotonic()
    try:
        if outage == "before the reset":
            restart_soon(1.0)
        else:
            server.start()
            server.wait()
        began = time.monotonic()
        reward = door(server.url, answered)
        waited = time.monotonic() - began
        for thread in list(restarts):
            thread.join()
        server.wait()
        turns, _ = server.turns()
        return Cell(turns, reward, expected if outage else reward, waited)
    except Exception as error:  # a bench tells of whatever happens
        return Cell(0, 0.0, expected, time.monotonic() - began, f"{type(error).__name__}: {str(error)[:120]}")
    finally:
        for thread in list(restarts):
            thread.join()
        server.kill()


def gone(door: Played) -> str:
    """Return what a door says of a server that stays away."""
    os.environ["PHYSIX_OUTAGE_S"] = "2"
    try:
        reward = door("http://127.0.0.1:9", lambda _: None)
    except Exception as error:  # what it raises is the answer
        return type(error).__name__
    finally:
        del os.environ["PHYSIX_OUTAGE_S"]
    return f"SCORED {reward}"


def in_process() -> str:
    """Gymnasium plays in process on its own log: no server can be away. Return what a kill leaves."""
    code = (
        "import os, signal; from physix.training.doors.gymnasium import PhysiXTextEnv;"
        "env = PhysiXTextEnv('free_fall', db='sqlite:///gym.db'); env.reset(seed=7);"
        f"[env.step(law) for law in {LAWS[:2]!r}]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=False)
        listed = subprocess.run(
            [sys.executable, "-m", "physix.cli", "log", "list", "--db", "sqlite:///gym.db", "--json"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(listed.stdout)
    rows = found["items"] if isinstance(found, dict) else found
    return f"killed after 2 turns, the log has {rows[0]['turns']}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1, help="how often each outage is tried")
    options = parser.parse_args()
    os.environ.setdefault("PHYSIX_OUTAGE_S", "900")  # a busy machine takes its time to start a server
    lost = 0
    for name, door in DOORS.items():
        with tempfile.TemporaryDirectory() as folder:
            plain = tried(door, None, Path(folder), 0.0)
        print(f"{name:26} without an outage: {plain}", flush=True)
        for outage in OUTAGES:
            for _ in range(options.repeat):
                with tempfile.TemporaryDirectory() as folder:
                    cell = tried(door, outage, Path(folder), plain.reward)
                lost += not cell.as_if_nothing_had_happened
                print(f"{name:26} {outage:17}: {cell}", flush=True)
        print(f"{name:26} away for good    : {gone(door)}", flush=True)
    print(f"{'Gymnasium (in process)':26} {in_process()}", flush=True)
    print(f"{lost} cells lost, doubled or changed something")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
