import json
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.engine import EpisodeEngine
from physix.engine.systems.splits import EVALUATION_SEEDS
from physix.errors import BadInputError
from physix.settings import Settings
from physix.store import EpisodeFilter, open_log
from physix.training.data.files import write_sft
from physix.training.data.mining import (
    NANO_RULES,
    MiningReport,
    MiningRules,
    SftRow,
    mine,
    rules_from,
)
from physix.training.data.teacher import TeacherPolicy
from physix.training.executor import Executor, InProcess, LocalProcesses
from physix.training.rollout import RolloutOptions, TaskPlan, roll_out


def fill(url: str, plan: TaskPlan, run_id: str = "t") -> None:
    async def play() -> None:
        async with open_log(url) as log:
            async for _ in roll_out(log, plan, TeacherPolicy, RolloutOptions(run_id=run_id)):
                pass

    anyio.run(play)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('mine') / 'log.db'}"
    fill(url, TaskPlan(systems=("spring_mass", "damped_pendulum"), episodes=40))
    fill(url, TaskPlan(systems=("charged_b_field",), episodes=2), "held-out")
    fill(url, TaskPlan(systems=("spring_mass",), episodes=2, first_seed=EVALUATION_SEEDS.start), "eval")
    return url


def mined(url: str, rules: MiningRules) -> tuple[list[SftRow], MiningReport]:
    report = MiningReport(rules=rules)

    async def read() -> list[SftRow]:
        async with open_log(url) as log:
            return [row async for row in mine(log, rules, report)]

    return anyio.run(read), report


def test_held_out_systems_and_evaluation_seeds_are_refused_and_counted(db: str) -> None:
    rows, report = mined(db, MiningRules())
    assert {row.system_id for row in rows} == {"spring_mass", "damped_pendulum"}
    assert report.refused["held-out system"] == 2
    assert report.refused["evaluation split"] == 2
    assert report.episodes == 44


def test_a_turn_must_hold_on_other_motions_and_improve(db: str) -> None:
    rows, report = mined(db, MiningRules(min_generalisation=0.95))
    assert all(row.generalisation > 0.95 for row in rows)
    assert report.refused["does not generalise"] > 0
    assert sum(report.by_system_and_turn.values()) == report.rows == len(rows)


def test_refinement_from_a_mismatch_is_among_the_rows(db: str) -> None:
    rows, _ = mined(db, MiningRules(render="chat"))
    later = [row for row in rows if row.turn > 1]
    assert later
    assert any("fits worst" in json.dumps(row.prompt) for row in later)


def test_hindsight_asks_again_before_the_mistake(db: str) -> None:
    rows, _ = mined(db, NANO_RULES)
    again = [row for row in rows if row.kind == "hindsight"]
    assert again
    assert all(" >" not in str(row.prompt) for row in again if row.turn == 1)


def test_no_prompt_and_no_completion_tells_of_the_truth(db: str) -> None:
    """A row is the same whatever the truth of its episode holds."""
    rows, _ = mined(db, MiningRules(render="chat"))
    for row in rows:
        text = json.dumps([row.prompt, row.completion])
        for secret in ("generalisation", "hidden", "teacher", "correctness"):
            assert secret not in text


def test_balance_and_best_of_limit_what_is_kept(db: str) -> None:
    rows, report = mined(db, MiningRules(balance=3))
    assert max(report.by_system_and_turn.values()) <= 3
    assert report.refused["balance"] > 0
    assert len(rows) == report.rows


def test_the_same_log_gives_the_same_bytes(db: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        anyio.run(write_sft, db, MiningRules(), tmp_path / name)
    for file in ("train.parquet", "manifest.json", "README.md"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_labels_given_after_the_end_change_no_row(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    fill(url, TaskPlan(systems=("spring_mass",), episodes=6))
    before, _ = mined(url, NANO_RULES)
    anyio.run(write_sft, url, NANO_RULES, tmp_path / "before")

    async def label() -> None:
        async with open_log(url) as log:
            for row in (await log.list_episodes(EpisodeFilter())).items:
                await EpisodeEngine(log).label(row.episode_id, {"good": ""})

    anyio.run(label)
    assert mined(url, NANO_RULES)[0] == before
    assert len(before) > 0
    anyio.run(write_sft, url, NANO_RULES, tmp_path / "after")
    rows = [(tmp_path / name / "train.parquet").read_bytes() for name in ("before", "after")]
    assert rows[0] == rows[1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("render", ["chat", "nano"])
def test_datasets_loads_what_was_written(db: str, tmp_path: Path, render: str) -> None:
    from datasets import load_dataset

    manifest = anyio.run(write_sft, db, rules_from({"render": render}), tmp_path / "d")
    loaded = load_dataset(
        "parquet", data_files=str(tmp_path / "d" / "train.parquet"), cache_dir=str(tmp_path)
    )
    assert len(loaded["train"]) == manifest["rows"]
    prompt = loaded["train"][0]["prompt"]
    assert isinstance(prompt, str) if render == "nano" else prompt[0]["role"] == "system"


@pytest.mark.parametrize(
    ("executor", "rules"),
    [
        (InProcess(), MiningRules()),
        (InProcess(), MiningRules(balance=3, best_of=1)),
        (LocalProcesses(2), NANO_RULES),
    ],
    ids=["here", "balanced", "processes"],
)
def test_many_miners_write_the_bytes_of_one(
    db: str, tmp_path: Path, executor: Executor, rules: MiningRules
) -> None:
    alone = anyio.run(write_sft, db, rules, tmp_path / "alone")
    together = anyio.run(write_sft, db, rules, tmp_path / "together", executor)
    assert together == alone
    assert alone["rows"] > 0
    for name in ("train.parquet", "manifest.json", "README.md"):
        assert (tmp_path / "together" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_log_without_a_good_turn_is_said_to_have_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'held.db'}"
    fill(url, TaskPlan(systems=("charged_b_field",), episodes=1))
    with pytest.raises(BadInputError, match="No turn passed"):
        anyio.run(write_sft, url, MiningRules(), tmp_path / "d")


@pytest.mark.parametrize(
    "where",
    [
        {"render": "xml"},
        {"best_of": "x"},
        {"nonsense": "1"},
        {"min_generalisation": "7"},
        {"systems": "moon"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(where: dict[str, str]) -> None:
    with pytest.raises(BadInputError):
        rules_from(where)


def test_the_api_streams_the_rows_that_the_command_writes(db: str) -> None:
    rows, _ = mined(db, rules_from({"render": "nano", "balance": "4"}))
    with TestClient(create_app(Settings(db=db), openenv=False)) as client:
        answer = client.get("/api/datasets/sft", params={"render": "nano", "where": "balance=4"})
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert [line["prompt"] for line in lines] == [row.prompt for row in rows]
        assert client.get("/api/datasets/sft", params={"where": "nonsense=1"}).status_code == 422
