"""What a GRPO run writes while it trains, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from physix.training.continuing import train_from_last
from physix.training.options import GrpoOptions
from physix.training.rewards import COMPONENTS, Ended, hacked
from physix.training.runs import RunWriter

if TYPE_CHECKING:
    from trl import GRPOTrainer


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
            values["solved@1"] = sum(p.solved and p.turns == 1 for p in self._played) / count
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


def finish(trainer: GRPOTrainer, run: RunWriter, watch: RunWatch, save: Callable[[], None]) -> None:
    """Run the trainer from its last whole checkpoint, if any, save what came of it and close the manifest."""
    train_from_last(trainer, run)
    save()
    run.finish("stopped_early" if watch.stopped else "finished")
