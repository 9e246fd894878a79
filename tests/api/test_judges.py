"""Judging in processes: the same verdicts, whatever becomes of a process."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient

from physix.api.app import create_app
from physix.api.judges import COMMAND, TRIES, JudgeProcesses, open_judges, usual_number
from physix.engine import EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig
from physix.errors import InfrastructureError
from physix.settings import Settings
from physix.store import open_log
from tests.api.test_server import await_server, free_port

DECLARED, FITTED = VerifierConfig(), VerifierConfig(constants="fitted")
TASK, TRUTH = sample_task("damped_spring", 3)
WRONG = Hypothesis(equation="d2x/dt2 = -2.0*x")
# Dies with its first answer half written, and lives when it is started again.
DIES_ONCE = """
import os, sys
from pathlib import Path
from physix.engine import judge_process
if not (mark := Path({mark!r})).exists():
    mark.touch()
    os.write(int(sys.argv[1]), b"half")
    os._exit(1)
judge_process.main()
"""


@asynccontextmanager
async def judges(*command: str, processes: int = 1) -> AsyncIterator[JudgeProcesses]:
    made = JudgeProcesses(processes, command or COMMAND)
    try:
        yield made
    finally:
        await made.close()


def written(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", textwrap.dedent(code)


async def ask(
    made: JudgeProcesses, law: Hypothesis = WRONG, config: VerifierConfig = DECLARED
) -> Verification:
    return await made.verify(TASK, TRUTH, law, best_match=0.25, config=config)


def children() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [one for one in found if "physix.engine.judge_process" in " ".join(one.cmdline())]


async def test_verdicts_are_those_of_the_verifier_to_the_bit() -> None:
    asked: list[tuple[Task, Truth, Hypothesis, VerifierConfig]] = []
    for system_id in SYSTEMS:
        task, truth = sample_task(system_id, 11)
        targets = (truth.equation or "").split("; ")
        nothing = "; ".join(f"{one.partition('=')[0]}= 0" for one in targets)
        right = Hypothesis(equation=truth.equation or "", params=dict(truth.params))
        opened = Hypothesis(equation=truth.equation or "", params=dict.fromkeys(truth.params))
        laws = [(right, DECLARED), (Hypothesis(equation=nothing), DECLARED), (opened, FITTED)]
        asked += [(task, truth, law, config) for law, config in laws]
        asked.append((task, truth, Hypothesis(equation="no law"), VerifierConfig(profile="strict")))
    async with judges() as made:
        given = (made.verify(*one, best_match=0.5, config=config) for *one, config in asked)  # type: ignore[arg-type]  # mypy loses which is which
        told = await asyncio.gather(*given)
    for (task, truth, law, config), verdict in zip(asked, told, strict=True):
        assert verdict == verify(task, truth, law, best_match=0.5, config=config)


async def test_more_tasks_than_a_process_remembers_are_judged_as_well() -> None:
    tasks = [sample_task("free_fall", seed) for seed in range(80)]
    law = Hypothesis(equation="d2y/dt2 = -9.81")
    async with judges() as made:
        for task, truth in [*tasks, *tasks[:3]]:
            verdict = await made.verify(task, truth, law, best_match=0.0, config=DECLARED)
            assert verdict == verify(task, truth, law, best_match=0.0, config=DECLARED)


async def test_a_process_that_is_killed_is_replaced_and_what_it_owed_is_judged() -> None:
    async with judges() as made:
        await ask(made)
        (process,) = children()
        laws = [Hypothesis(equation=f"d2x/dt2 = -{n}.5*x") for n in range(20)]
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ask(made, law)) for law in laws]
            await asyncio.sleep(0)
            process.send_signal(signal.SIGKILL)
        for law, one in zip(laws, asked, strict=True):
            assert one.result() == verify(TASK, TRUTH, law, best_match=0.25, config=DECLARED)
        assert [one.pid for one in children()] != [process.pid]


async def test_a_process_that_dies_over_half_an_answer_is_asked_again(tmp_path: Path) -> None:
    async with judges(*written(DIES_ONCE.format(mark=str(tmp_path / "died")))) as made:
        assert await ask(made) == verify(TASK, TRUTH, WRONG, best_match=0.25, config=DECLARED)
    assert (tmp_path / "died").exists()


async def test_a_hypothesis_over_which_every_process_dies_is_given_up_and_the_others_are_not() -> None:
    # Judges everything but the one law.
    code = """
    import os
    from physix.engine import judge_process
    judged = judge_process.verify
    def verify(task, truth, hypothesis, **named):
        if hypothesis.equation == "poison":
            os._exit(1)
        return judged(task, truth, hypothesis, **named)
    judge_process.verify = verify
    judge_process.main()
    """
    async with judges(*written(code)) as made:
        answers = await asyncio.gather(
            *(ask(made, Hypothesis(equation=text)) for text in ("d2x/dt2 = 0", "poison", "d2x/dt2 = -x")),
            return_exceptions=True,
        )
    assert isinstance(answers[0], Verification)
    assert isinstance(answers[2], Verification)
    assert isinstance(answers[1], InfrastructureError)
    assert f"{TRIES} times" in str(answers[1])


async def test_a_fault_of_the_verifier_is_told_and_the_next_hypothesis_judged() -> None:
    code = """
    from physix.engine import judge_process
    judged = judge_process.verify
    def verify(task, truth, hypothesis, **named):
        if hypothesis.equation == "fault":
            raise KeyError("where")
        return judged(task, truth, hypothesis, **named)
    judge_process.verify = verify
    judge_process.main()
    """
    async with judges(*written(code)) as made:
        with pytest.raises(InfrastructureError, match="KeyError: 'where'"):
            await ask(made, Hypothesis(equation="fault"))
        assert isinstance(await ask(made), Verification)


async def test_a_program_that_cannot_be_started_is_named() -> None:
    async with judges("/nonexistent/python") as made:
        with pytest.raises(InfrastructureError, match="No process that judges can be started"):
            await ask(made)


async def test_who_asks_for_constants_is_not_in_the_way_of_the_others() -> None:
    # Constants are found when the test says so.
    code = """
    import sys
    from physix.engine import judge_process
    judged = judge_process.verify
    def verify(*asked, config, **named):
        if config.constants == "fitted":
            open({pipe!r}).read()
        return judged(*asked, config=config, **named)
    judge_process.verify = verify
    judge_process.main()
    """
    async with judges(*written(code.format(pipe=f"/proc/{os.getpid()}/fd/{(pipe := os.pipe())[0]}"))) as made:
        async with asyncio.TaskGroup() as tasks:
            searching = tasks.create_task(ask(made, config=FITTED))
            assert isinstance(await ask(made), Verification)
            assert not searching.done()
            os.close(pipe[1])
        assert isinstance(searching.result(), Verification)
    os.close(pipe[0])


async def test_a_caller_that_is_cancelled_leaves_the_others_their_answers() -> None:
    async with judges() as made:
        gone = asyncio.ensure_future(ask(made, Hypothesis(equation="d2x/dt2 = -3*x")))
        stays = asyncio.ensure_future(ask(made))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == verify(TASK, TRUTH, WRONG, best_match=0.25, config=DECLARED)
        assert gone.cancelled()


async def test_closing_ends_the_processes_and_tells_who_waits() -> None:
    made = JudgeProcesses(1)
    await ask(made)
    assert len(children()) == 1
    waits = asyncio.ensure_future(ask(made, config=FITTED))
    await asyncio.sleep(0)
    await made.close()
    with pytest.raises(InfrastructureError, match="about to stop"):
        await waits
    assert children() == []
    with pytest.raises(InfrastructureError, match="about to stop"):
        await ask(made)


async def test_an_engine_plays_a_turn_with_judges_as_without() -> None:
    async with open_log("memory://") as log, open_judges(1) as made:
        told = []
        for engine in (EpisodeEngine(log), EpisodeEngine(log, made)):
            begun = await engine.start(TASK, TRUTH, config=EpisodeConfig(), policy="test", door="test")
            played = await engine.submit(begun.episode_id, WRONG, provenance=Provenance(policy="test"))
            told.append([(turn.submitted, turn.simulated, turn.rewarded) for turn in played.turns])
    assert told[0] == told[1]


async def test_a_server_that_is_told_of_none_judges_in_its_threads() -> None:
    async with open_judges(0) as made:
        assert made is None
    assert children() == []


def test_an_app_takes_its_judges_from_the_settings(tmp_path: Path) -> None:
    settings = Settings(db=f"sqlite:///{tmp_path}/log.db", judges=1)
    with TestClient(create_app(settings, openenv=False), base_url="http://127.0.0.1") as client:
        started = client.post("/interactive/sessions", json={"system_id": "damped_spring", "seed": 1})
        path = f"/interactive/sessions/{started.json()['episode_id']}/step"
        assert len(client.post(path, json={"equation": "d2x/dt2 = -x"}).json()["turns"]) == 1
        assert len(children()) == 1
    assert children() == []


def test_a_server_that_is_killed_takes_its_judges_with_it(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "physix.cli",
            "serve",
            "--port",
            str(port),
            "--db",
            f"sqlite:///{tmp_path}/a.db",
        ],
        env={**os.environ, "PHYSIX_JUDGES": "1"},
    )
    try:
        await_server(f"http://127.0.0.1:{port}", process)
        (judge,) = psutil.Process(process.pid).children()
    finally:
        process.kill()
        process.wait()
    psutil.wait_procs([judge], timeout=None)
    assert not judge.is_running()


@pytest.mark.parametrize(
    ("cores", "workers", "judges"), [(1, 1, 0), (1, 2, 0), (2, 1, 1), (2, 2, 1), (16, 4, 3), (64, 1, 8)]
)
def test_each_worker_judges_with_its_share_of_the_cores(
    cores: int, workers: int, judges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert usual_number(workers) == judges


def test_a_turn_that_nobody_could_judge_is_no_turn_and_may_be_sent_again(tmp_path: Path) -> None:
    class Nobody:
        waiting = 0

        async def verify(self, *asked: object, **named: object) -> Verification:
            raise InfrastructureError("The process that judges ended 3 times over this hypothesis.")

    app = create_app(Settings(db=f"sqlite:///{tmp_path}/log.db"), openenv=False)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        started = client.post("/interactive/sessions", json={"system_id": "damped_spring", "seed": 1})
        path = f"/interactive/sessions/{started.json()['episode_id']}/step"
        able = app.state.services
        app.state.services = replace(able, engine=EpisodeEngine(able.log, Nobody()))
        refused = client.post(path, json={"equation": "d2x/dt2 = -x"})
        assert refused.status_code == 503
        assert "ended 3 times" in refused.json()["detail"]
        app.state.services = able
        assert len(client.post(path, json={"equation": "d2x/dt2 = -x"}).json()["turns"]) == 1
