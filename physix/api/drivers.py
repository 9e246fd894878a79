"""Policies playing in the background, one driver an episode."""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from physix.engine import EpisodeEngine
from physix.errors import ConflictError, PhysixError
from physix.policies import make_policy


class Drivers:
    """Starts and stops background play. What they play is in the log; nothing here is state."""

    def __init__(self, engine: EpisodeEngine, tasks: TaskGroup) -> None:
        self._engine = engine
        self._tasks = tasks
        self._scopes: dict[str, anyio.CancelScope] = {}

    def drives(self, episode_id: str) -> bool:
        """Tell whether a policy is playing this episode here and now."""
        return episode_id in self._scopes

    def start(self, episode_id: str, policy_name: str) -> None:
        """Let a policy play the episode to its end.

        Raises:
            UnknownPolicyError: no such policy.
            ConflictError: one is playing already.
        """
        policy = make_policy(policy_name)
        if self.drives(episode_id):
            raise ConflictError(f"A policy is already playing episode {episode_id}; pause it first.")
        scope = anyio.CancelScope()
        self._scopes[episode_id] = scope

        async def drive() -> None:
            try:
                with scope:
                    await self._engine.run(episode_id, policy)
            except PhysixError:
                # A person or another process moved the episode on: the log already says what happened.
                return
            finally:
                del self._scopes[episode_id]

        self._tasks.start_soon(drive, name=f"drive {episode_id}")

    def stop(self, episode_id: str) -> None:
        """Stop the policy of this episode, if one plays; a turn being written is finished or absent."""
        scope = self._scopes.get(episode_id)
        if scope is not None:
            scope.cancel()
