"""A run's files tell of the training that happened, whatever is asked for in the same folder afterwards."""

import argparse
import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from physix.errors import BadInputError, PolicyError
from physix.training import runs
from physix.training.backends import Backend
from physix.training.continuing import begin_run, checkpoints, differences
from physix.training.data.files import write_sft
from physix.training.data.mining import NANO_RULES, MiningRules
from physix.training.grpo import train_grpo
from physix.training.manifest import new_manifest
from physix.training.options import GrpoOptions
from physix.training.runs import RunManifest, RunWriter
from physix.training.sft_trainer import SftOptions, train_sft

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Transformers and TRL among themselves
PEFT = Backend(name="peft", reason="test")


@pytest.fixture(scope="module")
def trained(base: Path, teacher_db: str, tmp_path_factory: pytest.TempPathFactory) -> SftOptions:
    """A run that was trained for two steps."""
    folder = tmp_path_factory.mktemp("sft")
    anyio.run(write_sft, teacher_db, MiningRules(balance=1), folder / "data")
    found = SftOptions(
        datasets=(folder / "data",),
        model=str(base),
        output_dir=folder / "run",
        num_steps=2,
        batch=1,
        save_every=1,
        lora_rank=2,
    )
    train_sft(found, PEFT)
    return found


@pytest.fixture
def options(trained: SftOptions, tmp_path: Path) -> SftOptions:
    """The same, in a folder of its own."""
    shutil.copytree(trained.output_dir, tmp_path / "copy" / "run")
    return replace(trained, output_dir=tmp_path / "copy" / "run")


def recorded(options: SftOptions) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((options.output_dir / "run.json").read_text())
    return found


def test_the_values_that_count_are_recorded(options: SftOptions) -> None:
    config = recorded(options)["config"]
    assert (config["learning_rate"], config["lora_rank"]) == (2e-4, 2)
    assert config["max_completion_tokens"] == 2_048


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 1), ("learning_rate", 1e-3), ("batch", 2), ("lora_rank", 4)]
)
def test_a_folder_of_another_run_is_refused_and_left_alone(
    options: SftOptions, name: str, value: float
) -> None:
    before = recorded(options)
    changed: dict[str, Any] = {name: value}
    with pytest.raises(BadInputError, match=rf"{name} is .* there and {value} here.*--output-dir"):
        train_sft(replace(options, **changed), PEFT)
    assert recorded(options) == before


def test_a_run_on_other_rows_is_another_run(options: SftOptions, teacher_db: str, tmp_path: Path) -> None:
    anyio.run(write_sft, teacher_db, MiningRules(balance=2), tmp_path)
    with pytest.raises(BadInputError, match="dataset is"):
        train_sft(replace(options, datasets=(tmp_path,)), PEFT)


def test_rows_of_numbers_are_not_taught_to_a_model_that_chats(
    options: SftOptions, teacher_db: str, tmp_path: Path
) -> None:
    anyio.run(write_sft, teacher_db, NANO_RULES, tmp_path / "numbers")
    with pytest.raises(BadInputError, match="--render chat"):
        train_sft(replace(options, datasets=(tmp_path / "numbers",), output_dir=tmp_path / "x"), PEFT)
    assert not (tmp_path / "x").exists()


def test_a_model_whose_template_knows_no_tools_plays_no_episodes(base: Path, tmp_path: Path) -> None:
    asked = GrpoOptions(profile="qwen2.5-1.5b", model=str(base), output_dir=tmp_path / "x", db="memory://")
    with pytest.raises(BadInputError, match="knows no tools"):
        train_grpo(asked, PEFT)
    assert not (tmp_path / "x").exists()


def test_a_run_that_has_its_steps_trains_nothing_and_says_so(
    options: SftOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    before = recorded(options)
    for steps in (2, 1):
        train_sft(replace(options, num_steps=steps, save_every=7), PEFT)
        assert "after 2 steps already: nothing was trained" in capsys.readouterr().err
    assert recorded(options) == before


def test_a_run_goes_on_from_its_newest_whole_checkpoint_and_keeps_its_history(options: SftOptions) -> None:
    # As a full disk leaves them: a folder without its last files, and weights that end too early.
    folder = options.output_dir / "checkpoints"
    (folder / "checkpoint-2" / "trainer_state.json").unlink()
    run = RunWriter(options.output_dir, runs.read_manifest(options.output_dir / "run.json") or new())
    began = run.manifest.started_at
    with pytest.raises(OSError, match="full"), run.ending():
        raise OSError(errno.ENOSPC, "the disk is full")
    train_sft(replace(options, num_steps=3), PEFT)
    found = runs.read_manifest(options.output_dir / "run.json")
    assert found is not None
    assert (found.started_at, found.status) == (began, "finished")
    assert found.notes[0].startswith("ended by OSError")
    assert found.notes[1].startswith("taken up again")
    assert found.notes[2:] == ("passed over, not whole: checkpoint-2", "went on from step 1")
    assert checkpoints(folder).step == 3


def test_a_model_that_was_not_saved_is_made_of_the_last_checkpoint(options: SftOptions) -> None:
    from safetensors.numpy import load_file

    last = checkpoints(options.output_dir / "checkpoints")
    assert last.newest is not None
    run = RunWriter(options.output_dir, runs.read_manifest(options.output_dir / "run.json") or new())
    run.finish("failed")
    model = train_sft(replace(options, num_steps=last.step), PEFT)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (last.newest, model))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    assert checkpoints(options.output_dir / "checkpoints").step == last.step


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_file_that_was_cut_makes_a_checkpoint_no_checkpoint(
    options: SftOptions, name: str, tmp_path: Path
) -> None:
    newest = checkpoints(options.output_dir / "checkpoints").newest
    assert newest is not None
    shutil.copytree(newest, tmp_path / "checkpoint-7")
    assert checkpoints(tmp_path).step == 7
    file = tmp_path / "checkpoint-7" / name
    file.write_bytes(file.read_bytes()[:-2])
    assert checkpoints(tmp_path).broken == ("checkpoint-7",)
    assert checkpoints(tmp_path).newest is None


@pytest.mark.parametrize(
    ("name", "value"), [("num_steps", 0), ("batch", 0), ("save_every", 0), ("learning_rate", 0.0)]
)
def test_numbers_that_make_no_run_are_refused_before_anything_is_written(
    options: SftOptions, tmp_path: Path, name: str, value: float
) -> None:
    changed: dict[str, Any] = {"output_dir": tmp_path / "run", name: value}
    with pytest.raises(BadInputError, match=f"--{name.replace('_', '-')} is 0; it must be"):
        train_sft(replace(options, **changed), PEFT)
    assert not (tmp_path / "run").exists()


def new(**more: Any) -> RunManifest:
    settings: dict[str, Any] = {"run_id": "r", "kind": "sft", "profile": "p", "model": "m", "seed": 0}
    return new_manifest(**{**settings, "config": {}, **more})


def test_a_full_disk_leaves_a_manifest_that_says_how_the_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunWriter(tmp_path, new())
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"), run.ending():
        raise OSError(errno.ENOSPC, "No space left on device")
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["status"] == "failed"
    assert found["notes"] == ["ended by OSError: [Errno 28] No space left on device"]
    assert not (tmp_path / "run.json.part").exists()


@pytest.mark.parametrize(
    ("error", "free", "told"),
    [
        (RuntimeError("unexpected pos 32448 vs 32336"), 0, "OSError: [Errno 28] No space left on device"),
        (RuntimeError("unexpected pos 32448 vs 32336"), 1 << 20, "RuntimeError: unexpected pos"),
        (KeyError("I/O error: No space left on device (os error 28)"), 1 << 20, "OSError: [Errno 28]"),
        (BadInputError("it was wrong"), 0, "BadInputError: it was wrong"),
    ],
)
def test_a_full_disk_is_called_so_whatever_a_library_makes_of_it(
    error: Exception, free: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunWriter(tmp_path, new())
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: argparse.Namespace(free=free))
    with pytest.raises(OSError if "OSError" in told else type(error)), run.ending():
        raise error
    (note,) = json.loads((tmp_path / "run.json").read_text())["notes"]
    assert note.startswith(f"ended by {told}")


def test_the_reason_of_a_group_of_failures_is_the_first_of_them(tmp_path: Path) -> None:
    run = RunWriter(tmp_path, new())
    several = ExceptionGroup("unhandled errors in a TaskGroup", [PolicyError("llama.cpp is not here")])
    with pytest.raises(ExceptionGroup), run.ending():
        raise ExceptionGroup("unhandled errors in a TaskGroup", [several])
    assert json.loads((tmp_path / "run.json").read_text())["notes"] == [
        "ended by PolicyError: llama.cpp is not here"
    ]


def test_what_decides_how_a_run_comes_out_is_compared_and_nothing_else() -> None:
    config = {"num_steps": 5, "save_every": 1, "db": "a", "ablation": None, "seed": 0}
    before = new(config=config)
    assert differences(before, new(config={**config, "num_steps": 9, "save_every": 3, "db": "b"})) == []
    assert differences(before, new(config={**config, "later": 1})) == []
    assert differences(before, new(config={**config, "ablation": "no_hint"}, seed=1)) == [
        "seed is 0 there and 1 here",
        "ablation is None there and no_hint here",
    ]


def test_files_that_nothing_describes_are_not_built_upon(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(BadInputError, match="is a file"):
        begin_run(tmp_path / "a", new())
    (tmp_path / "b" / "checkpoints" / "checkpoint-3").mkdir(parents=True)
    with pytest.raises(BadInputError, match=r"no run\.json describes"):
        begin_run(tmp_path / "b", new())
    (tmp_path / "b" / "run.json").write_text("{")
    with pytest.raises(BadInputError, match="cannot be read"):
        begin_run(tmp_path / "b", new())
