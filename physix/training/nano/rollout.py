"""Whole episodes of a nano model for TRL's GRPO: one growing text, feedback masked out of the loss."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from physix.engine import EpisodeEngine
from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems import sample_task
from physix.engine.systems.task import Task, Truth
from physix.errors import PolicyError
from physix.policies.nano.codec import (
    CODEC_VERSION,
    REMEMBERED_TURNS,
    feedback,
    frames,
    hypothesis_of,
    render,
)
from physix.policies.nano.forward import Qwen2Forward, Qwen2Shape
from physix.policies.nano.policy import MAX_NEW_TOKENS
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.store import open_log
from physix.training.rewards import COMPONENTS, Ended, episode_reward, training_config

if TYPE_CHECKING:
    from transformers import Qwen2ForCausalLM

# Gets the step's episodes, and how long the rollout took: altogether, and apart from the policy.
OnPlayed = Callable[[Sequence[Ended], dict[str, float]], None]
MAX_ROLLOUT_TURNS = REMEMBERED_TURNS + 1  # beyond, the oldest turn would leave the prompt's text
ROLLOUT_CONTEXT = 384
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Played(Ended):
    """One episode as a trainer needs it; the three lists are of one length."""

    prompt_ids: list[int]
    completion_ids: list[int]
    logprobs: list[float]
    env_mask: list[int]  # 1 where the model wrote, 0 where the environment answered
    policy_s: float


@dataclass(slots=True)
class _Tape:
    prompt: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)

    def add(self, ids: Sequence[int], logprobs: Sequence[float], *, written: bool) -> None:
        self.ids += ids
        self.logprobs += logprobs
        self.mask += [int(written)] * len(ids)


class RecordingNano:
    """Implements `Policy` and keeps every token of the episode with its log-probability.

    Each turn is read on top of the one before, so an episode costs one pass over its text.
    """

    name = "nano-in-training"

    def __init__(
        self, forward: Qwen2Forward, tokenizer: NanoTokenizer, rng: np.random.Generator, *, temperature: float
    ) -> None:
        self._forward, self._tokenizer, self._rng = forward, tokenizer, rng
        self._temperature = temperature
        self.told = True  # False withholds the mismatch: the ablation `no_history`
        self.tape = _Tape()
        self.seconds = 0.0  # spent in `propose`, over the whole episode

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        began = time.perf_counter()
        frame = frames(observation.task)[0]
        if observation.turn == 1:
            self.tape = _Tape(prompt=self._tokenizer.encode(render(observation, frame)))
            self._forward.reset()
            logits = self._forward.read(self.tape.prompt)
        else:
            said = self._tokenizer.encode(feedback(observation, frame) if self.told else " ?\n")
            self.tape.add(said, [0.0] * len(said), written=False)
            logits = self._forward.read(said)
        if len(self.tape.prompt) + len(self.tape.ids) + MAX_NEW_TOKENS >= ROLLOUT_CONTEXT:
            raise PolicyError("The episode has outgrown the context.")
        law = self._write(logits)
        text = self._tokenizer.decode(law)
        hypothesis = hypothesis_of([text], [frame], observation.task)
        spent = time.perf_counter() - began
        self.seconds += spent
        provenance = Provenance(
            policy=self.name,
            sampling={"temperature": self._temperature},
            latency_s=round(spent, 4),
            completion_tokens=len(law),
            prompt_version=CODEC_VERSION,
        )
        return Proposal(hypothesis=hypothesis, provenance=provenance, raw_completion=text)

    def _write(self, logits: np.ndarray[Any, np.dtype[np.float32]]) -> list[int]:
        end = self._tokenizer.end
        written: list[int] = []
        while True:
            scaled = (logits - logits.max()).astype(np.float64) / self._temperature
            weights = np.exp(scaled)
            token = int(self._rng.choice(len(weights), p=weights / weights.sum()))
            logprob = float(scaled[token] - math.log(weights.sum()))
            self.tape.add([token], [logprob], written=True)
            if token == end:
                self._forward.read([token])
                return written
            written.append(token)
            logits = self._forward.read([token])
            if len(written) == MAX_NEW_TOKENS:
                # The environment closes what the model did not.
                self.tape.add([end], [0.0], written=False)
                self._forward.read([end])
                return written


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """How a trainer's episodes are played."""

    run_id: str
    db: str
    max_turns: int = MAX_ROLLOUT_TURNS
    temperature: float = 1.0
    seed: int = 0
    progress: bool = True
    hint: bool = True
    history: bool = True


def task_prompt(system_id: str, seed: int, noise: float) -> str:
    """Return the dataset's prompt for a task: TRL hands a rollout function nothing else."""
    return json.dumps({"system_id": system_id, "seed": seed, "noise": noise}, sort_keys=True)


def make_rollout(
    tokenizer: NanoTokenizer, settings: RolloutSettings, on_played: OnPlayed
) -> Callable[[list[str], Any], dict[str, list[Any]]]:
    """Return a `rollout_func` for `GRPOTrainer`: one episode a prompt; prompts come in repeated already."""

    def rollout(prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
        model = trainer.accelerator.unwrap_model(trainer.model)
        step = int(trainer.state.global_step)
        began = time.perf_counter()
        with threadpool_limits(limits=1, user_api="blas"):
            played = anyio.run(play_all, forward_of(model), tokenizer, prompts, settings, step)
        rollout_s = time.perf_counter() - began
        policy_s = sum(one.policy_s for one in played)
        on_played(played, {"rollout_s": rollout_s, "environment_s": rollout_s - policy_s})
        columns = {f"reward_{n}": [asdict(p.reward)[n] for p in played] for n in COMPONENTS}
        return {
            "prompt_ids": [p.prompt_ids for p in played],
            "completion_ids": [p.completion_ids for p in played],
            "logprobs": [p.logprobs for p in played],
            "env_mask": [p.env_mask for p in played],
            **columns,
        }

    return rollout


def forward_of(model: Qwen2ForCausalLM) -> Qwen2Forward:
    """Return the NumPy twin of a Transformers model, with its weights as they are now."""
    return Qwen2Forward(weights_of(model), shape_of(model), context=ROLLOUT_CONTEXT)


def shape_of(model: Qwen2ForCausalLM) -> Qwen2Shape:
    """Return the dimensions of a Transformers model."""
    config = model.config
    return Qwen2Shape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_size=config.hidden_size // config.num_attention_heads,
    )


def weights_of(model: Qwen2ForCausalLM) -> dict[str, NDArray[np.float32]]:
    """Return a Transformers model's weights as they are now, by name."""
    return {name: value.detach().float().cpu().numpy() for name, value in model.state_dict().items()}


async def play_all(
    forward: Qwen2Forward,
    tokenizer: NanoTokenizer,
    prompts: Sequence[str],
    settings: RolloutSettings,
    step: int,
) -> list[Played]:
    """Play one episode a prompt, in order, and record each in the log with run, step and group."""
    played: list[Played | None] = [None] * len(prompts)
    slots = anyio.CapacityLimiter(_AT_ONCE)
    # A task takes as long to draw as a hypothesis to verify, and a whole group plays the same one.
    tasks = {prompt: _task_of(prompt, settings) for prompt in dict.fromkeys(prompts)}
    async with open_log(settings.db) as log:
        engine = EpisodeEngine(log)

        async def play(index: int, prompt: str) -> None:
            async with slots:
                played[index] = await _play(
                    engine, forward.twin(), tokenizer, *tasks[prompt], settings, step, index
                )

        # Side by side, episodes share the log's commits; the draws of each depend on its index alone.
        async with anyio.create_task_group() as group:
            for index, prompt in enumerate(prompts):
                group.start_soon(play, index, prompt)
    return [one for one in played if one is not None]


def _task_of(prompt: str, settings: RolloutSettings) -> tuple[Task, Truth]:
    wanted = json.loads(prompt)
    task, truth = sample_task(wanted["system_id"], wanted["seed"], noise=wanted["noise"])
    return (task if settings.hint else replace(task, hint="")), truth


async def _play(
    engine: EpisodeEngine,
    forward: Qwen2Forward,
    tokenizer: NanoTokenizer,
    task: Task,
    truth: Truth,
    settings: RolloutSettings,
    step: int,
    index: int,
) -> Played:
    rng = np.random.default_rng([settings.seed, step, index])
    policy = RecordingNano(forward, tokenizer, rng, temperature=settings.temperature)
    policy.told = settings.history
    labels = {"run": settings.run_id, "step": str(step), "group": task.task_id, "sample": str(index)}
    episode = await engine.start(
        task,
        truth,
        config=training_config(settings.max_turns),
        policy=policy.name,
        door="training",
        labels=labels,
    )
    episode = await engine.run(episode.episode_id, policy)
    tape = policy.tape
    return Played(
        prompt_ids=tape.prompt,
        completion_ids=tape.ids,
        logprobs=tape.logprobs,
        env_mask=tape.mask,
        policy_s=policy.seconds,
        reward=episode_reward(episode, progress=settings.progress),
        episode_id=episode.episode_id,
        turns=len(episode.turns),
        solved=episode.outcome.solved,
    )
