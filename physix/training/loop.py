"""`python -m physix.training.loop`: GRPO on whole episodes. Also `physix train grpo`.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.training.command import add_common_flags, chosen_backend, chosen_profile, delivered, run_command
from physix.training.rewards import ABLATIONS


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    p = argparse.ArgumentParser(prog="python -m physix.training.loop", description=__doc__)
    add_common_flags(p, output_dir="runs/grpo", num_steps=200, save_every=50)
    p.add_argument("--model", help="folder or Hugging Face id; default: the profile's, or nano's SFT run")
    p.add_argument("--ablation", choices=ABLATIONS)
    p.add_argument("--db", default="sqlite:///physix-training.db", help="the log that rollouts go to")
    p.add_argument("--system", action="append", help="may be repeated; default: the training systems")
    p.add_argument("--group", type=int, help="rollouts per task")
    p.add_argument("--prompts-per-step", type=int)
    p.add_argument("--beta", type=float, default=0.0, help="weight of the divergence from the start")
    p.add_argument("--curriculum", action="store_true", help="tier 1 alone for the first third")
    p.add_argument("--stop-at", type=float, help="mean solved share over ten steps that ends the run")
    p.add_argument("--rehearse", type=Path, help="mined rows to keep in practice while it learns (nano)")
    p.add_argument("--rehearse-system", action="append", help="whose rows; may be repeated; default: all")
    p.add_argument("--rehearse-weight", type=float, default=0.5, help="of their loss beside GRPO's")
    p.add_argument(
        "--random-laws", type=float, default=0.8, help="share of tasks with a law of their own (smollm2)"
    )
    p.add_argument("--use-vllm", action="store_true", help="generate with vLLM in the trainer's process")
    p.add_argument("--vllm-mode", choices=("colocate", "server"), default="colocate")
    p.add_argument("--vllm-memory", type=float, default=0.35, help="share of the GPU's memory, colocated")
    p.add_argument(
        "--vllm-length", type=int, help="tokens of a whole dialogue; default: twice the completion's"
    )
    p.add_argument("--max-turns", type=int, help="of an episode; default: the profile's")
    p.add_argument("--temperature", type=float, default=1.0)
    p.add_argument("--noise", type=float, default=0.02)
    return p


def run(arguments: Sequence[str] | None = None) -> Path:
    """Train as the arguments say and return the model's folder.

    Raises:
        BadInputError: the arguments contradict each other, or name what is not there.
    """
    given = parser().parse_args(arguments)
    given.profile = chosen_profile(given)
    backend = chosen_backend(given)
    from physix.training.grpo import train_grpo
    from physix.training.options import GrpoOptions

    options = GrpoOptions(
        profile=given.profile,
        model=given.model,
        output_dir=given.output_dir,
        num_steps=given.num_steps,
        ablation=given.ablation,
        systems=tuple(given.system or TRAINING_SYSTEMS),
        db=given.db,
        seed=given.seed,
        learning_rate=given.learning_rate,
        group=given.group,
        prompts_per_step=given.prompts_per_step,
        beta=given.beta,
        curriculum=given.curriculum,
        stop_at=given.stop_at,
        save_every=given.save_every,
        use_vllm=given.use_vllm,
        vllm_mode=given.vllm_mode,
        vllm_memory=given.vllm_memory,
        vllm_length=given.vllm_length,
        max_turns=given.max_turns,
        temperature=given.temperature,
        noise=given.noise,
        report_to=given.report_to,
        threads=given.threads,
        lora_rank=given.lora_rank,
        max_completion_tokens=given.max_completion_tokens,
        rehearse=given.rehearse,
        rehearse_systems=tuple(given.rehearse_system or ()),
        rehearse_weight=given.rehearse_weight,
        random_laws=given.random_laws,
    )
    return delivered(train_grpo(options, backend), given)


def main() -> None:
    """Run the command line; expected errors become one line."""
    run_command(run)


if __name__ == "__main__":
    main()
