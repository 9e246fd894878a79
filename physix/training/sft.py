"""`python -m physix.training.sft`: supervised fine-tuning on mined turns. Also `physix train sft`.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from physix.errors import BadInputError, PhysixError
from physix.training.backends import choose
from physix.training.profiles import PROFILES


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    p = argparse.ArgumentParser(prog="python -m physix.training.sft", description=__doc__)
    p.add_argument("--dataset", type=Path, required=True, help="folder written by `physix dataset sft`")
    p.add_argument("--profile", choices=sorted(PROFILES), default="qwen2.5-1.5b")
    p.add_argument("--model", help="folder or Hugging Face id; default: the profile's")
    p.add_argument("--output-dir", type=Path, default=Path("runs/sft"))
    p.add_argument("--num-steps", type=int, default=500)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--learning-rate", type=float)
    p.add_argument("--backend", choices=("auto", "unsloth", "peft", "full"), default="auto")
    p.add_argument("--save-method", choices=("lora", "merged_16bit"), default="lora")
    p.add_argument("--push-to-hub", action="store_true")
    p.add_argument("--hub-repo-id")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--save-every", type=int, default=100)
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
    from physix.training.sft_trainer import SftOptions, train_sft

    options = SftOptions(
        dataset=given.dataset,
        profile=given.profile,
        model=given.model,
        output_dir=given.output_dir,
        num_steps=given.num_steps,
        batch=given.batch,
        learning_rate=given.learning_rate,
        seed=given.seed,
        save_every=given.save_every,
        report_to=given.report_to,
    )
    folder = train_sft(options, backend)
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
