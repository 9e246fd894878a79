"""Train with TRL's GRPOTrainer on PhysiX-Live, from top to bottom on a CPU.

    pip install 'physix-live[train]'
    physix serve &
    python examples/grpo_trl.py

The environment is `PhysiXEpisode`: TRL resets it with a row of the dataset, offers its one tool,
`submit_hypothesis`, to the model, and adds its `get_reward()`, the best total of the episode. No reward
function is needed; one that scores the same episode would count it twice.

Without --model a toy of some ten thousand weights is made on the spot. It proposes three laws of a fall
equally often and learns which one is right: in 24 steps, a minute or two, the mean reward of a step rises
from 0.70 to 0.99. With a model of the hub the script is the same: --model Qwen/Qwen2.5-0.5B-Instruct
--learning-rate 1e-6 --max-turns 4 (a GPU helps).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # `environment_factory` is new in TRL

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from physix.training.doors.trl import PhysiXEpisode
from physix.training.toy import make_toy

# A fall, a spring, and a drift: with its constant fitted, the first is the law of every task below.
FITTED = {"a": None, "b": None}
TOY_LAWS = [("d2y/dt2 = -a", FITTED), ("d2y/dt2 = -a*y", FITTED), ("d2y/dt2 = a*vy + b*y", FITTED)]


def tasks(count: int, max_turns: int) -> Dataset:
    """Return one row a task; columns that `reset` knows are options, see docs/environment.md."""
    # TRL appends what `reset` returns, the rules and the problem in words, to the last message.
    prompt = [{"role": "user", "content": ""}]
    options = {"system_id": "free_fall", "noise": 0.0, "max_turns": max_turns, "constants": "fitted"}
    return Dataset.from_list([{"prompt": prompt, "seed": seed, **options} for seed in range(count)])


def main() -> None:
    """Train, and print the mean reward of every step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a model of the hub or a folder; a toy is made without it")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--group", type=int, default=8, help="episodes a task, compared with each other")
    parser.add_argument("--max-turns", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="1e-6 for a real model")
    parser.add_argument("--out", type=Path, help="where the trained model goes")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        source = options.model or str(make_toy(Path(folder) / "toy", TOY_LAWS))
        trainer = GRPOTrainer(
            model=AutoModelForCausalLM.from_pretrained(source),
            processing_class=AutoTokenizer.from_pretrained(source),
            args=GRPOConfig(
                output_dir=str(options.out or Path(folder) / "run"),
                max_steps=options.steps,
                per_device_train_batch_size=options.group,
                num_generations=options.group,
                max_completion_length=1_024,
                max_tool_calling_iterations=options.max_turns,
                learning_rate=options.learning_rate,
                lr_scheduler_type="constant",
                beta=0.0,
                use_cpu=options.model is None,
                bf16=False,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                seed=0,
            ),
            train_dataset=tasks(64, options.max_turns),
            environment_factory=PhysiXEpisode,
        )
        trainer.train()
        rewards = [line["reward"] for line in trainer.state.log_history if "reward" in line]
        tenth = max(1, len(rewards) // 10)
        first, last = sum(rewards[:tenth]) / tenth, sum(rewards[-tenth:]) / tenth
        print("mean reward of every step:", *(f"{reward:.2f}" for reward in rewards))
        print(f"mean reward: {first:.3f} in the first steps, {last:.3f} in the last")
        if options.out is not None:
            trainer.save_model(str(options.out))
            print(f"the model is in {options.out}")


if __name__ == "__main__":
    main()
