"""What the training commands say to mistakes: one line, before anything is loaded or written."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from physix.cli.app import app
from physix.errors import BadInputError, in_one_line
from physix.training import command, loop
from physix.training.backends import Backend, load
from physix.training.command import chosen_profile, profile_of
from physix.training.export import export_gguf, merge_16bit
from physix.training.folders import put_in_place
from physix.training.runs import StoppedError

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Transformers and PEFT among themselves
PEFT = Backend(name="peft", reason="test")


@pytest.fixture(scope="module")
def trained(base: Path) -> Path:
    from peft import get_peft_model

    loaded = load(PEFT, str(base), lora_rank=2, context=64, seed=0)
    get_peft_model(loaded.model, loaded.peft_config).save_pretrained(base.parent / "adapter")
    return base.parent / "adapter"


@pytest.fixture
def adapter(trained: Path, tmp_path: Path) -> Path:
    """An adapter that may be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "adapter"))


def of_base(adapter: Path, base: str) -> Path:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": base}))
    return adapter


def refused(model: str | Path) -> str:
    with pytest.raises(BadInputError) as told:
        load(PEFT, str(model), lora_rank=2, context=64, seed=0)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_a_model_that_is_not_there_is_told_of_in_one_line(base: Path, adapter: Path, tmp_path: Path) -> None:
    assert "holds no model" in refused(tmp_path / "none")
    (tmp_path / "file").write_text("")
    assert "holds no model" in refused(tmp_path / "file")
    gone = str(tmp_path / "was" / "here")
    for told in (refused(of_base(adapter, gone)), _refused_merge(adapter, tmp_path)):
        assert f"{adapter} is for a model that is not here: {gone}" in told


def _refused_merge(adapter: Path, tmp_path: Path) -> str:
    with pytest.raises(BadInputError) as told:
        merge_16bit(adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    return str(told.value)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_an_adapter_that_was_cut_is_told_of_in_one_line(adapter: Path, name: str, tmp_path: Path) -> None:
    file = adapter / name
    file.write_bytes(file.read_bytes()[:-40])
    assert str(adapter) in refused(adapter)
    with pytest.raises(BadInputError, match="adapter"):
        export_gguf(adapter, tmp_path / "out", name="x")


def test_weights_that_were_cut_are_told_of_in_one_line(base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(base, tmp_path / "base"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    assert f"{folder} cannot be loaded: " in refused(folder)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".x", "", "x" * 200])
def test_a_gguf_is_written_into_its_folder_and_nowhere_else(base: Path, name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is no file's name"):
        export_gguf(base, tmp_path / "a" / "b" / "out", name=name)
    assert list(tmp_path.rglob("*")) == []


def test_a_gguf_is_not_written_below_a_file(base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInputError, match="is a file"):
        export_gguf(base, tmp_path / "file", name="x")


def test_a_gguf_that_cannot_be_finished_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    def cut_short() -> None:
        with put_in_place(tmp_path / "x.gguf") as part:
            part.write_text("a part")
            raise OSError("the disk is full")

    (tmp_path / "x.gguf").write_text("whole")
    with pytest.raises(OSError, match="full"):
        cut_short()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.gguf": "whole"}


def asked(profile: str | None, model: str | None) -> argparse.Namespace:
    return argparse.Namespace(profile=profile, model=model)


def test_the_profile_is_that_of_the_model(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen_profile(asked(None, None)) == "qwen2.5-1.5b"
    assert chosen_profile(asked(None, "someone/else")) == "qwen2.5-1.5b"
    assert chosen_profile(asked("nano", "someone/else")) == "nano"
    assert capsys.readouterr().err == ""
    of_base(adapter, "/home/someone/.cache/physix/models/smollm2-transformers")
    for model in (str(adapter), "smollm2"):
        assert profile_of(model) == "smollm2"
        assert chosen_profile(asked(None, model)) == "smollm2"
        assert "--profile smollm2, after" in capsys.readouterr().err
        assert chosen_profile(asked("smollm2", model)) == "smollm2"
        with pytest.raises(BadInputError, match=r"--profile is qwen2\.5-3b, but .* is of smollm2"):
            chosen_profile(asked("qwen2.5-3b", model))
    assert profile_of(str(of_base(adapter, "Qwen/Qwen2.5-3B-Instruct"))) == "qwen2.5-3b"


def test_the_command_asks_for_the_right_profile(adapter: Path) -> None:
    of_base(adapter, "/somewhere/smollm2-transformers")
    with pytest.raises(BadInputError, match="is of smollm2"):
        loop.run(["--profile", "nano", "--model", str(adapter)])


def test_a_report_on_a_run_that_is_not_there_is_refused_before_the_work(tmp_path: Path) -> None:
    flags = ["--weights", str(tmp_path / "w.npz"), "--out", str(tmp_path / "out"), "--run", str(tmp_path)]
    ended = CliRunner().invoke(app, ["train", "report", *flags])
    assert isinstance(ended.exception, BadInputError)
    assert "holds no training run" in str(ended.exception)
    assert not (tmp_path / "out").exists()


def test_what_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> Path:
        raise PermissionError(13, "Permission denied", "/mine")

    with pytest.raises(SystemExit) as ended:
        command.run_command(fails)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "physix: Permission denied: /mine\n"
    assert in_one_line(OSError("a page\nof advice")) == "a page"
    assert in_one_line(OSError()) == "OSError"
    assert in_one_line(OSError(28, "No space left on device")) == "No space left on device"


def test_a_run_that_was_told_to_stop_ends_in_one_line_with_the_signals_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run() -> Path:
        raise StoppedError("SIGTERM")

    with pytest.raises(SystemExit) as ended:
        command.run_command(run)
    assert ended.value.code == 143
    told = capsys.readouterr().err
    assert told == "physix: SIGTERM. The same command goes on from the last checkpoint.\n"
