"""`python -m physix.training.loop`: GRPO on whole episodes. Also `physix train grpo`.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from physix.engine.systems.splits import TRAINING_SYSTEMS
from physix.errors import BadInputError, PhysixError
from physix.training.backends import choose
from physix.training.profiles import PROFILES
from physix.training.rewards import ABLATIONS


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    p = argparse.ArgumentParser(prog="python -m physix.training.loop", description=__doc__)
    p.add_argument("--profile", choices=sorted(PROFILES), default="qwen2.5-1.5b")
    p.add_argument("--model", help="folder or Hugging Face id; default: the profile's, or nano's SFT run")
    p.add_argument("--output-dir", type=Path, default=Path("runs/grpo"))
    p.add_argument("--num-steps", type=int, default=200)
    p.add_argument("--ablation", choices=ABLATIONS)
    p.add_argument("--backend", choices=("auto", "unsloth", "peft", "full"), default="auto")
    p.add_argument("--save-method", choices=("lora", "merged_16bit"), default="lora")
    p.add_argument("--push-to-hub", action="store_true")
    p.add_argument("--hub-repo-id")
    p.add_argument("--db", default="sqlite:///physix-training.db", help="the log that rollouts go to")
    p.add_argument("--system", action="append", help="may be repeated; default: the training systems")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--learning-rate", type=float)
    p.add_argument("--group", type=int, help="rollouts per task")
    p.add_argument("--prompts-per-step", type=int)
    p.add_argument("--beta", type=float, default=0.0, help="weight of the divergence from the start")
    p.add_argument("--curriculum", action="store_true", help="tier 1 alone for the first third")
    p.add_argument("--stop-at", type=float, help="mean solved share over ten steps that ends the run")
    p.add_argument("--save-every", type=int, default=50)
    p.add_argument("--rehearse", type=Path, help="mined rows to keep in practice while it learns (nano)")
    p.add_argument("--rehearse-system", action="append", help="whose rows; may be repeated; default: all")
    p.add_argument("--rehearse-weight", type=float, default=0.5, help="of their loss beside GRPO's")
    p.add_argument("--use-vllm", action="store_true", help="generate with vLLM in the trainer's process")
    p.add_argument("--report-to", choices=("none", "wandb"), default="none")
    return p


def run(arguments: Sequence[str] | None = None) -> Path:
    """Train as the arguments say and return the model's folder.

    Raises:
        BadInputError: the arguments contradict each other, or name what is not there.
    """
    given = parser().parse_args(arguments)
    if given.push_to_hub and not given.hub_repo_id:
        raise BadInputError("--push-to-hub needs --hub-repo-id.")
    instruct = PROFILES[given.profile].instruct
    backend = choose(given.backend if instruct or given.backend != "auto" else "full")
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
        report_to=given.report_to,
        rehearse=given.rehearse,
        rehearse_systems=tuple(given.rehearse_system or ()),
        rehearse_weight=given.rehearse_weight,
    )
    folder = train_grpo(options, backend)
    if given.save_method == "merged_16bit" and (folder / "adapter_config.json").exists():
        from physix.training.export import merge_16bit

        folder = merge_16bit(folder, given.output_dir / "merged")
    if given.push_to_hub:
        from physix.training.export import push

        push(folder, given.hub_repo_id)
    return folder


def main() -> None:
    """Run the command line; expected errors become one line."""
    try:
        sys.stdout.write(f"{run()}\n")
    except PhysixError as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
