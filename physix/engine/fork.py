"""A new episode that shares the first turns of another one."""

from __future__ import annotations

import uuid
from dataclasses import replace

from physix.engine import episode as core
from physix.engine.episode import Episode
from physix.engine.events import Door, Event, ForkPoint
from physix.engine.runner import EpisodeEngine
from physix.errors import BadInputError

__all__ = ["fork"]


async def fork(
    engine: EpisodeEngine,
    episode_id: str,
    *,
    turn: int,
    policy: str,
    door: Door,
    max_turns: int | None = None,
    fork_id: str | None = None,
    command_id: str | None = None,
    command_digest: str = "",
) -> Episode:
    """Begin an episode with the same task, rules and first `turn` turns, and return it.

    The turns are copied as recorded, so verifying the log checks them again.

    Args:
        turn: 0 for a fresh start on the same task.
        max_turns: another turn budget; None for the original's.
        fork_id: the id of the new episode; None makes one.
        command_id: repeated with the same `fork_id` and digest, it begins nothing.

    Raises:
        EpisodeNotFoundError: there is no such episode.
        BadInputError: the turn was not played, solved the task, or leaves no turn to play.
        ConflictError: `fork_id` is taken, or the command id belongs to another digest.
    """
    original = await engine.load(episode_id)
    if not 0 <= turn <= len(original.turns):
        raise BadInputError(f"Turn {turn} was not played; the episode has {len(original.turns)} turns.")
    kept = original.turns[:turn]
    if kept and (kept[-1].rewarded.solved or kept[-1].rewarded.passed):
        raise BadInputError(f"Turn {turn} ended the episode; fork at an earlier one.")
    budget = max_turns if max_turns is not None else original.config.max_turns
    if turn >= budget:
        raise BadInputError(f"A fork at turn {turn} of {budget} leaves no turn; give a larger max_turns.")
    config = replace(original.config, max_turns=budget)
    started = core.start(
        original.task,
        original.started.truth,
        config=config,
        policy=policy,
        door=door,
        forked_from=ForkPoint(episode_id=episode_id, turn=turn),
        labels=original.started.labels,
    )
    if kept:
        # The copied turns were judged under the rules of their time, and so the episode is.
        started = replace(started, rules=original.started.rules)
    new_id = fork_id or uuid.uuid4().hex
    # In one append: what is there of a fork is all of it.
    events: list[Event] = [started]
    for past in kept:
        events += [past.submitted, past.simulated, past.rewarded]
    await engine.log.append(
        new_id, events, expected_version=0, command_id=command_id, command_digest=command_digest
    )
    return await engine.load(new_id)
