"""A dataset in a folder is whole, or not touched, or not learnt from."""

import json
from pathlib import Path

import anyio
import pytest

from physix.errors import BadInputError
from physix.training.data.files import write_lessons, write_sft
from physix.training.data.lessons import LessonPlan
from physix.training.data.mined import read_mined
from physix.training.data.mining import MiningRules, rules_from

FILES = {"train.parquet", "manifest.json", "README.md"}


@pytest.fixture
def dataset(teacher_db: str, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    anyio.run(write_sft, teacher_db, MiningRules(balance=3), folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_cannot_be_mined_leaves_the_dataset_that_is_there(
    dataset: Path, teacher_db: str, tmp_path: Path
) -> None:
    before = contents(dataset)
    with pytest.raises(BadInputError, match="no log"):
        anyio.run(write_sft, f"sqlite:///{tmp_path / 'none.db'}", MiningRules(), dataset)
    with pytest.raises(BadInputError, match="No turn passed"):
        anyio.run(write_sft, teacher_db, MiningRules(policies=("nobody",)), dataset)
    with pytest.raises(BadInputError, match="No lesson was solved"):
        anyio.run(write_lessons, "memory://", LessonPlan(synthetic=0, systems=0), "t", dataset)
    assert contents(dataset) == before
    assert set(before) == FILES


def test_a_dataset_is_replaced_whole(dataset: Path, teacher_db: str) -> None:
    anyio.run(write_sft, teacher_db, MiningRules(balance=1), dataset)
    assert set(contents(dataset)) == FILES
    assert read_mined(dataset).rows == json.loads((dataset / "manifest.json").read_text())["rows"]


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_log_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    plan = LessonPlan(synthetic=1, systems=0)
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInputError, match="no folder to write to"):
            anyio.run(write_sft, f"sqlite:///{tmp_path / 'none.db'}", MiningRules(), out)
        with pytest.raises(BadInputError, match="no folder to write to"):
            anyio.run(write_lessons, f"sqlite:///{tmp_path / 'made.db'}", plan, "t", out)
    assert not (tmp_path / "made.db").exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_only_rows_that_their_manifest_describes_are_read(dataset: Path, tmp_path: Path) -> None:
    assert read_mined(dataset).rows > 0
    whole = (dataset / "train.parquet").read_bytes()
    (dataset / "train.parquet").write_bytes(whole[:-1])
    with pytest.raises(BadInputError, match="not the file that its manifest describes"):
        read_mined(dataset)
    (dataset / "train.parquet").unlink()
    with pytest.raises(BadInputError, match="holds no mined dataset"):
        read_mined(dataset)


@pytest.mark.parametrize("text", ["{}", "[]", "{", "", '{"rows": "many"}'])
def test_a_manifest_that_says_nothing_is_refused(dataset: Path, text: str) -> None:
    (dataset / "manifest.json").write_text(text)
    with pytest.raises(BadInputError, match="does not describe a dataset"):
        read_mined(dataset)


def test_a_dataset_without_rows_is_refused(dataset: Path) -> None:
    manifest = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps(manifest | {"rows": 0}))
    with pytest.raises(BadInputError, match="has no rows"):
        read_mined(dataset)


def test_the_card_of_lessons_names_no_position(tmp_path: Path) -> None:
    anyio.run(write_lessons, "memory://", LessonPlan(synthetic=0, systems=3), "t", tmp_path)
    assert "position" not in (tmp_path / "README.md").read_text()


def test_the_renderers_that_are_refused_are_told_which_there_are() -> None:
    with pytest.raises(BadInputError, match=r"render=chat\|tool\|nano"):
        rules_from({"render": "xml"})
