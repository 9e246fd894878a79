"""What the commands of SFT and GRPO have in common: flags, the choice of a backend, what becomes of a model.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from physix.errors import BadInputError, PhysixError, in_one_line
from physix.training.backends import Backend, adapter_base, choose
from physix.training.profiles import PROFILES
from physix.training.runs import StoppedError
from physix.training.smollm2 import UNPACKED

_DEFAULT_PROFILE = "qwen2.5-1.5b"


def add_common_flags(p: argparse.ArgumentParser, *, output_dir: str, num_steps: int, save_every: int) -> None:
    """Declare the flags that every training command has."""
    p.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        help=f"default: that of the model which --model is or adapts, else {_DEFAULT_PROFILE}",
    )
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


def chosen_profile(given: argparse.Namespace) -> str:
    """Return the profile to train with: what is right for one model is wrong for another.

    Raises:
        BadInputError: the profile that was asked for is another model's than --model.
    """
    own = profile_of(given.model) if given.model else None
    if given.profile is None:
        if own is not None:
            sys.stderr.write(f"physix: --profile {own}, after {given.model}.\n")
        return own or _DEFAULT_PROFILE
    if own is not None and own != given.profile:
        raise BadInputError(
            f"--profile is {given.profile}, but {given.model} is of {own}: say --profile {own}, or leave it "
            "out."
        )
    return str(given.profile)


def profile_of(model: str) -> str | None:
    """Return whose model this is or adapts; None for a model that no profile names."""
    base = adapter_base(model) or model
    if Path(base).name == UNPACKED:
        base = "smollm2"
    return next((one.name for one in PROFILES.values() if one.model and one.model == base), None)


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
    """Run a command and print its folder; expected errors become one line.

    Exit codes: 2 for what `PhysixError` says, 1 for what the system refused, 128 and the signal's number for
    a run that was told to stop.
    """
    try:
        sys.stdout.write(f"{run()}\n")
    except PhysixError as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(2)
    except OSError as error:
        sys.stderr.write(f"physix: {in_one_line(error)}\n")
        sys.exit(1)
    except StoppedError as error:
        sys.stderr.write(f"physix: {error}. The same command goes on from the last checkpoint.\n")
        sys.exit(128 + signal.Signals[str(error)])
