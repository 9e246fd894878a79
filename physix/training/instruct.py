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
from typing import TYPE_CHECKING, Any

from datasets import Dataset

from physix.engine import Episode
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.engine.ports import Observation
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, EpisodeFinishedError
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.policies.chat.tool_dialogue import DIALOGUE_VERSION, answer, opening
from physix.training.backends import Backend, Loaded, load
from physix.training.continuing import already_trained, begin_run
from physix.training.dialogue import check_tools, write_dialogue
from physix.training.doors.words import NOT_COUNTED
from physix.training.kept import KeptLog, keep_log
from physix.training.options import GrpoOptions, grpo_config, grpo_manifest, settled, tasks_of
from physix.training.profiles import Profile
from physix.training.rewards import Ended, episode_reward, reward_functions, training_config
from physix.training.runs import RunWriter
from physix.training.watch import RunWatch, finish

if TYPE_CHECKING:
    from trl import GRPOTrainer


class EpisodeTool:
    """One episode as TRL's `environment_factory` wants it; every turn is in the log when it is answered."""

    def __init__(self, options: GrpoOptions, profile: Profile, watch: RunWatch, log: KeptLog) -> None:
        self._options, self._turns, self._watch = options, options.max_turns or profile.max_turns, watch
        self._log = log
        self._episode: Episode | None = None
        self._answering = False

    def reset(self, **row: Any) -> str:
        """Begin the row's task and return what the model is told of it."""
        task, truth = sample_task(row["system_id"], row["seed"], noise=row["noise"])
        task = task if self._options.ablation != "no_hint" else replace(task, hint="")
        labels = {
            "run": self._options.output_dir.name,
            "step": str(self._watch.step),
            "group": task.task_id,
        }
        config = training_config(self._turns)
        self._episode = self._log.call(
            lambda engine: engine.start(
                task, truth, config=config, policy="instruct-in-training", door="training", labels=labels
            )
        )
        return opening(observe(self._episode))[1]

    async def submit_hypothesis(self, equation: str, params: dict[str, float], rationale: str = "") -> str:
        """Propose a law of motion; it is simulated and compared with the measurements.

        Args:
            equation: One equation a variable, separated by ;
            params: The number of every constant that the equation names.
            rationale: One short sentence.

        Returns:
            What is wrong with it and how many turns are left, or that the law fits.
        """
        # TRL runs the calls of one message together: whatever begins while another is being answered
        # was written without having read the answer, and a blind series of guesses is not to be learnt.
        if self._answering:
            return NOT_COUNTED
        self._answering = True
        try:
            return await self._answer(equation, params, rationale)
        finally:
            self._answering = False

    async def _answer(self, equation: str, params: dict[str, float], rationale: str) -> str:
        episode = self._running()
        # What a model wrote may be of any type: the shared parser judges it as it judges any reply.
        written = json.dumps({"equation": equation, "params": params, "rationale": rationale})
        parsed = parse_completion(written, episode.task.variables)
        if isinstance(parsed, ParseFailure):
            # A turn like any other: the verifier turns it down, and the reason is told.
            parsed = Hypothesis(equation="(unreadable)", rationale=f"{parsed.code}: {parsed.message}"[:4_096])
        provenance = Provenance(policy="instruct-in-training", prompt_version=DIALOGUE_VERSION)
        self._episode = await self._log.answer(
            lambda engine: engine.submit(
                episode.episode_id, parsed, provenance=provenance, raw_completion=written[:65_536]
            )
        )
        last = self._episode.turns[-1].rewarded
        if self._episode.finished is not None:
            return f"The episode is over ({self._episode.finished.reason}). {last.mismatch}"
        told = "Not right yet." if self._options.ablation == "no_history" else last.mismatch
        return answer(told, last.reward.match, self._turns - len(self._episode.turns))

    def _ended(self) -> Ended:
        """Return what became of the episode, and end it in the log if the model stopped calling.

        Not public: TRL takes public methods for tools.
        """
        episode = self._running(over=True)
        if episode.finished is None:
            episode_id = episode.episode_id
            self._episode = episode = self._log.call(lambda engine: engine.abandon(episode_id))
        return Ended(
            episode_id=episode.episode_id,
            turns=len(episode.turns),
            solved=episode.outcome.solved,
            reward=episode_reward(episode, progress=self._options.ablation != "no_progress"),
        )

    def _running(self, *, over: bool = False) -> Episode:
        if self._episode is None:
            raise BadInputError("reset() was not called.")
        if self._episode.finished is not None and not over:
            raise EpisodeFinishedError(
                self._episode.episode_id, len(self._episode.turns), self._episode.finished.reason
            )
        return self._episode


def environment_rewards(
    ablation: str | None, on_played: Callable[[Sequence[Ended]], None] = lambda _: None
) -> tuple[list[Callable[..., list[float]]], list[float]]:
    """Return the reward functions and weights for episodes that TRL hands over as environments.

    `on_played` gets the step's episodes before the first of them is asked for: TRL tells of the end of a
    rollout in no other way.
    """
    functions, weights = reward_functions(ablation)
    rewards = [_of_environments(f.__name__) for f in functions]
    first = rewards[0]

    def telling(environments: Sequence[EpisodeTool], **columns: Any) -> list[float]:
        on_played([environment._ended() for environment in environments])
        return first(environments, **columns)

    telling.__name__ = first.__name__
    return [telling, *rewards[1:]], weights


def _of_environments(name: str) -> Callable[..., list[float]]:
    def reward(environments: Sequence[EpisodeTool], **_: Any) -> list[float]:
        return [float(asdict(environment._ended().reward)[name]) for environment in environments]

    reward.__name__ = name
    return reward


def conversations_of(options: GrpoOptions, profile: Profile) -> Dataset:
    """Return one row a task: the system's words, room for the task's, and what `EpisodeTool.reset` needs."""
    rows = [json.loads(row["prompt"]) for row in tasks_of(options, profile)]
    task, _ = sample_task(rows[0]["system_id"], rows[0]["seed"])
    system, _ = opening(
        Observation(
            episode_id="",
            task=task,
            turn=1,
            turns_remaining=options.max_turns or profile.max_turns,
            reward_mode="gain",
            constants="declared",
            solved_threshold=training_config(1).verifier.solved_threshold,
            history=(),
        )
    )
    # TRL appends what `reset` returns to the last message.
    prompt = [{"role": "system", "content": system}, {"role": "user", "content": ""}]
    return Dataset.from_list([{"prompt": prompt, **row} for row in rows])


def instruct_trainer(
    options: GrpoOptions, profile: Profile, loaded: Loaded, log: KeptLog, run: RunWriter
) -> tuple[GRPOTrainer, RunWatch]:
    """Return TRL's trainer, ready to run, and its watch; `log` is where it plays, `run` the run's files."""
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # After the backend: Unsloth must patch TRL before it is imported.
    from trl import GRPOTrainer

    watch = RunWatch(run, options, options.output_dir)
    functions, weights = environment_rewards(options.ablation, watch.on_played)
    config = grpo_config(options, profile, weights)
    # Without a limit a model that never stops calling is answered until its budget of tokens is gone.
    config.max_tool_calling_iterations = options.max_turns or profile.max_turns
    trainer = GRPOTrainer(
        model=loaded.model,
        args=config,
        reward_funcs=functions,
        train_dataset=conversations_of(options, profile),
        processing_class=loaded.tokenizer,
        environment_factory=partial(EpisodeTool, options, profile, watch, log),
        peft_config=loaded.peft_config,
        callbacks=[watch],
    )
    watch.trainer = trainer
    return trainer, watch


def train_instruct_grpo(options: GrpoOptions, profile: Profile, backend: Backend) -> Path:
    """Train and return the folder of the model or adapter; an interrupted run is continued."""
    source = options.model or profile.model
    options = settled(options, profile, backend, source)
    manifest = grpo_manifest(options, source, backend)
    out = options.output_dir / "model"
    if already_trained(options.output_dir, manifest, options.num_steps):
        return out
    loaded = load(
        backend,
        source,
        lora_rank=options.lora_rank or profile.lora_rank,
        context=profile.max_completion_tokens * 2,
        seed=options.seed,
        fast=options.use_vllm,
    )
    check_tools(loaded.tokenizer)
    with keep_log(options.db) as log:
        run = begin_run(options.output_dir, manifest)
        with run.ending():
            trainer, watch = instruct_trainer(options, profile, loaded, log, run)

            def save() -> None:
                trainer.save_model(str(out))
                write_dialogue(out, DIALOGUE_VERSION)

            finish(trainer, run, watch, save)
    return out
