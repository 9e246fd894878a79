"""Kill what plays a rollout in the middle of it, and see whether anything was lost, doubled or changed.

    python bench/cluster_faults.py --episodes 60

prints a table: for local processes and for a Ray cluster of two workers, on SQLite and on a real PostgreSQL
of this machine's own, the end (SIGKILL) of a worker, of a node, of the driver, and a crash of PostgreSQL.
The driver that was killed is started again with the same command; nothing else is helped. Afterwards every
task must be in the log exactly once and finished, `physix log verify` must be clean, and every event must be
the one of a run in a single process, but for times, positions and seals.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil

from physix.engine import Event
from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.settings import Settings
from physix.store import open_log
from physix.training.rollout import TaskPlan, play_some

ROOT = Path(__file__).parents[1]
_LOOK_S = 0.02
_PATIENCE_S = 600.0

Kill = Callable[["Driver"], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run that was hurt came to."""

    finished: int  # episodes in the log
    killed_at: int  # finished episodes when the blow fell
    seconds: float


class Driver:
    """One `physix rollout` under way."""

    def __init__(self, db: str, episodes: int, where: list[str]) -> None:
        self.db, self.episodes, self._where = db, episodes, where
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        told = ["--policy", "teacher", "--episodes", str(self.episodes), "--batch", "2", "--run-id", "faults"]
        command = [sys.executable, "-m", "physix.cli", "rollout", *told, "--db", self.db, *self._where]
        return subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def again(self) -> None:
        """Start the same command once more; the first one is dead."""
        self.process = self._start()

    def until(self, finished: int) -> int:
        """Return how many episodes are finished as soon as that many are."""
        deadline = time.monotonic() + _PATIENCE_S
        while (found := anyio.run(ended, self.db)) < finished:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The rollout ended with {found} episodes before the blow.")
            time.sleep(_LOOK_S)
        return found

    def end(self) -> None:
        """Wait for the command; it must have played everything."""
        _, said = self.process.communicate(timeout=_PATIENCE_S)
        if self.process.returncode != 0:
            raise AssertionError(f"The rollout failed: {said.decode()[-2_000:]}")


def hurt(
    db: str, episodes: int, where: list[str], blow: Kill | None, reference: dict[str, list[Event]]
) -> Verdict:
    """Roll out, strike in the middle, and check what the log holds in the end.

    Raises:
        AssertionError: something was lost, doubled or changed; the message says what.
    """
    began = time.monotonic()
    driver = Driver(db, episodes, where)
    try:
        at = driver.until(max(1, episodes // 3)) if blow is not None else 0
        if blow is not None:
            blow(driver)
        driver.end()
    finally:
        driver.process.kill()
        driver.process.wait()
    seconds = time.monotonic() - began
    found = anyio.run(streams, db)
    if found.keys() != reference.keys():
        raise AssertionError(f"{len(found)} episodes are in the log, {len(reference)} were to be.")
    for episode_id, events in reference.items():
        if found[episode_id] != events:
            raise AssertionError(f"Episode {episode_id} is not the one that a single process plays.")
    verify(db)
    return Verdict(len(found), at, seconds)


def reference_of(episodes: int) -> dict[str, list[Event]]:
    """Return the events of every episode as one process plays them, undisturbed."""
    with tempfile.TemporaryDirectory(prefix="physix-reference-") as folder:
        db = f"sqlite:///{folder}/log.db"
        plan = TaskPlan(systems=TRAINING_SYSTEMS, episodes=episodes)
        numbers = tuple(range(episodes))
        play_some(numbers, db=db, plan=plan, policy="teacher", run_id="faults", settings=Settings())
        return anyio.run(streams, db)


async def streams(db: str) -> dict[str, list[Event]]:
    """Return the events of every episode, without position and time; every episode must have ended."""
    found: dict[str, list[Event]] = {}
    versions: dict[str, int] = {}
    position = 0
    async with open_log(db, read_only=True) as log:
        while batch := await log.read_all(after_position=position, limit=500):
            for one in batch:
                if one.position != position + 1 or one.version != versions.get(one.episode_id, 0) + 1:
                    raise AssertionError(f"Position {one.position} has a hole before it, or its episode has.")
                position, versions[one.episode_id] = one.position, one.version
                found.setdefault(one.episode_id, []).append(one.event)
    running = [episode_id for episode_id, events in found.items() if events[-1].type != "EpisodeFinished"]
    if running:
        raise AssertionError(f"{len(running)} episodes did not end, {running[0]} among them.")
    return found


def verify(db: str) -> None:
    """Run `physix log verify`; it must find nothing."""
    command = [sys.executable, "-m", "physix.cli", "log", "verify", "--db", db]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"log verify: {done.stdout[-1_000:]} {done.stderr[-1_000:]}")


async def ended(db: str) -> int:
    """Return how many episodes of a log have ended; 0 where there is none yet."""
    if db.startswith("sqlite:///") and not Path(db.removeprefix("sqlite:///")).exists():
        return 0
    async with open_log(db) as log:
        count = 0
        position = 0
        while batch := await log.read_all(after_position=position, limit=1_000):
            position = batch[-1].position
            count += sum(one.event.type == "EpisodeFinished" for one in batch)
        return count


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def kill_worker(driver: Driver) -> None:
    """SIGKILL one of the driver's own worker processes."""
    for child in psutil.Process(driver.process.pid).children(recursive=True):
        if "physix.training.worker" in child.cmdline():
            child.kill()
            return
    raise AssertionError("There is no worker to kill.")


def kill_driver(driver: Driver) -> None:
    """SIGKILL the driver, then start the same command again."""
    driver.process.kill()
    driver.process.wait()
    driver.again()


@contextmanager
def ray_cluster(nodes: int = 1, cpus: int = 2) -> Iterator[RayNodes]:
    """Run a cluster of this process's own: its processes end with the block."""
    import ray
    from ray.cluster_utils import Cluster

    os.environ.update(_environment())
    running = Cluster()
    for _ in range(nodes):
        running.add_node(num_cpus=cpus, object_store_memory=80 * 2**20, include_dashboard=False)
    try:
        yield RayNodes(running)
    finally:
        if ray.is_initialized():
            ray.shutdown()
        running.shutdown()


class RayNodes:
    """A running cluster and the ways to hurt it."""

    def __init__(self, cluster: object) -> None:
        from ray.cluster_utils import Cluster

        if not isinstance(cluster, Cluster):
            raise TypeError("no cluster")
        self._cluster = cluster
        self.address: str = cluster.address

    def kill_worker(self, _driver: Driver | None = None) -> None:
        """SIGKILL a worker process that plays a batch."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            for node in self._cluster.list_all_nodes():
                raylet = node.all_processes["raylet"][0].process.pid
                for child in psutil.Process(raylet).children():
                    if child.cmdline() and child.cmdline()[0].startswith("ray::attempt"):
                        child.kill()
                        return
            time.sleep(_LOOK_S)
        raise AssertionError("No worker plays.")

    def kill_node(self, _driver: Driver | None = None) -> None:
        """SIGKILL the last node's raylet, and with it its workers."""
        node = self._cluster.list_all_nodes()[-1]
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        workers = raylet.children(recursive=True)
        for process in (raylet, *workers):
            process.kill()


def main() -> None:
    """Print the table; exit with 1 if a line of it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--no-ray", action="store_true")
    arguments = parser.parse_args()
    from tests.store.postgres_server import postgres_server

    reference = reference_of(arguments.episodes)
    failed = 0
    print(f"{arguments.episodes} episodes, {sum(map(len, reference.values()))} events in a single process")
    print(f"{'workers':12} {'log':11} {'killed':11} {'at':>4} {'in the log':>11} {'seconds':>8}  verdict")

    def line(workers: str, log: str, what: str, db: str, where: list[str], blow: Kill | None) -> None:
        nonlocal failed
        try:
            seen = hurt(db, arguments.episodes, where, blow, reference)
            told = f"{seen.killed_at:4} {seen.finished:11} {seen.seconds:8.1f}  exactly once, verified, equal"
        except AssertionError as error:
            failed += 1
            told = f"FAILED: {error}"
        print(f"{workers:12} {log:11} {what:11} {told}", flush=True)

    with tempfile.TemporaryDirectory(prefix="physix-faults-") as folder, postgres_server() as server:

        def crash(_driver: Driver) -> None:
            server.stop("immediate")
            server.start()

        names = (f"sqlite:///{folder}/{i}.db" for i in range(1_000))
        new: dict[str, Callable[[], str]] = {"SQLite": lambda: next(names), "PostgreSQL": server.new_database}
        local = ["--workers", "2"]
        for log, url in new.items():
            line("2 processes", log, "nothing", url(), local, None)
            line("2 processes", log, "worker", url(), local, kill_worker)
            line("2 processes", log, "driver", url(), local, kill_driver)
        line("2 processes", "PostgreSQL", "PostgreSQL", new["PostgreSQL"](), local, crash)
        if arguments.no_ray:
            sys.exit(failed > 0)
        with ray_cluster() as nodes:
            there = ["--ray", nodes.address]
            for log, url in new.items():
                line("Ray, 2 cores", log, "nothing", url(), there, None)
                line("Ray, 2 cores", log, "worker", url(), there, nodes.kill_worker)
                line("Ray, 2 cores", log, "driver", url(), there, kill_driver)
            line("Ray, 2 cores", "PostgreSQL", "PostgreSQL", new["PostgreSQL"](), there, crash)
        with ray_cluster(nodes=2, cpus=1) as nodes:
            there = ["--ray", nodes.address]
            line("Ray, 2 nodes", "PostgreSQL", "node", new["PostgreSQL"](), there, nodes.kill_node)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
