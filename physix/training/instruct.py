"""GRPO for models that chat: an episode is a conversation in which the model calls one tool.

TRL resets an environment with a row of the dataset, lets the model call `submit_hypothesis` until it
stops or the episode ends, and asks for the reward. Tool answers carry no loss: TRL masks them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from datasets import Dataset

from physix.datasets.runs import RunWriter
from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.errors import BadInputError, EpisodeFinishedError
from physix.policies.prompting import PROMPT_VERSION, ParseFailure, parse_completion, render
from physix.store import open_log
from physix.systems import sample_task
from physix.training.backends import Backend, load
from physix.training.grpo import GrpoOptions, RunWatch, finish, grpo_config, grpo_manifest, tasks_of
from physix.training.profiles import Profile
from physix.training.rewards import EpisodeReward, episode_reward, reward_functions
from physix.verifier.types import Hypothesis

_OPENING = "Find the law of this motion. Submit hypotheses with the tool until one fits."
_NOTHING = EpisodeReward(match=0.0, match_dense=0.0, correctness=0.0, simplicity=0.0, format=0.0)


class EpisodeTool:
    """One episode as TRL's `environment_factory` wants it; every turn is in the log when it is answered."""

    def __init__(self, options: GrpoOptions, profile: Profile, watch: RunWatch) -> None:
        self._options, self._turns, self._watch = options, options.max_turns or profile.max_turns, watch
        self._episode: Episode | None = None

    def reset(self, **row: Any) -> str:
        """Begin the row's task and return what the model is told of it."""
        task, truth = sample_task(row["system_id"], row["seed"], noise=row["noise"])
        task = task if self._options.ablation != "no_hint" else replace(task, hint="")
        labels = {
            "run": self._options.output_dir.name,
            "step": str(self._watch.step),
            "group": task.task_id,
        }
        config = EpisodeConfig(max_turns=self._turns, reward_mode="gain")

        async def start() -> Episode:
            async with open_log(self._options.db) as log:
                return await EpisodeEngine(log).start(
                    task, truth, config=config, policy="instruct-in-training", door="training", labels=labels
                )

        self._episode = anyio.run(start)
        return _told(self._episode)

    def submit_hypothesis(self, hypothesis: str) -> str:
        """Propose a law of motion; it is simulated and compared with the measurements.

        Args:
            hypothesis: one JSON object: {"equation": "...", "params": {...}, "rationale": "..."}

        Returns:
            What is wrong with it and how many turns are left, or that the law fits.
        """
        episode = self._running()
        parsed = parse_completion(hypothesis, episode.task.variables)
        if isinstance(parsed, ParseFailure):
            # A turn like any other: the verifier turns it down, and the reason is told.
            parsed = Hypothesis(equation="(unreadable)", rationale=f"{parsed.code}: {parsed.message}"[:4_096])
        provenance = Provenance(policy="instruct-in-training", prompt_version=PROMPT_VERSION)

        async def submit() -> Episode:
            async with open_log(self._options.db) as log:
                return await EpisodeEngine(log).submit(
                    episode.episode_id, parsed, provenance=provenance, raw_completion=hypothesis[:65_536]
                )

        self._episode = anyio.run(submit)
        last = self._episode.turns[-1].rewarded
        if self._episode.finished is not None:
            return f"The episode is over ({self._episode.finished.reason}). {last.mismatch}"
        told = "Not right yet." if self._options.ablation == "no_history" else last.mismatch
        left = self._turns - len(self._episode.turns)
        return f"{told} r_match {last.reward.match:.3f}. {left} turns are left."

    def _components(self) -> EpisodeReward:
        """Return the components of the episode. Not public: TRL takes public methods for tools."""
        if self._episode is None:
            return _NOTHING
        return episode_reward(self._episode, progress=self._options.ablation != "no_progress")

    def _running(self) -> Episode:
        if self._episode is None:
            raise BadInputError("reset() was not called.")
        if self._episode.finished is not None:
            raise EpisodeFinishedError(
                self._episode.episode_id, len(self._episode.turns), self._episode.finished.reason
            )
        return self._episode


def _told(episode: Episode) -> str:
    """Return the task in the shared prompt's words."""
    messages = render(observe(episode)).as_chat()
    return messages[-1]["content"] + "\nCall submit_hypothesis with your JSON object."


def environment_rewards(ablation: str | None) -> tuple[list[Callable[..., list[float]]], list[float]]:
    """Return the reward functions and weights for episodes that TRL hands over as environments."""
    functions, weights = reward_functions(ablation)
    return [_of_environments(f.__name__) for f in functions], weights


def _of_environments(name: str) -> Callable[..., list[float]]:
    def reward(environments: Sequence[EpisodeTool], **_: Any) -> list[float]:
        return [float(asdict(environment._components())[name]) for environment in environments]

    reward.__name__ = name
    return reward


def conversations_of(options: GrpoOptions, profile: Profile) -> Dataset:
    """Return one row a task: the opening words, and what `EpisodeTool.reset` needs."""
    rows = [json.loads(row["prompt"]) for row in tasks_of(options, profile)]
    return Dataset.from_list([{"prompt": [{"role": "user", "content": _OPENING}], **row} for row in rows])


def train_instruct_grpo(options: GrpoOptions, profile: Profile, backend: Backend) -> Path:
    """Train and return the folder of the model or adapter; an interrupted run is continued."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    source = options.model or profile.model
    context = profile.max_completion_tokens * 2
    loaded = load(backend, source, lora_rank=profile.lora_rank, context=context, seed=options.seed)
    # After the backend: Unsloth must patch TRL before it is imported.
    from trl import GRPOTrainer

    run = RunWriter(options.output_dir, grpo_manifest(options, source, backend))
    watch = RunWatch(run, options, options.output_dir)
    functions, weights = environment_rewards(options.ablation)
    trainer = GRPOTrainer(
        model=loaded.model,
        args=grpo_config(options, profile, weights),
        reward_funcs=functions,
        train_dataset=conversations_of(options, profile),
        processing_class=loaded.tokenizer,
        environment_factory=partial(EpisodeTool, options, profile, watch),
        peft_config=loaded.peft_config,
        callbacks=[watch],
    )
    watch.trainer = trainer
    finish(trainer, run, watch)
    out = options.output_dir / "model"
    trainer.save_model(str(out))
    return out
