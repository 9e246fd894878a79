import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from physix.engine.events import EpisodeStarted
from physix.errors import BadInputError
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.store import open_log
from physix.training import grpo
from physix.training.data.files import write_sft
from physix.training.data.mining import NANO_RULES, MiningRules
from physix.training.grpo import train_grpo
from physix.training.nano.files import load_nano_folder
from physix.training.nano.rollout import RolloutSettings, forward_of, play_all, task_prompt
from physix.training.options import GrpoOptions, grpo_config, tasks_of
from physix.training.profiles import profile_named
from physix.training.rewards import hacked, reward_functions
from physix.training.runs import read_metrics, read_run

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend


def options(folder: Path, tmp_path: Path, **more: Any) -> GrpoOptions:
    settings: dict[str, Any] = {
        "model": str(folder),
        "output_dir": tmp_path / "run",
        "num_steps": 2,
        "group": 4,
        "prompts_per_step": 2,
        "systems": ("spring_mass",),
        "db": f"sqlite:///{tmp_path / 'grpo.db'}",
        "save_every": 1,
    }
    return GrpoOptions(**{**settings, **more})


def test_every_rollout_is_an_episode_with_masked_feedback(
    tiny_folder: Path, tokenizer: NanoTokenizer, tmp_path: Path
) -> None:
    model, _, _ = load_nano_folder(tiny_folder)
    db = f"sqlite:///{tmp_path / 'log.db'}"
    settings = RolloutSettings(run_id="r1", db=db, max_turns=3)
    prompts = [task_prompt("spring_mass", 5, 0.02)] * 2
    with threadpool_limits(limits=1, user_api="blas"):
        played = anyio.run(play_all, forward_of(model), tokenizer, prompts, settings, 7)
        again = anyio.run(play_all, forward_of(model), tokenizer, prompts, settings, 7)

    assert [p.completion_ids for p in played] == [p.completion_ids for p in again]
    assert played[0].completion_ids != played[1].completion_ids
    for one in played:
        assert len(one.completion_ids) == len(one.logprobs) == len(one.env_mask)
        assert one.turns == 3
        assert 0 in one.env_mask
        assert 1 in one.env_mask
        for token, logprob, mask in zip(one.completion_ids, one.logprobs, one.env_mask, strict=True):
            assert (logprob < 0.0) if mask else (logprob == 0.0), token

    async def labels() -> dict[str, str]:
        async with open_log(db) as log:
            (started, *_) = await log.read(played[0].episode_id)
            assert isinstance(started.event, EpisodeStarted)
            return started.event.labels

    assert anyio.run(labels) == {"run": "r1", "step": "7", "group": "spring_mass/5", "sample": "0"}


def test_recorded_log_probabilities_are_those_of_the_model(
    tiny_folder: Path, tokenizer: NanoTokenizer, tmp_path: Path
) -> None:
    model, _, _ = load_nano_folder(tiny_folder)
    settings = RolloutSettings(run_id="r", db="memory://", max_turns=2)
    prompts = [task_prompt("spring_mass", 3, 0.02)]
    (played,) = anyio.run(play_all, forward_of(model), tokenizer, prompts, settings, 0)
    ids = torch.tensor([played.prompt_ids + played.completion_ids])
    with torch.no_grad():
        logits = model(ids).logits[0, len(played.prompt_ids) - 1 : -1]
    expected = torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(played.completion_ids)[:, None])[:, 0]
    mask = np.array(played.env_mask, dtype=bool)
    np.testing.assert_allclose(np.array(played.logprobs)[mask], expected.numpy()[mask], atol=1e-4)


def test_a_run_leaves_metrics_advantages_and_a_manifest(tiny_folder: Path, tmp_path: Path) -> None:
    folder = train_grpo(options(tiny_folder, tmp_path))
    manifest = read_run([tmp_path], "run")
    assert manifest is not None
    assert (manifest.status, manifest.backend, manifest.kind) == ("finished", "full", "grpo")
    lines = read_metrics([tmp_path], "run")
    assert [line["step"] for line in lines] == [1, 2]
    assert {"reward", "match", "format", "solved", "turns", "loss"} <= set(lines[0])
    rollouts = [json.loads(text) for text in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    assert len(rollouts) == 16
    assert {"episode_id", "advantage", "match"} <= set(rollouts[0])
    load_nano_folder(folder)


def even(completions: Sequence[object], completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
    """Return the share of tokens with an even id: every rollout earns some, and more can be learnt."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


@pytest.fixture
def learnable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpo, "reward_functions", lambda _ablation: ([even], [1.0]))


@pytest.mark.usefixtures("learnable")
def test_a_resumed_run_ends_with_the_same_bits(tiny_folder: Path, tmp_path: Path) -> None:
    def of(name: str, **more: Any) -> GrpoOptions:
        return options(tiny_folder, tmp_path / name, num_steps=3, learning_rate=1e-2, max_turns=2, **more)

    whole = train_grpo(of("a"))
    train_grpo(of("b", stop_after=2))
    resumed = train_grpo(of("b"))
    before, one, other = (load_nano_folder(f)[0].state_dict() for f in (tiny_folder, whole, resumed))
    assert any(not torch.equal(value, before[name]) for name, value in one.items())
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.usefixtures("learnable")
def test_a_reward_that_can_be_learnt_rises(tiny_folder: Path, tmp_path: Path) -> None:
    train_grpo(
        options(tiny_folder, tmp_path, num_steps=14, group=8, learning_rate=5e-2, save_every=100, max_turns=1)
    )
    rewards = [line["reward"] or 0.0 for line in read_metrics([tmp_path], "run")]
    assert sum(rewards[-2:]) / 2 > sum(rewards[:2]) / 2 + 0.08


def test_a_curriculum_begins_with_the_easy_tier() -> None:
    plan = GrpoOptions(num_steps=9, prompts_per_step=2, curriculum=True)
    prompts = [json.loads(row["prompt"])["system_id"] for row in tasks_of(plan, profile_named("nano"))]
    assert set(prompts[:6]) <= {"free_fall", "free_fall_drag", "simple_pendulum"}
    assert {"damped_pendulum", "spring_mass"} & set(prompts[6:])


@pytest.mark.parametrize(("steps", "warm"), [(24, 2), (50, 5), (200, 5)])
def test_a_short_run_warms_up_for_a_tenth_of_its_steps(steps: int, warm: int, tmp_path: Path) -> None:
    options = GrpoOptions(num_steps=steps, output_dir=tmp_path)
    assert grpo_config(options, profile_named("smollm2"), [1.0]).warmup_steps == warm


def test_a_step_of_a_small_model_goes_back_in_small_parts(tmp_path: Path) -> None:
    options = GrpoOptions(group=6, prompts_per_step=2, output_dir=tmp_path)
    small = grpo_config(options, profile_named("smollm2"), [1.0])
    assert (small.per_device_train_batch_size, small.gradient_accumulation_steps) == (2, 6)
    nano = grpo_config(options, profile_named("nano"), [1.0])
    assert (nano.per_device_train_batch_size, nano.gradient_accumulation_steps) == (12, 1)


def test_an_ablation_leaves_its_component_out() -> None:
    functions, weights = reward_functions("no_simplicity")
    assert [f.__name__ for f in functions] == ["match", "match_dense", "correctness", "format"]
    assert len(weights) == 4
    with pytest.raises(BadInputError, match="Unknown ablation"):
        reward_functions("no_gravity")


def test_a_component_that_rises_while_match_falls_is_named() -> None:
    flat = {"match": 0.5, "match_dense": 0.5, "correctness": 0.1, "simplicity": 0.4, "format": 0.9}
    bought = {**flat, "match": 0.2, "simplicity": 0.8}
    assert hacked([flat] * 10 + [bought] * 10) == "simplicity"
    assert hacked([flat] * 20) is None
    assert hacked([bought] * 3) is None


@pytest.mark.usefixtures("learnable")
def test_weights_and_biases_is_written_to_without_a_network(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    train_grpo(options(tiny_folder, tmp_path, num_steps=1, max_turns=1, report_to="wandb"))
    import wandb

    wandb.finish()
    wandb.teardown()  # returns when the process that writes the file has ended
    (written,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"train/reward" in written.read_bytes()


def test_a_rehearsal_adds_its_loss_and_resumes_with_the_same_bits(
    tiny_folder: Path, teacher_db: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    anyio.run(write_sft, teacher_db, NANO_RULES, data)

    def of(name: str, **more: Any) -> GrpoOptions:
        practice = {"rehearse": data, "rehearse_systems": ("spring_mass", "damped_spring", "free_fall")}
        return options(tiny_folder, tmp_path / name, max_turns=1, num_steps=2, **practice, **more)

    whole = train_grpo(of("a"))
    train_grpo(of("b", stop_after=1))
    resumed = train_grpo(of("b"))
    one, other = (load_nano_folder(f)[0].state_dict() for f in (whole, resumed))
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    assert all((line["rehearsal"] or 0.0) > 1.0 for line in read_metrics([tmp_path / "a"], "run"))
    with pytest.raises(BadInputError, match="a batch needs"):
        train_grpo(options(tiny_folder, tmp_path / "c", rehearse=data, rehearse_systems=("damped_pendulum",)))


def test_a_run_is_not_recorded_over_with_settings_it_was_not_trained_with(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = options(tiny_folder, tmp_path, max_turns=1, num_steps=1)
    train_grpo(asked)
    before = (tmp_path / "run" / "run.json").read_bytes()
    assert json.loads(before)["config"]["learning_rate"] == 3e-4  # the profile's: none was asked for
    with pytest.raises(BadInputError, match=r"learning_rate is 0\.0003 there and 0\.01 here"):
        train_grpo(replace(asked, learning_rate=1e-2))
    train_grpo(asked)
    assert "nothing was trained" in capsys.readouterr().err
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    assert [line["step"] for line in read_metrics([tmp_path], "run")] == [1]


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("group", 1, 2), ("prompts_per_step", 0, 1), ("num_steps", 0, 1), ("save_every", 0, 1)],
)
def test_numbers_that_make_no_run_are_refused_before_anything_is_written(
    tiny_folder: Path, tmp_path: Path, name: str, value: int, least: int
) -> None:
    with pytest.raises(BadInputError, match=f"is {value}; it must be at least {least}"):
        train_grpo(options(tiny_folder, tmp_path, **{name: value}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("systems", ("moon",), "Unknown system"), ("noise", 7.0, "Noise .* is not allowed")],
)
def test_tasks_that_there_are_not_are_refused_before_anything_is_written(
    tiny_folder: Path, tmp_path: Path, name: str, value: object, told: str
) -> None:
    with pytest.raises(BadInputError, match=told):
        train_grpo(options(tiny_folder, tmp_path, **{name: value}))
    assert not (tmp_path / "run").exists()


def test_conversations_are_not_rehearsed_by_a_model_of_numbers(
    tiny_folder: Path, teacher_db: str, tmp_path: Path
) -> None:
    anyio.run(write_sft, teacher_db, MiningRules(balance=1), tmp_path / "chat")
    with pytest.raises(BadInputError, match="--render nano"):
        train_grpo(options(tiny_folder, tmp_path, rehearse=tmp_path / "chat"))


def test_a_run_that_trl_refuses_is_recorded_as_failed(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ValueError("the batch is no multiple")

    monkeypatch.setattr(grpo, "grpo_config", refused)
    with pytest.raises(ValueError, match="no multiple"):
        train_grpo(options(tiny_folder, tmp_path))
    found = read_run([tmp_path], "run")
    assert found is not None
    assert (found.status, found.notes) == ("failed", ("ended by ValueError: the batch is no multiple",))
