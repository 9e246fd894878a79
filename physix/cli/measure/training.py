"""What a GRPO step of the nano model spends its time on: `physix bench training`.

Real steps through TRL on a temporary SQLite log give the share of verifier and log directly. The same
episodes one at a time, so that times add up, give the milliseconds of each a turn; these, set against
published throughput, give the share for a model of 1.5B.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from physix.engine import EpisodeConfig
from physix.engine.episode import Episode, evolve, observe, play, start
from physix.engine.events import Provenance, RecordedEvent
from physix.engine.systems import sample_task
from physix.errors import BadInputError
from physix.policies.nano.codec import frames, hypothesis_of, render
from physix.policies.nano.forward import Qwen2Forward, generate
from physix.policies.nano.policy import CONTEXT, NanoModel, shipped_nano
from physix.store import Log, open_log

# Published for Qwen2.5-1.5B: vLLM on one H100 writes some 10,000 tokens/s over many sequences, and an
# update of the same tokens takes about as long. Only sets our own milliseconds in proportion.
_TOKENS_PER_S_1_5B = 10_000.0
_TOKENS_PER_TURN_1_5B = 120.0


@dataclass(slots=True)
class _Spent:
    """Seconds and counts over all episodes."""

    writing: float = 0.0
    verifying: float = 0.0
    logging: float = 0.0
    turns: int = 0
    written: int = 0


def main(episodes: int) -> None:
    """Print tokens per second of rollout and update, and the shares of verifier and log.

    Raises:
        BadInputError: torch is not installed.
    """
    try:
        from threadpoolctl import threadpool_limits

        from physix.training.nano.cost import step_seconds
    except ImportError as error:
        raise BadInputError(
            "This bench needs the training extra: pip install 'physix-live[train]'."
        ) from error
    spent = _Spent()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1):
        model = shipped_nano()
        anyio.run(_play_all, model, episodes, Path(folder) / "log.db", spent)
        step = step_seconds(model, Path(folder))
    _print(spent, step)


async def _play_all(model: NanoModel, episodes: int, path: Path, spent: _Spent) -> None:
    forward = Qwen2Forward(model.weights, model.shape, context=CONTEXT)
    async with open_log(f"sqlite:///{path}") as log:
        for seed in range(episodes):
            await _play(log, forward, model, seed, spent)


async def _play(log: Log, forward: Qwen2Forward, model: NanoModel, seed: int, spent: _Spent) -> None:
    task, truth = sample_task(("damped_spring", "free_fall_drag", "simple_pendulum")[seed % 3], seed)
    first = start(task, truth, config=EpisodeConfig(max_turns=4), policy="bench", door="test")
    episode = _folded(None, await log.append(f"e{seed}", (first,), expected_version=0))
    (frame,) = frames(task)
    while episode.finished is None:
        began = time.perf_counter()
        prompt = model.tokenizer.encode(render(observe(episode), frame))
        law = generate(
            forward, prompt, end=model.tokenizer.end, max_new=40, choose=lambda logits: int(logits.argmax())
        )
        wrote = time.perf_counter()
        hypothesis = hypothesis_of([model.tokenizer.decode(law)], [frame], task)
        events = play(episode, hypothesis, provenance=Provenance(policy="bench"))
        verified = time.perf_counter()
        episode = _folded(episode, await log.append(f"e{seed}", events, expected_version=episode.version))
        spent.writing += wrote - began
        spent.verifying += verified - wrote
        spent.logging += time.perf_counter() - verified
        spent.turns += 1
        spent.written += len(law) + 1


def _folded(episode: Episode | None, recorded: tuple[RecordedEvent, ...]) -> Episode:
    for one in recorded:
        episode = evolve(episode, one)
    if episode is None:
        raise ValueError("Nothing was recorded.")
    return episode


def _print(spent: _Spent, step: dict[str, float]) -> None:
    own_per_turn = (spent.verifying + spent.logging) / spent.turns
    turn_1_5b = 2 * _TOKENS_PER_TURN_1_5B / _TOKENS_PER_S_1_5B
    figures = {
        "turns": spent.turns,
        "rollout_tokens_per_s": round(spent.written / spent.writing, 1),
        "update_tokens_per_s": round(step["tokens"] / (step["step_s"] - step["rollout_s"]), 1),
        "verifier_ms_per_turn": round(1e3 * spent.verifying / spent.turns, 3),
        "log_ms_per_turn": round(1e3 * spent.logging / spent.turns, 3),
        "nano_step_s": round(step["step_s"], 2),
        "nano_rollout_s": round(step["rollout_s"], 2),
        "nano_share_of_verifier_and_log": round(step["environment_s"] / step["step_s"], 4),
        # TRL asks its environments one after the other; several trainer processes share the cores.
        "share_for_1.5b_one_core": round(own_per_turn / (own_per_turn + turn_1_5b), 4),
        "share_for_1.5b_sixteen_cores": round(own_per_turn / 16 / (own_per_turn / 16 + turn_1_5b), 4),
        "load_average": round(os.getloadavg()[0], 1),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
