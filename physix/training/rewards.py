"""What a rollout is paid for: five numbers an episode, as functions that TRL can call.

TRL wants one number a component for a whole episode. What a turn adds to the best so far counts,
the later the less: so an episode cannot be paid for stalling, and solving at turn 1 beats turn 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from physix.engine import Episode, EpisodeConfig
from physix.engine.verifier.types import VerifierConfig
from physix.errors import BadInputError

DISCOUNT = 0.9
COMPONENTS = ("match", "match_dense", "correctness", "simplicity", "format")
WEIGHTS = {"match": 0.5, "match_dense": 0.2, "correctness": 0.2, "simplicity": 0.05, "format": 0.05}
ABLATIONS = ("no_progress", "no_simplicity", "no_format", "no_hint", "no_history")

RewardFunction = Callable[..., list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeReward:
    """The components of one episode, each in [0, 1]."""

    match: float
    match_dense: float
    correctness: float
    simplicity: float
    format: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a trainer notes of an episode that was played to its end."""

    episode_id: str
    turns: int
    solved: bool
    reward: EpisodeReward


def training_config(max_turns: int) -> EpisodeConfig:
    """Return the rules that trainers play by: the strict profile, and each turn paid for what it adds.

    Under `classic` a wrong law that fits what is shown ends an episode as solved, and is learnt.
    """
    return EpisodeConfig(max_turns=max_turns, reward_mode="gain", verifier=VerifierConfig(profile="strict"))


def episode_reward(episode: Episode, *, progress: bool = True) -> EpisodeReward:
    """Return what an episode earned.

    `match` and `match_dense` are discounted gains over the best so far; without `progress` only the
    last turn counts. `correctness` is 1 for the true field. `simplicity` is that of the best turn, and
    paid only as far as it matches, for else the shortest nonsense earns most. `format` is the mean.
    """
    turns = [turn.rewarded for turn in episode.turns]
    if not turns:
        return EpisodeReward(match=0.0, match_dense=0.0, correctness=0.0, simplicity=0.0, format=0.0)
    best = max(turns, key=lambda turn: turn.reward.match)
    matches = [turn.reward.match for turn in turns]
    dense = [turn.match_dense or 0.0 for turn in turns]
    recovered = best.correctness is not None and best.correctness.verdict in ("exact", "recovered")
    return EpisodeReward(
        match=_gains(matches) if progress else matches[-1],
        match_dense=_gains(dense) if progress else dense[-1],
        correctness=float(recovered),
        simplicity=best.reward.simplicity * best.reward.match,
        format=sum(turn.reward.format for turn in turns) / len(turns),
    )


def _gains(values: Sequence[float]) -> float:
    """Return the sum of the gains over the best so far, each discounted by its turn."""
    best, total = 0.0, 0.0
    for turn, value in enumerate(values):
        total += DISCOUNT**turn * max(0.0, value - best)
        best = max(best, value)
    return total


def reward_functions(ablation: str | None = None) -> tuple[list[RewardFunction], list[float]]:
    """Return TRL reward functions and their weights; the rollout hands the components over as columns.

    Raises:
        BadInputError: the ablation is unknown.
    """
    if ablation is not None and ablation not in ABLATIONS:
        raise BadInputError(f"Unknown ablation {ablation[:40]!r}. Known: {', '.join(ABLATIONS)}.")
    left_out = {"no_simplicity": "simplicity", "no_format": "format"}.get(ablation or "")
    names = [name for name in COMPONENTS if name != left_out]
    return [_column(name) for name in names], [WEIGHTS[name] for name in names]


def _column(name: str) -> RewardFunction:
    def reward(completions: Sequence[object], **columns: Sequence[float]) -> list[float]:
        return [float(value) for value in columns[f"reward_{name}"]]

    reward.__name__ = name  # TRL names its metrics after the function
    return reward


def hacked(history: Sequence[dict[str, float]], *, window: int = 10) -> str | None:
    """Return which component rises while `match` falls, None if none does.

    Args:
        history: the mean of each component a step, oldest first.
        window: steps that are averaged at either end; too short a history says nothing.
    """
    if len(history) < 2 * window:
        return None
    early, late = history[-2 * window : -window], history[-window:]

    def change(name: str) -> float:
        return sum(h[name] for h in late) / window - sum(h[name] for h in early) / window

    if change("match") > -0.05:
        return None
    risen = [name for name in COMPONENTS if name != "match" and name in late[0] and change(name) > 0.05]
    return risen[0] if risen else None
