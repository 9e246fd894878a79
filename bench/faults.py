"""Kill the server under load, again and again, and see whether the log ever lied.

    python bench/faults.py --rounds 25 --db sqlite:////tmp/faults.db
    python bench/faults.py --rounds 25 --db postgresql://user@/empty_database

Each round starts a server, lets players post turns with idempotency keys and a follower tail the
whole log, and sends SIGKILL in the middle. Afterwards, for all rounds together: no acknowledged
turn is missing, versions have no holes, no turn is there in part, a retried request appends
nothing that was there already, and what the follower saw over all its reconnects is the log.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx

from physix.engine import RecordedEvent
from physix.engine.events import HypothesisSubmitted
from physix.store import open_log

ROOT = Path(__file__).parents[1]
_SERVER = """
import sys, uvicorn
from physix.api.app import create_app
from physix.settings import Settings
uvicorn.run(create_app(Settings(db=sys.argv[1]), openenv=False), port=int(sys.argv[2]), log_level="error")
"""
_PLAYERS = 6


@dataclass
class Findings:
    """What the clients were told, over all rounds."""

    acknowledged: dict[str, int] = field(default_factory=dict)  # episode to turns confirmed
    unanswered: list[tuple[str, int]] = field(default_factory=list)  # episode, turn: posted, then silence
    tail: list[int] = field(default_factory=list)  # ids the follower saw, over all reconnects
    retried: int = 0


async def kill_rounds(db: str, rounds: int, seed: int = 0) -> Findings:
    """Run the rounds; raise AssertionError with what was wrong, if anything was."""
    random_ = random.Random(seed)
    findings = Findings()
    for _ in range(rounds):
        await _round(db, findings, acknowledge=random_.randint(5, 60))
    await _settle(db, findings)
    await _check(db, findings)
    return findings


async def _round(db: str, findings: Findings, *, acknowledge: int) -> None:
    """Play until so many turns are acknowledged, then kill the server while others are under way."""
    left = acknowledge
    with _Server(db) as server:
        async with server.client() as client:
            await _ready(client, server)
            await _retry_unanswered(client, findings)

            async def play() -> None:
                nonlocal left
                try:
                    started = await client.post(
                        "/interactive/sessions",
                        json={"system_id": "spring_mass", "seed": 1, "max_turns": 64},
                    )
                except httpx.TransportError:
                    return
                episode_id = started.raise_for_status().json()["episode_id"]
                findings.acknowledged[episode_id] = 0
                for turn in range(1, 65):
                    try:
                        answer = await _step(client, episode_id, turn)
                    except httpx.TransportError:
                        findings.unanswered.append((episode_id, turn))
                        return
                    assert len(answer["turns"]) == turn, answer
                    findings.acknowledged[episode_id] = turn
                    left -= 1
                    if left == 0:
                        server.process.kill()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_follow, client, findings.tail, None)
                for _ in range(_PLAYERS):
                    tasks.start_soon(play)


async def _settle(db: str, findings: Findings) -> None:
    """Retry what went unanswered, and let the follower catch up."""
    with _Server(db) as server:
        async with server.client() as client:
            await _ready(client, server)
            await _retry_unanswered(client, findings)
            async with open_log(db) as log:
                head = 0
                while batch := await log.read_all(after_position=head):
                    head = batch[-1].position
            await _follow(client, findings.tail, head)


async def _retry_unanswered(client: httpx.AsyncClient, findings: Findings) -> None:
    for episode_id, turn in findings.unanswered:
        first = await _step(client, episode_id, turn)
        again = await _step(client, episode_id, turn)
        assert first == again, "a retry got another answer"
        assert len(first["turns"]) == turn, "a retry played another turn"
        findings.acknowledged[episode_id] = turn
        findings.retried += 1
    findings.unanswered.clear()


async def _check(db: str, findings: Findings) -> None:
    streams: dict[str, list[RecordedEvent]] = defaultdict(list)
    positions: list[int] = []
    async with open_log(db) as log:
        while batch := await log.read_all(after_position=positions[-1] if positions else 0):
            positions += [one.position for one in batch]
            for one in batch:
                streams[one.episode_id].append(one)
    assert positions == list(range(1, len(positions) + 1)), "positions have holes"
    assert findings.tail == positions, "the follower saw something else than the log"
    for episode_id, stream in streams.items():
        assert [one.version for one in stream] == list(range(1, len(stream) + 1)), f"{episode_id} has holes"
        turns = [one.event.turn for one in stream if isinstance(one.event, HypothesisSubmitted)]
        assert turns == list(range(1, len(turns) + 1)), f"{episode_id} has wrong turns"
        ended = sum(one.event.type == "EpisodeFinished" for one in stream)
        assert len(stream) == 1 + 3 * len(turns) + ended, f"{episode_id} has part of a turn"
    for episode_id, turn in findings.acknowledged.items():
        found = sum(one.event.type == "RewardComputed" for one in streams[episode_id])
        assert found == turn, f"{episode_id}: {turn} turns were acknowledged, {found} are there"


async def _follow(client: httpx.AsyncClient, tail: list[int], until: int | None) -> None:
    """Append the ids of the whole log's stream to `tail`, until the server dies or an id is reached."""
    if until is not None and tail and tail[-1] >= until:
        return
    headers = {"Last-Event-ID": str(tail[-1])} if tail else {}
    try:
        async with client.stream("GET", "/api/events", headers=headers) as stream:
            # An id counts once its event has come whole: a cut may fall between the two.
            coming = 0
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    coming = int(line[4:])
                elif line == "" and coming:
                    tail.append(coming)
                    coming = 0
                    if tail[-1] == until:
                        return
    except httpx.TransportError:
        return


async def _step(client: httpx.AsyncClient, episode_id: str, turn: int) -> Any:
    answer = await client.post(
        f"/interactive/sessions/{episode_id}/step",
        json={"equation": f"d2x/dt2 = -{turn}.5*x + 40"},
        headers={"Idempotency-Key": f"turn-{turn}"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


class _Server:
    def __init__(self, db: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, "-c", _SERVER, db, str(self._port)], cwd=ROOT)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", timeout=60)

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


async def _ready(client: httpx.AsyncClient, server: _Server) -> None:
    with anyio.fail_after(120):
        while True:
            try:
                (await client.get("/api/systems")).raise_for_status()
                return
            except httpx.TransportError:
                assert server.process.poll() is None, "the server ended by itself"
                await anyio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--db", required=True, metavar="URL", help="an empty database")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = anyio.run(kill_rounds, options.db, options.rounds, options.seed)
    print(
        f"{options.rounds} kills, {len(found.acknowledged)} episodes, "
        f"{sum(found.acknowledged.values())} acknowledged turns, {found.retried} unanswered and retried, "
        f"{len(found.tail)} events followed: nothing lost, nothing doubled, nothing in part."
    )


if __name__ == "__main__":
    main()
