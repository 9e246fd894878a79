"""What a GRPO run depends on: its options, its tasks, TRL's settings for them and its manifest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from datasets import Dataset
from numpy.random import PCG64, Generator, SeedSequence

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import REINFORCEMENT_SEEDS, TRAINING_SYSTEMS
from physix.training.backends import Backend, lora_rank
from physix.training.data.mined import read_mined
from physix.training.manifest import new_manifest
from physix.training.nano.rollout import task_prompt
from physix.training.profiles import Profile, above_zero, at_least, or_else
from physix.training.runs import RunManifest

if TYPE_CHECKING:
    from trl import GRPOConfig

_SEEDS = 100_000_000  # how many of the range are drawn from: another number draws other tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpoOptions:
    """Everything a run depends on.

    Attributes:
        model: a folder or Hugging Face id; None for the profile's own.
        curriculum: play tier 1 alone for the first third of the steps.
        stop_at: mean solved share over ten steps at which to stop early; None never.
        stop_after: steps of this sitting; the same options without it go on to the end.
        rehearse: folder of mined rows to keep in practice during the run (nano alone); None for none.
        rehearse_systems: whose rows; none for all.
        random_laws: share of the tasks whose law is drawn at random (small models alone).
    """

    profile: str = "nano"
    model: str | None = None
    output_dir: Path = Path("runs/grpo")
    num_steps: int = 100
    ablation: str | None = None
    systems: Sequence[str] = TRAINING_SYSTEMS
    noise: float = 0.02
    db: str = "sqlite:///physix-training.db"
    seed: int = 0
    learning_rate: float | None = None
    group: int | None = None
    prompts_per_step: int | None = None
    temperature: float = 1.0
    beta: float = 0.0
    curriculum: bool = False
    stop_at: float | None = None
    max_turns: int | None = None
    stop_after: int | None = None
    save_every: int = 50
    use_vllm: bool = False
    vllm_mode: Literal["colocate", "server"] = "colocate"
    vllm_memory: float = 0.35
    vllm_length: int | None = None
    lora_rank: int | None = None
    max_completion_tokens: int | None = None
    report_to: str = "none"
    threads: int = 1
    rehearse: Path | None = None
    rehearse_systems: Sequence[str] = ()
    rehearse_weight: float = 0.5
    random_laws: float = 0.8


def tasks_of(options: GrpoOptions, profile: Profile) -> Dataset:
    """Return one prompt per task, in the order they will be played; task n depends on seed and n alone."""
    per_step = options.prompts_per_step or profile.prompts_per_step
    rng = Generator(PCG64(SeedSequence([options.seed, 41])))
    rows = []
    for n in range(options.num_steps * per_step):
        systems = _systems_at(n // per_step, options)
        system_id = systems[n % len(systems)]
        seed = REINFORCEMENT_SEEDS.start + int(rng.integers(_SEEDS))
        rows.append({"prompt": task_prompt(system_id, seed, options.noise)})
    return Dataset.from_list(rows)


def _systems_at(step: int, options: GrpoOptions) -> Sequence[str]:
    if not options.curriculum or step >= options.num_steps / 3:
        return options.systems
    easy = [name for name in options.systems if SYSTEMS[name].tier == 1]
    return easy or options.systems


def grpo_config(options: GrpoOptions, profile: Profile, weights: list[float]) -> GRPOConfig:
    """Return TRL's settings for a run."""
    from trl import GRPOConfig

    group = options.group or profile.group
    per_step = options.prompts_per_step or profile.prompts_per_step
    on_cpu = not torch.cuda.is_available()
    together = group * per_step if on_cpu else group
    if profile.small and on_cpu:
        # On their way back a small model's episodes take a megabyte a token: a step of them fills a machine.
        # Four of a group share many turns, which are read once.
        together = math.gcd(group, 4)
    return GRPOConfig(
        output_dir=str(options.output_dir / "checkpoints"),
        max_steps=options.num_steps,
        per_device_train_batch_size=together,
        gradient_accumulation_steps=group * per_step // together,
        num_generations=group,
        max_completion_length=profile.max_completion_tokens,
        learning_rate=options.learning_rate or profile.learning_rate_grpo,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=min(5, options.num_steps // 10),
        temperature=options.temperature,
        beta=options.beta,
        epsilon_high=0.28,
        scale_rewards="group",
        loss_type="dapo",
        reward_weights=weights,
        shuffle_dataset=False,  # the order is the curriculum
        logging_steps=1,
        save_steps=options.save_every,
        save_total_limit=2,
        seed=options.seed,
        use_cpu=on_cpu,
        bf16=not on_cpu,
        gradient_checkpointing=not on_cpu,
        use_vllm=options.use_vllm,
        vllm_mode=options.vllm_mode,
        vllm_gpu_memory_utilization=options.vllm_memory,
        # A dialogue is a prompt, replies and answers; without a length vLLM reserves the model's context.
        vllm_max_model_length=(options.vllm_length or 2 * profile.max_completion_tokens)
        if options.use_vllm
        else None,
        report_to=options.report_to,
        disable_tqdm=True,
    )


def settled(options: GrpoOptions, profile: Profile, backend: Backend, source: str) -> GrpoOptions:
    """Return the options with the values that count where they leave the choice to the profile.

    Raises:
        BadInputError: a number makes no run, there is no such system, or the adapter's rank is another one.
    """
    found = replace(
        options,
        learning_rate=or_else(options.learning_rate, profile.learning_rate_grpo),
        group=or_else(options.group, profile.group),
        prompts_per_step=or_else(options.prompts_per_step, profile.prompts_per_step),
        max_turns=or_else(options.max_turns, profile.max_turns),
        max_completion_tokens=profile.max_completion_tokens,
        lora_rank=lora_rank(backend, source, options.lora_rank, profile.lora_rank),
    )
    at_least(
        ("--group", found.group, 2),  # an advantage is a difference within a group
        ("--prompts-per-step", found.prompts_per_step, 1),
        ("--num-steps", found.num_steps, 1),
        ("--save-every", found.save_every, 1),
        ("--max-turns", found.max_turns, 1),
        ("--threads", found.threads, 1),
        ("--beta", found.beta, 0),
    )
    above_zero(("--learning-rate", found.learning_rate), ("--temperature", found.temperature))
    for system_id in found.systems:
        # Whoever samples tasks knows which systems and which noise there are.
        sample_task(system_id, REINFORCEMENT_SEEDS.start, noise=found.noise)
    return found


def grpo_manifest(options: GrpoOptions, source: str, backend: Backend) -> RunManifest:
    """Return the manifest of a run that begins now, with options that are settled.

    Raises:
        BadInputError: there is no whole dataset to rehearse.
    """
    config = {k: _plain(v) for k, v in asdict(options).items()}
    return new_manifest(
        run_id=options.output_dir.name,
        kind="grpo",
        profile=options.profile,
        model=source,
        seed=options.seed,
        config=config,
        backend=backend.name,
        backend_reason=backend.reason,
        dataset_sha256=None if options.rehearse is None else read_mined(options.rehearse).sha256,
    )


def _plain(value: object) -> float | int | str | bool | None:
    return value if value is None or isinstance(value, float | int | str | bool) else str(value)
