"""From recorded episodes to the token rows that the nano models learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from physix.engine import Episode
from physix.engine.episode import Turn, observe
from physix.engine.ports import Observation
from physix.policies.nano_codec import frames, render, write_law

GENERALISES = 0.98  # R² on hidden trajectories below which a law is not worth imitating


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoRow:
    """One prompt and the completion to learn."""

    episode_id: str
    system_id: str
    turn: int
    kind: str  # "played", "hindsight"
    prompt: str
    completion: str


def rows_of(episode: Episode) -> Iterator[NanoRow]:
    """Yield the episode's best turn, if it holds elsewhere too, asked after every earlier turn.

    `played` is the turn as it happened; `hindsight` pairs the same law with what was known before,
    so that an episode that began with a mistake also teaches how it should have gone on at once.
    """
    if len(frames(episode.task)) != 1:
        return
    best, kept = GENERALISES, -1
    for index, turn in enumerate(episode.turns):
        generalisation = turn.rewarded.generalisation
        if generalisation is not None and generalisation > best:
            best, kept = generalisation, index
    if kept < 0:
        return
    completion = _completion(episode, episode.turns[kept])
    if completion is not None:
        for index in range(kept + 1):
            yield _row(episode, index, "played" if index == kept else "hindsight", completion)


def _row(episode: Episode, index: int, kind: str, completion: str) -> NanoRow:
    observation = observation_before(episode, index)
    return NanoRow(
        episode_id=episode.episode_id,
        system_id=episode.task.system_id,
        turn=index + 1,
        kind=kind,
        prompt=render(observation, frames(episode.task)[0]),
        completion=completion,
    )


def observation_before(episode: Episode, index: int) -> Observation:
    """Return what the policy saw before turn index + 1."""
    return observe(replace(episode, turns=episode.turns[:index]))


def _completion(episode: Episode, turn: Turn) -> str | None:
    params = {n: v for n, v in turn.submitted.params.items() if v is not None}
    params.update(turn.simulated.simulation.fitted or {})
    return write_law(episode.task, frames(episode.task)[0], turn.submitted.equation, params)
