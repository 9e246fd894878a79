"""Playing boards: what is asked, what is skipped, what is counted, what bad files answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.events import Provenance
from physix.engine.systems import sample_task
from physix.engine.systems.splits import is_for_evaluation
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, BoardNotFoundError, ConflictError
from physix.settings import Settings
from physix.store import EpisodeFilter, open_log
from physix.store.memory import MemoryLog
from physix.training.board.files import (
    BoardFolder,
    Header,
    board_folder,
    export,
    list_boards,
    read_export,
    shipped_boards,
)
from physix.training.board.odebench import judge, ode_task
from physix.training.board.plan import Plan
from physix.training.board.play import Played, Result
from physix.training.board.report import markdown
from physix.training.board.run import Progress, new_header, require_policies, run_board
from physix.training.board.suites import Problem, pose, problems
from physix.training.board.table import differences, rows
from physix.training.executor import InProcess
from physix.training.intervals import share_interval
from physix.training.suites import odebench

PLAN = Plan(
    name="small",
    policies=("nano", "nano-untrained"),
    suites=("builtin:free_fall",),
    seeds=(0, 1),
    max_turns=1,
)


def result(number: int, policy: str = "search", **fields: object) -> Result:
    values: dict[str, Any] = {
        "episode_id": f"{policy}{number}",
        "policy": policy,
        "suite": "odebench",
        "case": str(number),
        "seed": 0,
        "noise": 0.0,
        "repetition": 0,
    }
    return Result(**{**values, **fields})


def played(
    folder: BoardFolder, log: MemoryLog | None, db: str = "memory://"
) -> tuple[Header, list[Progress]]:
    told: list[Progress] = []

    async def run() -> Header:
        return await run_board(folder, InProcess(), log=log, db=db, settings=Settings(), tell=told.append)

    return anyio.run(run), told


def test_suites_hold_what_they_say_and_nothing_twice() -> None:
    assert len(problems("odebench", (0, 1), (0.0, 0.05))) == 63 + 2 * 63  # without noise nothing is random
    assert len(problems("builtin", (0, 1), (None, 0.05))) == 8 * 2 * 2
    assert len(problems("real", (0, 1), (0.0, 0.05))) == 6
    assert [one.seed for one in problems("test", (3, 4), (0.0, 0.05))] == [3, 4]
    assert [one.case for one in problems("odebench:07", (0,), (0.0,))] == ["odebench-07"]


@pytest.mark.parametrize(
    ("suite", "seeds", "noises", "says"),
    [
        ("odebnech", (0,), (0.0,), "Suites: odebench, builtin, validation, test, real"),
        ("odebench:64", (0,), (0.0,), "no part '64'"),
        ("builtin", (0,), (0.06,), "0 to 0.05"),
        ("odebench", (0,), (0.6,), "0 to 0.5"),
        ("test", (10_000,), (0.0,), "tasks 0 to 199"),
        ("real", (-1,), (0.0,), "seeds of 0 or more"),
    ],
)
def test_what_no_suite_has_is_refused_in_one_line(
    suite: str, seeds: tuple[int, ...], noises: tuple[float, ...], says: str
) -> None:
    with pytest.raises(BadInputError, match=says) as told:
        problems(suite, seeds, noises)
    assert "\n" not in str(told.value)


def test_no_training_draws_what_a_board_plays() -> None:
    task = pose(Problem(suite="builtin", case="free_fall", seed=3)).task
    assert is_for_evaluation(task)


def test_odebench_hides_its_truth_from_the_episode_and_keeps_it_for_the_judge() -> None:
    posed = pose(Problem(suite="odebench", case="odebench-01", noise=0.05))
    assert (posed.truth.equation, posed.truth.hidden, posed.task.hint) == (None, (), "")
    assert posed.judged is not None
    assert len(posed.judged.hidden) == 2
    assert len(posed.task.shown[0].t) == 512


def test_a_law_is_judged_by_both_motions_and_by_its_field() -> None:
    case = odebench().cases[0]  # x' = (a - x/b)/c
    task, truth = ode_task(case, 0.0, 0.0, 0)
    right = judge(Hypothesis(equation=case.equation, params=dict(case.parameters)), task, truth)
    assert (right.reconstructed, right.generalised, right.recovered, right.form) == (True, True, True, True)
    a, b, c = (case.parameters[name] for name in "abc")
    wrong = judge(
        Hypothesis(equation="dx/dt = p - q*x", params={"p": 1.2 * a / c, "q": 1.0 / (b * c)}), task, truth
    )
    assert (wrong.recovered, wrong.form) == (False, True)
    still = judge(Hypothesis(equation="dx/dt = 0"), task, truth)
    assert (still.reconstructed, still.form) == (False, False)
    assert not judge(Hypothesis(equation="no law"), task, truth).reconstructed


def test_the_same_plan_names_the_same_episodes_and_another_rule_others() -> None:
    ids = [job.episode_id for job in PLAN.jobs()]
    assert ids == [job.episode_id for job in PLAN.jobs()]
    assert len(set(ids)) == PLAN.episodes == 4
    assert not set(ids) & {job.episode_id for job in replace(PLAN, max_turns=2).jobs()}
    assert not set(ids) & {job.episode_id for job in replace(PLAN, profile="classic").jobs()}
    assert not set(ids) & {job.episode_id for job in replace(PLAN, name="other").jobs()}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../up"},
        {"policies": ()},
        {"policies": ("a", "a")},
        {"policies": ("you",)},
        {"suites": ()},
        {"max_turns": 0},
        {"max_turns": 65},
        {"repetitions": 0},
        {"suites": ("odebench",), "seeds": tuple(range(9_000)), "noises": (0.1,)},
    ],
)
def test_a_plan_that_cannot_be_played_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        replace(PLAN, **change)


def test_a_board_is_played_once_and_again_only_where_it_lacks(tmp_path: Path) -> None:
    log = MemoryLog()
    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(PLAN))
    header, told = played(folder, log)
    assert (header.state, told[0].done, told[-1].done) == ("finished", 0, 4)
    listed = anyio.run(log.list_episodes, EpisodeFilter(run="board/small"))
    assert {row.episode_id for row in listed.items} == {job.episode_id for job in PLAN.jobs()}
    assert all(row.status == "finished" for row in listed.items)

    _, again = played(folder, log)
    assert [one.done for one in again] == [4]
    lines = (tmp_path / "small" / "results.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "small" / "results.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:40])
    _, rest = played(folder, log)
    assert [one.done for one in rest] == [2, 3, 4]
    assert len(folder.read().results) == 4


def test_what_the_log_has_of_a_board_is_not_played_again(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    plan = replace(PLAN, policies=("nano",), seeds=(0,))
    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(plan))
    played(folder, None, db)
    (first,) = folder.read().results
    (tmp_path / "small" / "results.jsonl").unlink()
    played(folder, None, db)
    (second,) = folder.read().results
    assert second.cpu_s is None
    assert replace(second, cpu_s=first.cpu_s) == first

    async def turns() -> int:
        async with open_log(db) as log:
            return len(await log.list_turns([first.episode_id]))

    assert anyio.run(turns) == 1


def test_a_board_stops_when_it_is_asked_to_and_goes_on_later(tmp_path: Path) -> None:
    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(PLAN))

    class Stopping(InProcess):
        async def run(self, work: object, batches: object, take: object) -> None:
            folder.wish("pause")
            await anyio.sleep_forever()

    async def run() -> Header:
        return await run_board(folder, Stopping(), db="memory://", settings=Settings())

    header = anyio.run(run)
    assert (header.state, folder.wished()) == ("paused", None)
    assert played(folder, MemoryLog())[0].state == "finished"


def test_a_broken_worker_counts_for_nothing_and_is_tried_again(tmp_path: Path) -> None:
    class Broken(InProcess):
        async def run(self, work: object, batches: Any, take: Any) -> None:
            def fail(_jobs: object) -> list[Played]:
                raise MemoryError("full")

            await InProcess().run(fail, batches, take)

    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(PLAN))

    async def run() -> Header:
        return await run_board(folder, Broken(), db="memory://", settings=Settings())

    header = anyio.run(run)
    assert header.state == "failed"
    assert "MemoryError: full" in header.note
    row = rows(folder.read())[0]
    assert (row.n, row.errors) == (0, 2)
    assert played(folder, MemoryLog())[0].state == "finished"
    assert [(row.n, row.errors) for row in rows(folder.read())] == [(2, 0), (2, 0)]


def test_an_episode_that_somebody_else_began_under_a_boards_id_is_not_counted(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(PLAN))
    first, *others = PLAN.jobs()
    # A client of the server names its episodes and their run as it likes, and plays what it knows the law of.
    task, truth = sample_task("free_fall", 1)
    forged = Hypothesis(equation=truth.equation or "", params=dict(truth.params))

    async def forge() -> None:
        async with open_log(db) as log:
            engine = EpisodeEngine(log)
            await engine.start(
                task,
                truth,
                config=EpisodeConfig(max_turns=1),
                policy="openenv",
                door="openenv",
                episode_id=first.episode_id,
                token_sha256="0" * 64,
                labels={"run": "board/small"},
            )
            ended = await engine.submit(first.episode_id, forged, provenance=Provenance(policy="openenv"))
            assert ended.outcome.solved

    anyio.run(forge)
    played(folder, None, db)
    found = {one.episode_id: one for one in folder.read().results}
    assert (found[first.episode_id].status, found[first.episode_id].solved) == ("error", False)
    assert "another one" in found[first.episode_id].note
    assert {found[job.episode_id].status for job in others} == {"played"}


def test_what_cannot_be_asked_is_counted_as_missed(tmp_path: Path) -> None:
    plan = Plan(name="asked", policies=("nano",), suites=("odebench:01", "real:hare_lynx"))
    folder = BoardFolder(tmp_path / "asked")
    folder.create(new_header(plan))
    played(folder, MemoryLog())
    ode, real = rows(folder.read())
    assert (ode.n, ode.not_asked, ode.metrics["recovered"].mean) == (1, 1, 0.0)
    assert (real.n, real.not_asked) == (1, 1)
    assert "recovered" not in real.metrics
    # Nothing is held back of ODEBench: a law of it can fit, none can be solved.
    assert ("solved" in ode.metrics, "solved" in real.metrics) == (False, True)


def test_a_board_that_somebody_plays_is_not_played_twice(tmp_path: Path) -> None:
    folder = BoardFolder(tmp_path / "small")
    folder.create(replace(new_header(PLAN), state="running"))
    folder.beat()
    with pytest.raises(ConflictError, match="pause it first"):
        played(folder, MemoryLog())


def test_shares_are_wilsons_over_everything_and_differences_are_paired(tmp_path: Path) -> None:
    plan = Plan(name="x", policies=("search", "sindy"), suites=("odebench",), noises=(0.0,))
    folder = BoardFolder(tmp_path / "x")
    folder.create(new_header(plan))
    folder.append(result(n, recovered=n < 6, reconstructed=True, form=False) for n in range(8))
    folder.append(result(n, "sindy", recovered=n < 2, reconstructed=True, form=False) for n in range(7))
    folder.append(
        [result(7, "sindy", status="error"), result(8, "sindy", recovered=False, status="not_asked")]
    )
    search, sindy = rows(folder.read())
    assert search.metrics["recovered"] == share_interval([True] * 6 + [False] * 2)
    assert search.metrics["recovered"].mean == 0.75
    assert (sindy.n, sindy.errors, sindy.not_asked) == (8, 1, 1)
    assert sindy.metrics["recovered"].mean == 0.25
    (gain,) = [one for one in differences(folder.read(), than="sindy") if one.metric == "recovered"]
    assert (gain.policy, gain.n) == ("search", 7)
    assert gain.interval.mean == pytest.approx(4 / 7)
    assert gain.interval.low is not None
    assert gain.interval.low > 0.0


def test_a_later_result_of_an_episode_replaces_the_earlier(tmp_path: Path) -> None:
    folder = BoardFolder(tmp_path / "x")
    folder.create(new_header(PLAN))
    folder.append([result(1, status="error")])
    folder.append([result(1, recovered=True)])
    (one,) = folder.read().results
    assert one.recovered


def test_counts_follow_a_file_that_grows_is_cut_and_is_written_anew(tmp_path: Path) -> None:
    folder, path = BoardFolder(tmp_path / "x"), tmp_path / "x" / "results.jsonl"
    folder.create(new_header(PLAN))
    assert folder.counts() == (0, 0)
    folder.append([result(1, status="error"), result(2)])
    assert folder.counts() == (2, 1)
    folder.append([result(1, recovered=True)])  # tried again: the later one counts
    assert folder.counts() == (2, 0)
    with path.open("ab") as file:
        file.write(b'{"episode_id"')  # a crash cut it short
    assert folder.counts() == (2, 0)
    folder.repair()
    folder.append([result(3)])
    assert folder.counts() == (3, 0)
    assert len(folder.read().results) == 3
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert folder.counts() == (1, 1)
    with path.open("ab") as file:
        file.write(b"no result\n")
    with pytest.raises(BadInputError, match="line 2, is no result"):
        folder.counts()


def test_damaged_files_say_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    folder = BoardFolder(tmp_path / "small")
    folder.create(new_header(PLAN))
    folder.append([result(1), result(2)])
    path = tmp_path / "small" / "results.jsonl"
    path.write_bytes(b'{"episode_id": 3}\n' + path.read_bytes())
    with pytest.raises(BadInputError, match="line 1, is no result"):
        folder.read()
    whole = tmp_path / "whole.json"
    path.unlink()
    whole.write_bytes(export(folder.read()))
    assert read_export(whole).header.plan == PLAN
    whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(BadInputError, match="no whole JSON file"):
        read_export(whole)
    whole.write_text("{}")
    with pytest.raises(BadInputError, match="no exported board"):
        read_export(whole)
    (tmp_path / "small" / "board.json").write_text("{")
    with pytest.raises(BadInputError, match="is no board"):
        folder.header()
    assert list_boards([tmp_path]) == []


@pytest.mark.parametrize("name", ["", "..", "../small", "none", "a/b"])
def test_a_board_that_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(BoardNotFoundError):
        board_folder([tmp_path], name)


def test_a_policy_without_its_extra_is_refused_before_anything_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("physix.policies.registry.find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"pip install 'physix-live\[operon\]'"):
        require_policies(("search", "operon"))
    require_policies(("search", "nano"))


def test_the_page_of_the_board_is_what_the_shipped_results_say() -> None:
    board = board_folder([shipped_boards()], "published").read()
    assert len(board.counted) == board.header.plan.episodes == 63 * 5 * 2
    page = (Path(__file__).parents[3] / "docs" / "board.md").read_text()
    assert markdown(board) in page


def test_a_board_that_was_larger_once_is_finished_when_what_is_left_of_its_plan_is(tmp_path: Path) -> None:
    larger = Plan(name="mine", policies=("nano",), suites=("builtin:free_fall", "builtin:damped_spring"))
    folder = BoardFolder(tmp_path / "mine")
    folder.create(new_header(larger))
    played(folder, MemoryLog())
    folder.save(replace(folder.header(), plan=replace(larger, suites=("builtin:free_fall",))))
    header, _ = played(folder, MemoryLog())
    assert (header.state, header.note) == ("finished", "")
