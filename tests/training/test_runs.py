import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from physix.api.app import create_app
from physix.errors import BadInputError
from physix.settings import Settings
from physix.training.runs import RunManifest, RunWriter, list_runs, read_metrics, read_run


def manifest(name: str, day: int = 1) -> RunManifest:
    return RunManifest(
        id=name,
        kind="grpo",
        profile="nano",
        model="m",
        seed=3,
        status="running",
        started_at=datetime(2026, 1, day, tzinfo=UTC),
        config={"num_steps": 5, "ablation": None},
    )


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = RunWriter(tmp_path / "r1", manifest("r1"))
    run.log(1, {"reward": 0.5})
    run.log(2, {"reward": math.nan})
    run.note("watch out")
    run.finish("finished")
    found = read_run([tmp_path], "r1")
    assert found is not None
    assert (found.status, found.notes, found.config) == (
        "finished",
        ("watch out",),
        {"num_steps": 5, "ablation": None},
    )
    assert read_metrics([tmp_path], "r1") == [{"step": 1, "reward": 0.5}, {"step": 2, "reward": None}]


def test_a_line_cut_short_is_left_out_and_a_step_taken_again_counts_once(tmp_path: Path) -> None:
    run = RunWriter(tmp_path / "r1", manifest("r1"))
    run.log(1, {"reward": 0.5})
    run.log(1, {"reward": 0.7})
    with (tmp_path / "r1" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "rew')
    assert read_metrics([tmp_path], "r1") == [{"step": 1, "reward": 0.7}]


def test_long_curves_are_thinned_with_both_ends_kept(tmp_path: Path) -> None:
    run = RunWriter(tmp_path / "r1", manifest("r1"))
    for step in range(1, 101):
        run.log(step, {"reward": step / 100})
    lines = read_metrics([tmp_path], "r1", limit=7)
    assert len(lines) == 7
    assert (lines[0]["step"], lines[-1]["step"]) == (1, 100)


def test_runs_are_listed_newest_first_and_other_files_passed_over(tmp_path: Path) -> None:
    RunWriter(tmp_path / "old", manifest("old", 1))
    RunWriter(tmp_path / "new", manifest("new", 2))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    assert [run.id for run in list_runs([tmp_path])] == ["new", "old"]


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", ".hidden", "x" * 200])
def test_an_id_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError):
        read_run([tmp_path], name)


def test_the_api_lists_runs_and_gives_curves_in_columns(tmp_path: Path) -> None:
    run = RunWriter(tmp_path / "r1", manifest("r1", 28))
    run.log(1, {"reward": 0.5})
    run.log(2, {"match": 0.25})
    with TestClient(create_app(Settings(db="memory://", runs=str(tmp_path)), openenv=False)) as client:
        ids = [item["id"] for item in client.get("/api/runs").json()["items"]]
        assert "r1" in ids
        body = client.get("/api/runs/r1/metrics").json()
        assert body["steps"] == [1, 2]
        assert body["series"] == {"match": [None, 0.25], "reward": [0.5, None]}
        assert body["run"]["latest"] == {"match": 0.25}
        assert client.get("/api/runs/none/metrics").status_code == 404
        assert client.get("/api/runs/..%2Fx/metrics").status_code in (404, 422)
