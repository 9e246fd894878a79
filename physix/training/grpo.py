"""GRPO on whole episodes with TRL; `physix.training.loop` is its command line.

One rollout is one episode in the log. The nano models play through `rollout_func`, instruct models
through `environment_factory` (physix.training.doors.trl); everything else is the same code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from numpy.random import PCG64, Generator, SeedSequence
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from physix.engine.systems import SYSTEMS
from physix.errors import BadInputError
from physix.training.backends import Backend
from physix.training.manifest import new_manifest
from physix.training.nano.files import fast_tokenizer, load_nano_folder, save_nano
from physix.training.nano.rollout import RolloutSettings, make_rollout, task_prompt
from physix.training.profiles import Profile, profile_named
from physix.training.rewards import COMPONENTS, Ended, hacked, reward_functions
from physix.training.rollout import TRAINING_SYSTEMS
from physix.training.runs import RunManifest, RunWriter

if TYPE_CHECKING:
    from trl import GRPOConfig, GRPOTrainer

WHOLE = Backend(name="full", reason="the nano models are trained whole")
# Away from the seeds of demonstrations and of evaluation.
GRPO_SEEDS = range(500_000_000, 600_000_000)


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
    report_to: str = "none"
    threads: int = 1
    rehearse: Path | None = None
    rehearse_systems: Sequence[str] = ()
    rehearse_weight: float = 0.5


def tasks_of(options: GrpoOptions, profile: Profile) -> Dataset:
    """Return one prompt per task, in the order they will be played; task n depends on seed and n alone."""
    per_step = options.prompts_per_step or profile.prompts_per_step
    rng = Generator(PCG64(SeedSequence([options.seed, 41])))
    rows = []
    for n in range(options.num_steps * per_step):
        systems = _systems_at(n // per_step, options)
        system_id = systems[n % len(systems)]
        seed = GRPO_SEEDS.start + int(rng.integers(len(GRPO_SEEDS)))
        rows.append({"prompt": task_prompt(system_id, seed, options.noise)})
    return Dataset.from_list(rows)


def _systems_at(step: int, options: GrpoOptions) -> Sequence[str]:
    if not options.curriculum or step >= options.num_steps / 3:
        return options.systems
    easy = [name for name in options.systems if SYSTEMS[name].tier == 1]
    return easy or options.systems


def train_grpo(options: GrpoOptions, backend: Backend = WHOLE) -> Path:
    """Train, and return the folder of the trained model. An interrupted run in `output_dir` is continued.

    Raises:
        BadInputError: the profile, the ablation or the model folder is unknown.
    """
    profile = profile_named(options.profile)
    if profile.instruct:
        if options.rehearse is not None:
            raise BadInputError("Only the nano profile can rehearse.")
        from physix.training.instruct import train_instruct_grpo

        return train_instruct_grpo(options, profile, backend)
    return _train_nano(options, profile)


def _train_nano(options: GrpoOptions, profile: Profile) -> Path:
    torch.set_num_threads(options.threads)
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl import GRPOTrainer

    source = Path(options.model or "runs/nano/sft/model")
    model, tokenizer, tokenizer_json = load_nano_folder(source)
    model.config._attn_implementation = "sdpa"  # padding masks; the rows are longer than in SFT
    out = options.output_dir
    run = RunWriter(out, grpo_manifest(options, str(source), WHOLE))
    watch = RunWatch(run, options, out)
    settings = RolloutSettings(
        run_id=run.manifest.id,
        db=options.db,
        max_turns=options.max_turns or profile.max_turns,
        temperature=options.temperature,
        seed=options.seed,
        progress=options.ablation != "no_progress",
        hint=options.ablation != "no_hint",
        history=options.ablation != "no_history",
    )
    functions, weights = reward_functions(options.ablation)
    make: Callable[..., GRPOTrainer] = GRPOTrainer
    if options.rehearse is not None:
        from physix.training.nano.rehearsal import Rehearsal, RehearsingTrainer

        rehearsal = Rehearsal(
            options.rehearse,
            options.rehearse_systems,
            tokenizer,
            weight=options.rehearse_weight,
            seed=options.seed,
        )
        make = partial(RehearsingTrainer, rehearsal=rehearsal)
    trainer = make(
        model=model,
        args=grpo_config(options, profile, weights),
        reward_funcs=functions,
        train_dataset=tasks_of(options, profile),
        processing_class=fast_tokenizer(source),
        rollout_func=make_rollout(tokenizer, settings, watch.on_played),
        callbacks=[watch],
    )
    watch.trainer = trainer
    finish(trainer, run, watch)
    save_nano(trainer.accelerator.unwrap_model(trainer.model), tokenizer_json, out / "model")
    return out / "model"


def grpo_config(options: GrpoOptions, profile: Profile, weights: list[float]) -> GRPOConfig:
    """Return TRL's settings for a run."""
    from trl import GRPOConfig

    group = options.group or profile.group
    per_step = options.prompts_per_step or profile.prompts_per_step
    on_cpu = not torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(options.output_dir / "checkpoints"),
        max_steps=options.num_steps,
        per_device_train_batch_size=group * per_step if on_cpu else group,
        gradient_accumulation_steps=1 if on_cpu else per_step,
        num_generations=group,
        max_completion_length=profile.max_completion_tokens,
        learning_rate=options.learning_rate or profile.learning_rate_grpo,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=5,
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
        report_to=options.report_to,
        disable_tqdm=True,
    )


def finish(trainer: GRPOTrainer, run: RunWriter, watch: RunWatch) -> None:
    """Run the trainer from its last checkpoint, if any, and close the run's manifest."""
    from transformers.trainer_utils import get_last_checkpoint

    folder = Path(str(trainer.args.output_dir))
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    try:
        trainer.train(resume_from_checkpoint=last)
    except BaseException:
        run.finish("failed")
        raise
    run.finish("stopped_early" if watch.stopped else "finished")


def grpo_manifest(options: GrpoOptions, source: str, backend: Backend) -> RunManifest:
    """Return the manifest of a run that begins now."""
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
    )


def _plain(value: object) -> float | int | str | bool | None:
    return value if value is None or isinstance(value, float | int | str | bool) else str(value)


class RunWatch(TrainerCallback):
    """Writes metrics and each rollout's advantage, watches for reward hacking, stops early."""

    def __init__(self, run: RunWriter, options: GrpoOptions, out: Path) -> None:
        self._run, self._options, self._out = run, options, out
        self._history: list[dict[str, float]] = []
        self._played: Sequence[Ended] = ()
        self._spent: Mapping[str, float] = {}
        self._solved: list[float] = []
        self.trainer: GRPOTrainer | None = None
        self.stopped = False
        self._alarmed = False
        self.step = 0

    def on_played(self, played: Sequence[Ended], spent: Mapping[str, float] = MappingProxyType({})) -> None:
        """Take in the episodes of a step, and the seconds that were spent on them."""
        self._played, self._spent = played, spent

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Count, and stop where this sitting ends."""
        self.step = int(state.global_step)
        if self._options.stop_after is not None and state.global_step >= self._options.stop_after:
            self.stopped = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write what TRL measured, with what the episodes showed."""
        values = {_short(name): float(v) for name, v in (logs or {}).items() if isinstance(v, int | float)}
        if "reward" not in values:
            return
        if self._played:
            count = len(self._played)
            values["solved"] = sum(p.solved for p in self._played) / count
            values["turns"] = sum(p.turns for p in self._played) / count
            values |= self._spent
            self._write_advantages(state.global_step)
            self._solved.append(values["solved"])
        self._run.log(state.global_step, values)
        self._judge(values, control)

    def _judge(self, values: dict[str, float], control: TrainerControl) -> None:
        self._history.append({name: values[name] for name in COMPONENTS if name in values})
        risen = hacked(self._history) if "match" in values else None
        if risen is not None and not self._alarmed:
            self._alarmed = True
            self._run.note(
                f"reward hacking suspected at step {len(self._history)}: {risen} rises while match falls"
            )
        recent = self._solved[-10:]
        limit = self._options.stop_at
        if limit is not None and len(recent) == 10 and sum(recent) / 10 >= limit:
            self.stopped = True
            control.should_training_stop = True

    def _write_advantages(self, step: int) -> None:
        """Write which episode earned which advantage: it is known only after the whole group has played."""
        known = list(self.trainer._logs["advantages"]) if self.trainer is not None else []
        latest = known[-len(self._played) :]
        with (self._out / "rollouts.jsonl").open("a", encoding="utf-8") as file:
            for played, advantage in zip(self._played, latest, strict=False):
                line = {
                    "step": step,
                    "episode_id": played.episode_id,
                    "advantage": round(float(advantage), 6),
                }
                file.write(json.dumps(line | asdict(played.reward)) + "\n")


def _short(name: str) -> str:
    """Return `match` for TRL's `rewards/match/mean`."""
    return name.removeprefix("rewards/").removesuffix("/mean") if name.endswith("/mean") else name
