"""The client against a real server: cut off mid-step, async, and started as a container would start it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from openenv.core.containers.runtime.providers import ContainerProvider
from openenv.core.generic_client import GenericEnvClient

from physix.api.openenv.client import PhysiXAction, PhysiXEnv, PhysixEnv, PhysiXResetObservation
from physix.errors import InfrastructureError
from tests.api.test_server import await_server, free_port

ROOT = Path(__file__).parents[3]


class ProcessProvider(ContainerProvider):
    """Starts what the image starts, without the image: OpenEnv's layout, served by uvicorn."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **kwargs: Any
    ) -> str:
        chosen = port or free_port()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "server.app:app",
                "--port",
                str(chosen),
                "--log-level",
                "warning",
            ],
            cwd=ROOT,
            env={**os.environ, "PHYSIX_DB": f"sqlite:///{self._folder}/log.db", **(env_vars or {})},
        )
        return f"http://127.0.0.1:{chosen}"

    def stop_container(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait_for_ready(self, base_url: str, timeout_s: float = 120.0) -> None:
        assert self._process is not None
        await_server(base_url, self._process)

    def close(self) -> None:
        self.stop_container()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    provider = ProcessProvider(tmp_path_factory.mktemp("server"))
    base = provider.start_container("physix:latest")
    provider.wait_for_ready(base)
    yield base
    provider.stop_container()


class Cutter:
    """A relay that, when armed, lets one more message reach the server and cuts before its answer."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.armed = False
        self.cuts = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Wait for every connection to end; their clients have closed them."""
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            questions = threading.Thread(target=self._relay, args=(client, server, False))
            questions.start()
            self._relay(server, client, True)
            questions.join()

    def _relay(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.armed:
                    self.armed = False
                    self.cuts += 1
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def test_a_client_that_is_cut_off_mid_step_ends_with_exactly_the_turns_it_sent(url: str) -> None:
    cutter = Cutter(int(url.rpartition(":")[2]))
    laws = [f"d2x/dt2 = -{k}.0*x" for k in range(1, 6)]
    with PhysiXEnv(base_url=f"http://127.0.0.1:{cutter.port}").sync() as env:
        env.reset(system_id="damped_spring", seed=1)
        for law in laws:
            cutter.armed = True  # every single step is recorded, and its answer lost
            result = env.step(PhysiXAction(equation=law))
            last = result.observation
            # The answer that got lost had paid nobody: the one that arrives does.
            assert result.reward == last.reward == last.history[-1]["reward"] > 0.0
            assert not last.repeated
        assert cutter.cuts == len(laws)
        cutter.armed = False
        own = PhysiXAction(equation="d2x/dt2 = -6.0*x", idempotency_key="k")
        assert env.step(own).reward > 0.0
        assert (env.step(own).reward, env.step(own).observation.repeated) == (0.0, True)
        assert [turn["equation"] for turn in last.history] == laws
        assert env.state().step_count == len(laws) + 1
    cutter.close()


def test_the_async_client_plays_sessions_side_by_side(url: str) -> None:
    rewards: dict[str, float] = {}

    async def play(system_id: str, law: str) -> None:
        async with PhysiXEnv(base_url=url) as env:
            first = (await env.reset(system_id=system_id, seed=1)).observation
            assert isinstance(first, PhysiXResetObservation)
            result = await env.step(PhysiXAction(equation=law))
            assert result.observation.turn == 1
            assert result.reward is not None
            rewards[system_id] = result.reward

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play, "free_fall", "d2y/dt2 = -9.81")
            tasks.start_soon(play, "spring_mass", "d2x/dt2 = -10*x")

    anyio.run(main)
    assert set(rewards) == {"free_fall", "spring_mass"}


def test_from_docker_image_starts_plays_and_stops(tmp_path: Path) -> None:
    provider = ProcessProvider(tmp_path)
    env = PhysixEnv.from_docker_image(
        "physix:latest", provider=provider, env_vars={"PHYSIX_MAX_SESSIONS": "1"}
    ).sync()
    assert env.reset(system_id="free_fall", seed=7).observation.turn == 0
    assert env.step(PhysiXAction(equation="d2y/dt2 = -9.81")).reward is not None
    env.close()
    assert provider._process is not None
    assert provider._process.poll() is not None


def test_a_client_waits_for_a_server_that_is_still_starting(tmp_path: Path) -> None:
    provider, port = ProcessProvider(tmp_path), free_port()
    starting = threading.Thread(target=lambda: provider.start_container("physix:latest", port=port))

    async def play() -> int:
        env = PhysiXEnv(base_url=f"http://127.0.0.1:{port}")
        entered = asyncio.create_task(env.__aenter__())
        await asyncio.sleep(0)
        starting.start()
        await entered
        await env.reset(system_id="free_fall", seed=7)
        state = await env.state()
        await env.close()
        return int(state.step_count)

    assert asyncio.run(play()) == 0
    starting.join()
    provider.stop_container()


def test_a_server_that_will_have_none_of_us_is_not_waited_for(url: str) -> None:
    class Stranger(PhysiXEnv):
        outage_s = 3_600.0

    async def enter() -> None:
        async with Stranger(base_url=url, headers={"Origin": "https://elsewhere.example"}):
            raise AssertionError("it was let in")

    with pytest.raises(InfrastructureError, match="refuses the connection"):
        asyncio.run(enter())


def test_a_server_that_never_comes_is_an_infrastructure_failure() -> None:
    class Impatient(PhysiXEnv):
        outage_s = 0.0

    async def enter() -> None:
        async with Impatient(base_url="http://127.0.0.1:9"):
            raise AssertionError("there is no server")

    with pytest.raises(InfrastructureError, match=r"stayed away for 0 s.*physix serve"):
        asyncio.run(enter())


def test_openenvs_generic_client_plays_without_any_code_of_ours(url: str) -> None:
    with GenericEnvClient(base_url=url).sync() as env:
        first = env.reset(system_id="free_fall", seed=7, max_turns=1)
        assert first.observation["hint"]
        result = env.step({"equation": "d2y/dt2 = -9.0"})
        assert result.done
        assert result.reward == result.observation["reward_breakdown"]["total"] > 0.0
        assert env.state()["step_count"] == 1
