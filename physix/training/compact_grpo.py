"""GRPO for small models: whole episodes, every turn asked in the compact prompt that serving asks in.

A small model is not handed a growing chat: each turn is a conversation of its own, made from the best law so
far and what was found. TRL sees an episode as one text, turn after turn, with everything but the replies
masked; `TurnwiseTrainer` reads each turn's log-probabilities in that turn's own context, as it was played.
Rollouts are played through llama.cpp with the adapter as it is at that step: several episodes side by side,
at a multiple of Transformers' pace on one thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import torch
from datasets import Dataset
from numpy.random import PCG64, Generator, SeedSequence
from trl import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.engine.systems import sample_task
from physix.engine.systems.splits import REINFORCEMENT_SEEDS
from physix.engine.systems.task import Task, Truth
from physix.errors import BadInputError, PolicyError, first_error
from physix.policies.chat.compact import COMPACT_VERSION
from physix.policies.chat.policy import ChatPolicy
from physix.policies.local.backend import LocalBackend, LocalPolicy, forget_servers, missing
from physix.policies.local.models import SMOLLM2
from physix.settings import Settings
from physix.store import open_log
from physix.training.adapter_gguf import base_config, write_adapter_gguf
from physix.training.backends import Backend, Loaded, adapter_base, load, resolved
from physix.training.continuing import already_trained, begin_run
from physix.training.data.lessons import lesson_config
from physix.training.data.synthetic import SYNTHETIC, draw
from physix.training.dialogue import write_dialogue
from physix.training.options import GrpoOptions, grpo_config, grpo_manifest, settled
from physix.training.profiles import Profile
from physix.training.rewards import COMPONENTS, Ended, episode_reward, reward_functions
from physix.training.runs import RunWriter
from physix.training.watch import RunWatch, finish

POLICY = "compact-in-training"
_AT_ONCE = 4
_ROWS_AT_ONCE = 8  # turns whose log-probabilities are computed together: bounds memory


@dataclass(frozen=True, slots=True)
class Span:
    """One turn in the text of its episode: where its prompt begins, where its reply does, where it ends."""

    begin: int
    reply: int
    end: int


@dataclass(slots=True)
class Tape:
    """The turns of one episode as tokens: what was asked, what was written."""

    turns: list[tuple[list[int], list[int]]] = field(default_factory=list)

    def spans(self) -> tuple[Span, ...]:
        """Return where the turns lie when they are laid end to end."""
        found, at = [], 0
        for asked, written in self.turns:
            found.append(Span(at, at + len(asked), at + len(asked) + len(written)))
            at = found[-1].end
        return tuple(found)

    def columns(self) -> tuple[list[int], list[int], list[int]]:
        """Return TRL's prompt, completion and mask: 1 where the model wrote."""
        prompt, first = self.turns[0]
        completion, mask = list(first), [1] * len(first)
        for asked, written in self.turns[1:]:
            completion += [*asked, *written]
            mask += [0] * len(asked) + [1] * len(written)
        return list(prompt), completion, mask


class RecordingPolicy:
    """Implements `Policy` around a chat policy and keeps what was asked and written, unusable replies too."""

    name = POLICY

    def __init__(self, inner: ChatPolicy, tokenizer: Any) -> None:
        self._inner, self._tokenizer = inner, tokenizer
        self.tape = Tape()
        self.seconds = 0.0

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        began = time.perf_counter()
        prompt = self._inner.prompt(observation)
        try:
            proposal = await self._inner.propose(observation, on_token)
        except PolicyError as error:
            if error.raw_completion is not None:
                self._keep(prompt.as_chat(), error.raw_completion)
            raise
        finally:
            self.seconds += time.perf_counter() - began
        self._keep(prompt.as_chat(), proposal.raw_completion or "")
        return proposal

    def _keep(self, chat: list[dict[str, str]], reply: str) -> None:
        asked = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        written = self._tokenizer(reply, add_special_tokens=False).input_ids
        self.tape.turns.append((list(asked), [*written, self._tokenizer.eos_token_id]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Played(Ended):
    """One episode as the trainer needs it."""

    tape: Tape
    policy_s: float


class TurnwiseTrainer(GRPOTrainer):
    """TRL's GRPO with log-probabilities read turn by turn; `texts` knows where an episode's turns lie.

    A group goes through the model together, and what several of its episodes asked and wrote in the same
    words goes through once: half of the turns.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.texts: dict[tuple[int, ...], tuple[Span, ...]] = {}
        self._buffered_inputs: list[dict[str, Any]] | None = None

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Return the next batch in the order of play: TRL scatters a group over the batches of a step."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        every = self.args.steps_per_generation
        if self._step % (every * self.num_iterations) == 0 or self._buffered_inputs is None:
            scored = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = split_tensor_dict(scored, every)
        return self._buffered_inputs[self._step % every]

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Any,
        attention_mask: Any,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[Any, Any, None]:
        """Return log-probabilities and entropies, shape (N, logits_to_keep): 0 where nothing was written."""
        rows, width = input_ids.shape
        logps = torch.zeros((rows, width), dtype=torch.float32, device=input_ids.device)
        entropies = torch.zeros_like(logps)
        places: dict[tuple[tuple[int, ...], int], list[tuple[int, int]]] = {}
        for row in range(rows):
            real = attention_mask[row].bool()
            offset = int(real.nonzero()[0])
            text = tuple(input_ids[row][real].tolist())
            for span in self.texts[text]:
                turn = text[span.begin : span.end], span.end - span.reply
                places.setdefault(turn, []).append((row, offset + span.reply))
        turns = sorted(places, key=lambda turn: len(turn[0]))
        for first in range(0, len(turns), _ROWS_AT_ONCE):
            some = turns[first : first + _ROWS_AT_ONCE]
            for turn, (found, spread) in zip(some, self._read(model, some), strict=True):
                for row, begin in places[turn]:
                    at = torch.arange(begin, begin + turn[1])
                    logps = logps.index_put((torch.tensor(row), at), found)
                    entropies[row, at] = spread
        kept = slice(width - logits_to_keep, width)
        return logps[:, kept], entropies[:, kept] if compute_entropy else None, None

    def _read(self, model: Any, turns: Sequence[tuple[tuple[int, ...], int]]) -> list[tuple[Any, Any]]:
        """Return log-probabilities and entropies of each turn's reply; texts are padded to the left.

        Args:
            turns: what was asked and written, and how many tokens of it were written.
        """
        longest = max(len(text) for text, _ in turns)
        device = next(model.parameters()).device
        ids = torch.full((len(turns), longest), self.processing_class.pad_token_id, device=device)
        mask = torch.zeros_like(ids)
        for row, (text, _) in enumerate(turns):
            ids[row, longest - len(text) :] = torch.tensor(text, device=device)
            mask[row, longest - len(text) :] = 1
        written = [count for _, count in turns]
        keep = max(written) + 1
        with self.accelerator.autocast():
            logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=keep, use_cache=False).logits
        logits = logits[:, :-1].float() / self.temperature
        every = torch.log_softmax(logits, dim=-1)
        chosen = every.gather(-1, ids[:, longest - keep + 1 :].unsqueeze(-1)).squeeze(-1)
        with torch.no_grad():
            spread = -(every.exp() * every).sum(-1)
        return [(chosen[row, keep - 1 - n :], spread[row, keep - 1 - n :]) for row, n in enumerate(written)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollouts:
    """How a step's episodes are played."""

    options: GrpoOptions
    config: EpisodeConfig
    folder: Path
    tokenizer: Any
    on_played: Callable[[Sequence[Ended], dict[str, float]], None]

    def __call__(self, prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
        """Play one episode a prompt and return TRL's columns; prompts come in repeated already."""
        began = time.perf_counter()
        step = int(trainer.state.global_step)
        adapter = self._adapter(trainer, step)
        played = anyio.run(self._play_all, prompts, adapter, step)
        spent = time.perf_counter() - began
        policy_s = sum(one.policy_s for one in played)
        self.on_played(played, {"rollout_s": spent, "policy_s": policy_s})
        columns = [one.tape.columns() for one in played]
        trainer.texts = {
            (*prompt, *completion): one.tape.spans()
            for one, (prompt, completion, _) in zip(played, columns, strict=True)
        }
        return {
            "prompt_ids": [prompt for prompt, _, _ in columns],
            "completion_ids": [completion for _, completion, _ in columns],
            "logprobs": [[0.0] * len(completion) for _, completion, _ in columns],
            "env_mask": [mask for _, _, mask in columns],
            **{f"reward_{n}": [asdict(p.reward)[n] for p in played] for n in COMPONENTS},
        }

    def _adapter(self, trainer: Any, step: int) -> Path:
        """Return the adapter as it is now, as llama.cpp applies it."""
        forget_servers()
        folder = self.folder / "now"
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(folder, selected_adapters=["default"])
        for old in self.folder.glob("step-*.gguf"):
            old.unlink()
        return write_adapter_gguf(folder, self.folder / f"step-{step}.gguf", name=f"step {step}")

    async def _play_all(self, prompts: Sequence[str], adapter: Path, step: int) -> list[Played]:
        played: list[Played | None] = [None] * len(prompts)
        slots = anyio.CapacityLimiter(_AT_ONCE)
        tasks = {prompt: task_of(prompt, self.options.ablation) for prompt in dict.fromkeys(prompts)}
        model = LocalPolicy(name=POLICY, title=POLICY, description="", model=SMOLLM2, adapter=adapter)
        async with open_log(self.options.db) as log:
            engine = EpisodeEngine(log)

            async def play(index: int, prompt: str) -> None:
                async with slots:
                    played[index] = await self._play(engine, model, *tasks[prompt], step, index)

            try:
                async with anyio.create_task_group() as group:
                    for index, prompt in enumerate(prompts):
                        group.start_soon(play, index, prompt)
            except BaseExceptionGroup as several:
                raise first_error(several) from several
        return [one for one in played if one is not None]

    async def _play(
        self, engine: EpisodeEngine, model: LocalPolicy, task: Task, truth: Truth, step: int, index: int
    ) -> Played:
        settings = Settings(temperature=self.options.temperature, retry_wait_s=0.0)
        chat = ChatPolicy(
            POLICY,
            LocalBackend(model, threads=self.options.threads),
            settings,
            dialogue="compact",
            salt=f"{self.options.seed}/{step}/{index}",
        )
        policy = RecordingPolicy(chat, self.tokenizer)
        labels = {"run": self.options.output_dir.name, "step": str(step), "group": task.task_id}
        episode: Episode = await engine.start(
            task,
            truth,
            config=self.config,
            policy=POLICY,
            door="training",
            labels={**labels, "sample": str(index)},
        )
        episode = await engine.run(episode.episode_id, policy)
        if not policy.tape.turns:
            why = episode.outcome.policy_failure or "llama.cpp gave no reply."
            raise PolicyError(f"Episode {episode.episode_id} was not played: {why}")
        return Played(
            episode_id=episode.episode_id,
            turns=len(episode.turns),
            solved=episode.outcome.solved,
            reward=episode_reward(episode, progress=self.options.ablation != "no_progress"),
            tape=policy.tape,
            policy_s=policy.seconds,
        )


def tasks_of(options: GrpoOptions, profile: Profile) -> Dataset:
    """Return one prompt a task, in the order of play: random laws, and systems of tiers 1 and 2 in turn."""
    per_step = options.prompts_per_step or profile.prompts_per_step
    rng = Generator(PCG64(SeedSequence([options.seed, 43])))
    rows = []
    for n in range(options.num_steps * per_step):
        seed = REINFORCEMENT_SEEDS.start + int(rng.integers(100_000_000))
        before, now = (int(round(k * options.random_laws, 9)) for k in (n, n + 1))
        system_id = SYNTHETIC if now > before else options.systems[(n - before) % len(options.systems)]
        rows.append({"prompt": json.dumps({"system_id": system_id, "seed": seed, "noise": options.noise})})
    return Dataset.from_list(rows)


def task_of(prompt: str, ablation: str | None) -> tuple[Task, Truth]:
    """Return the task that a row of `tasks_of` names."""
    wanted = json.loads(prompt)
    if wanted["system_id"] == SYNTHETIC:
        drawn = draw(wanted["seed"])
        task, truth = drawn.task, drawn.truth
    else:
        task, truth = sample_task(wanted["system_id"], wanted["seed"], noise=wanted["noise"])
    return (replace(task, hint="") if ablation == "no_hint" else task), truth


def train_compact_grpo(options: GrpoOptions, profile: Profile, backend: Backend) -> Path:
    """Train and return the adapter's folder; an interrupted run is continued.

    Raises:
        BadInputError: the backend cannot, a share is none, or there is no model to start from.
    """
    if backend.name != "peft":
        raise BadInputError(f"The {profile.name} profile trains an adapter: use --backend peft.")
    if not 0.0 <= options.random_laws <= 1.0:
        raise BadInputError(f"--random-laws is {options.random_laws:g}; it must be between 0 and 1.")
    source = options.model or profile.model
    options = settled(options, profile, backend, source)
    manifest = grpo_manifest(options, source, backend)
    out = options.output_dir / "model"
    if already_trained(options.output_dir, manifest, options.num_steps):
        return out
    # Rollouts are played on the base that serving has, with the adapter on it.
    check_servable(source)
    torch.set_num_threads(options.threads)
    context = profile.max_completion_tokens * 2
    rank = options.lora_rank or profile.lora_rank
    loaded = load(backend, source, lora_rank=rank, context=context, seed=options.seed, small=True)
    run = begin_run(options.output_dir, manifest)
    with run.ending():
        trainer, watch = compact_trainer(options, profile, loaded, run)

        def save() -> None:
            trainer.save_model(str(out))
            write_dialogue(out, COMPACT_VERSION)

        finish(trainer, run, watch, save)
    return out


def compact_trainer(
    options: GrpoOptions, profile: Profile, loaded: Loaded, run: RunWriter
) -> tuple[TurnwiseTrainer, RunWatch]:
    """Return the trainer, ready to run, and its watch."""
    watch = RunWatch(run, options, options.output_dir)
    functions, weights = reward_functions(options.ablation)
    trainer = TurnwiseTrainer(
        model=loaded.model,
        args=grpo_config(options, profile, weights),
        reward_funcs=functions,
        train_dataset=tasks_of(options, profile),
        processing_class=loaded.tokenizer,
        peft_config=loaded.peft_config,
        rollout_func=Rollouts(
            options=options,
            config=lesson_config(options.max_turns or profile.max_turns),
            folder=options.output_dir,
            tokenizer=loaded.tokenizer,
            on_played=watch.on_played,
        ),
        callbacks=[watch],
    )
    watch.trainer = trainer
    return trainer, watch


def check_servable(source: str) -> None:
    """Check that llama.cpp can play with what is trained from `source`, before minutes are spent.

    Raises:
        BadInputError: llama.cpp or SmolLM2's GGUF is not here, or `source` is no SmolLM2.
    """
    reason = missing(LocalPolicy(name=POLICY, title=POLICY, description="", model=SMOLLM2))
    if reason is not None:
        raise BadInputError(reason)
    wanted, found = (_shape(resolved(one)) for one in ("smollm2", adapter_base(source) or source))
    if wanted != found:
        raise BadInputError(
            f"{source} is no SmolLM2, or an adapter of none: the episodes are played on {SMOLLM2.title}. "
            "Start from smollm2 or from an adapter of it, or take another profile."
        )


def _shape(model: str) -> tuple[object, ...]:
    config = base_config(model)
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")
    heads = ("num_attention_heads", "num_key_value_heads")
    return tuple(config.get(name) for name in ("model_type", *sizes, *heads))
