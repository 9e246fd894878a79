"""What a GRPO step of the nano model spends its time on.

`physix bench training`. Rollouts are real episodes of the shipped model on a temporary SQLite log, one
at a time so that times add up; the update is a forward and backward pass over the same tokens.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from physix.engine import EpisodeConfig
from physix.engine.episode import Episode, evolve, observe, play, start
from physix.engine.events import Provenance, RecordedEvent
from physix.errors import BadInputError
from physix.policies.nano import CONTEXT, NanoModel, shipped_nano
from physix.policies.nano_codec import frames, hypothesis_of, render
from physix.policies.nano_forward import Qwen2Forward, generate
from physix.store import Log, open_log
from physix.systems import sample_task

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
    updating: float = 0.0
    turns: int = 0
    written: int = 0
    tokens: int = 0


def main(episodes: int) -> None:
    """Print tokens per second of rollout and update, and the shares of verifier and log.

    Raises:
        BadInputError: torch is not installed.
    """
    try:
        from threadpoolctl import threadpool_limits

        from physix.training.grpo_cost import update_seconds
    except ImportError as error:
        raise BadInputError(
            "This bench needs the training extra: pip install 'physix-live[train]'."
        ) from error
    spent = _Spent()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(limits=1):
        model = shipped_nano()
        rows = anyio.run(_play_all, model, episodes, Path(folder) / "log.db", spent)
        spent.updating = update_seconds(model, rows)
    _print(spent)


async def _play_all(model: NanoModel, episodes: int, path: Path, spent: _Spent) -> list[list[int]]:
    forward = Qwen2Forward(model.weights, model.shape, context=CONTEXT)
    rows: list[list[int]] = []
    async with open_log(f"sqlite:///{path}") as log:
        for seed in range(episodes):
            rows += await _play(log, forward, model, seed, spent)
    return rows


async def _play(
    log: Log, forward: Qwen2Forward, model: NanoModel, seed: int, spent: _Spent
) -> list[list[int]]:
    task, truth = sample_task(("damped_spring", "free_fall_drag", "simple_pendulum")[seed % 3], seed)
    first = start(task, truth, config=EpisodeConfig(max_turns=4), policy="bench", door="test")
    episode = _folded(None, await log.append(f"e{seed}", (first,), expected_version=0))
    (frame,) = frames(task)
    rows = []
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
        spent.tokens += len(prompt) + len(law)
        rows.append([*prompt, *law])
    return rows


def _folded(episode: Episode | None, recorded: tuple[RecordedEvent, ...]) -> Episode:
    for one in recorded:
        episode = evolve(episode, one)
    if episode is None:
        raise ValueError("Nothing was recorded.")
    return episode


def _print(spent: _Spent) -> None:
    own = spent.verifying + spent.logging
    total = own + spent.writing + spent.updating
    per_turn = own / spent.turns
    turn_1_5b = 2 * _TOKENS_PER_TURN_1_5B / _TOKENS_PER_S_1_5B
    figures = {
        "turns": spent.turns,
        "rollout_tokens_per_s": round(spent.written / spent.writing, 1),
        "update_tokens_per_s": round(spent.tokens / spent.updating, 1),
        "verifier_ms_per_turn": round(1e3 * spent.verifying / spent.turns, 3),
        "log_ms_per_turn": round(1e3 * spent.logging / spent.turns, 3),
        "nano_share_of_verifier_and_log": round(own / total, 4),
        "share_for_1.5b_one_core": round(per_turn / (per_turn + turn_1_5b), 4),
        "share_for_1.5b_sixteen_cores": round(per_turn / 16 / (per_turn / 16 + turn_1_5b), 4),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
