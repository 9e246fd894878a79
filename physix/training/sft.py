"""`python -m physix.training.sft`: supervised fine-tuning on mined turns. Also `physix train sft`.

Light on purpose: Unsloth, where it is used, must be imported before Transformers and TRL.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from physix.training.command import add_common_flags, chosen_backend, chosen_profile, delivered, run_command


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    p = argparse.ArgumentParser(prog="python -m physix.training.sft", description=__doc__)
    add_common_flags(p, output_dir="runs/sft", num_steps=500, save_every=100)
    p.add_argument(
        "--dataset",
        type=Path,
        required=True,
        action="append",
        help="folder that `physix dataset` has written; may be repeated",
    )
    p.add_argument("--model", help="folder or Hugging Face id; default: the profile's")
    p.add_argument("--batch", type=int, default=16)
    return p


def run(arguments: Sequence[str] | None = None) -> Path:
    """Train as the arguments say and return the model's folder.

    Raises:
        BadInputError: the arguments contradict each other, or name what is not there.
    """
    given = parser().parse_args(arguments)
    given.profile = chosen_profile(given)
    backend = chosen_backend(given)
    from physix.training.sft_trainer import SftOptions, train_sft

    options = SftOptions(
        datasets=tuple(given.dataset),
        profile=given.profile,
        model=given.model,
        output_dir=given.output_dir,
        num_steps=given.num_steps,
        batch=given.batch,
        learning_rate=given.learning_rate,
        seed=given.seed,
        save_every=given.save_every,
        report_to=given.report_to,
        threads=given.threads,
        lora_rank=given.lora_rank,
        max_completion_tokens=given.max_completion_tokens,
    )
    return delivered(train_sft(options, backend), given)


def main() -> None:
    """Run the command line; expected errors become one line."""
    run_command(run)


if __name__ == "__main__":
    main()
