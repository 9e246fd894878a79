"""What the commands of SFT and GRPO have in common: flags, the choice of a backend, what becomes of a model.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from physix.errors import BadInputError, PhysixError
from physix.training.backends import Backend, choose
from physix.training.profiles import PROFILES


def add_common_flags(p: argparse.ArgumentParser, *, output_dir: str, num_steps: int, save_every: int) -> None:
    """Declare the flags that every training command has."""
    p.add_argument("--profile", choices=sorted(PROFILES), default="qwen2.5-1.5b")
    p.add_argument("--output-dir", type=Path, default=Path(output_dir))
    p.add_argument("--num-steps", type=int, default=num_steps)
    p.add_argument("--learning-rate", type=float)
    p.add_argument("--backend", choices=("auto", "unsloth", "peft", "full"), default="auto")
    p.add_argument("--save-method", choices=("lora", "merged_16bit"), default="lora")
    p.add_argument("--push-to-hub", action="store_true")
    p.add_argument("--hub-repo-id")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--save-every", type=int, default=save_every)
    p.add_argument("--lora-rank", type=int, help="default: the profile's")
    p.add_argument(
        "--max-completion-tokens", type=int, help="of a reply or a dialogue; default: the profile's"
    )
    p.add_argument("--threads", type=int, default=1, help="of torch on a CPU")
    p.add_argument("--report-to", choices=("none", "wandb"), default="none")


def chosen_backend(given: argparse.Namespace) -> Backend:
    """Return the backend that the flags ask for; nano is small enough to train whole.

    Raises:
        BadInputError: there is nowhere to push to, or Unsloth was asked for and cannot be used.
    """
    if given.push_to_hub and not given.hub_repo_id:
        raise BadInputError("--push-to-hub needs --hub-repo-id.")
    instruct = PROFILES[given.profile].instruct
    return choose(given.backend if instruct or given.backend != "auto" else "full")


def delivered(folder: Path, given: argparse.Namespace) -> Path:
    """Merge and push a trained model as the flags say; return the folder of what came of it."""
    if given.save_method == "merged_16bit" and (folder / "adapter_config.json").exists():
        from physix.training.export import merge_16bit

        folder = merge_16bit(folder, given.output_dir / "merged")
    if given.push_to_hub:
        from physix.training.export import push

        push(folder, given.hub_repo_id)
    return folder


def run_command(run: Callable[[], Path]) -> None:
    """Run a command and print its folder; expected errors become one line and exit code 2."""
    try:
        sys.stdout.write(f"{run()}\n")
    except PhysixError as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(2)
