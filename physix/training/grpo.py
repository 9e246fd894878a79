"""GRPO on whole episodes with TRL; `physix.training.loop` is its command line.

One rollout is one episode in the log. The nano models play through `rollout_func`, instruct models
through `environment_factory` (physix.training.doors.trl); everything else is the same code.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from physix.errors import BadInputError
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.training.backends import Backend
from physix.training.continuing import already_trained, begin_run
from physix.training.instruct import train_instruct_grpo
from physix.training.nano.files import fast_tokenizer, load_nano_folder, save_nano
from physix.training.nano.rollout import RolloutSettings, make_rollout
from physix.training.options import GrpoOptions, grpo_config, grpo_manifest, settled, tasks_of
from physix.training.profiles import Profile, limited, profile_named
from physix.training.rewards import reward_functions
from physix.training.runs import RunWriter
from physix.training.watch import RunWatch, finish

if TYPE_CHECKING:
    from transformers import Qwen2ForCausalLM
    from trl import GRPOTrainer

WHOLE = Backend(name="full", reason="the nano models are trained whole")


def train_grpo(options: GrpoOptions, backend: Backend = WHOLE) -> Path:
    """Train, and return the folder of the trained model. An interrupted run in `output_dir` is continued.

    Raises:
        BadInputError: the profile, the ablation or the model folder is unknown.
    """
    profile = limited(profile_named(options.profile), options.lora_rank, options.max_completion_tokens)
    if profile.small:
        from physix.training.compact_grpo import train_compact_grpo

        return train_compact_grpo(options, profile, backend)
    if profile.instruct:
        if options.rehearse is not None:
            raise BadInputError("Only the nano profile can rehearse.")
        return train_instruct_grpo(options, profile, backend)
    return _train_nano(options, profile)


def _train_nano(options: GrpoOptions, profile: Profile) -> Path:
    source = options.model or "runs/nano/sft/model"
    options = settled(options, profile, WHOLE, source)
    manifest = grpo_manifest(options, source, WHOLE)
    out = options.output_dir
    if already_trained(out, manifest, options.num_steps):
        return out / "model"
    model, tokenizer, tokenizer_json = load_nano_folder(Path(source))
    model.config._attn_implementation = "sdpa"  # padding masks; the rows are longer than in SFT
    torch.set_num_threads(options.threads)
    run = begin_run(out, manifest)
    with run.ending():
        trainer, watch = _nano_trainer(options, profile, model, tokenizer, run)

        def save() -> None:
            save_nano(trainer.accelerator.unwrap_model(trainer.model), tokenizer_json, out / "model")

        finish(trainer, run, watch, save)
    return out / "model"


def _nano_trainer(
    options: GrpoOptions, profile: Profile, model: Qwen2ForCausalLM, tokenizer: NanoTokenizer, run: RunWriter
) -> tuple[GRPOTrainer, RunWatch]:
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl import GRPOTrainer

    source = Path(options.model or "runs/nano/sft/model")
    watch = RunWatch(run, options, options.output_dir)
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
    return trainer, watch
