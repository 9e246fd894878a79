"""Policies playing in the background, one driver an episode."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from physix.api.live.broadcast import Live
from physix.engine import Episode, EpisodeEngine, Observation, Proposal
from physix.engine.ports import Policy, TokenSink
from physix.errors import ConflictError, PhysixError
from physix.limits import PERSON
from physix.policies import open_policy
from physix.policies.chat.policy import ChatPolicy
from physix.settings import Settings
from physix.store import EpisodeFilter, Log

_LOGGER = logging.getLogger("physix")


@dataclass(slots=True)
class _Driver:
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    gone: anyio.Event = field(default_factory=anyio.Event)


class Drivers:
    """Starts and stops play. What was played is in the log; nothing here is state of an episode."""

    def __init__(
        self, log: Log, engine: EpisodeEngine, tasks: TaskGroup, live: Live, settings: Settings
    ) -> None:
        self._log = log
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._settings = settings
        self._drivers: dict[str, _Driver] = {}

    def drives(self, episode_id: str) -> bool:
        """Tell whether a policy is playing this episode here and now."""
        return episode_id in self._drivers

    def driven(self) -> tuple[str, ...]:
        """Return the episodes that policies are playing here and now, in the order they were taken up."""
        return tuple(self._drivers)

    async def start(self, episode_id: str, policy_name: str, temperature: float | None = None) -> None:
        """Let a policy play the episode to its end in the background.

        `temperature` is for chat models, None for the server's; every turn records what held.

        Raises:
            UnknownPolicyError: no such policy.
            ConflictError: one is playing already.
        """
        policy = await self._open(policy_name, temperature)
        driver = self._take(episode_id, policy.name)

        async def drive() -> None:
            async with self._holding(episode_id, driver):
                try:
                    await self._engine.run(episode_id, _Watched(policy, episode_id, self._live))
                except PhysixError as error:
                    # A person or another process moved the episode on: the log says what happened.
                    _LOGGER.info("Stopped playing %s: %s", episode_id, error)

        self._tasks.start_soon(drive, name=f"drive {episode_id}")

    async def play_turn(self, episode_id: str, policy_name: str, temperature: float | None = None) -> Episode:
        """Let a policy play one turn and return the episode; as it stands if it is paused meanwhile.

        Raises:
            UnknownPolicyError: no such policy.
            ConflictError: one is playing already.
        """
        policy = await self._open(policy_name, temperature)
        driver = self._take(episode_id, policy.name)
        async with self._holding(episode_id, driver):
            return await self._engine.play_turn(episode_id, _Watched(policy, episode_id, self._live))
        return await self._engine.load(episode_id)

    async def stop(self, episode_id: str) -> None:
        """Stop the policy of this episode, if one plays, and wait until it has let go.

        A turn being written is finished or absent; a model's server is told to stop.
        """
        driver = self._drivers.get(episode_id)
        if driver is not None:
            driver.scope.cancel()
            await driver.gone.wait()

    async def resume_all(self) -> int:
        """Play on every unfinished interactive episode of a policy; return how many."""
        resumed = 0
        cursor: str | None = None
        while True:
            page = await self._log.list_episodes(EpisodeFilter(status="running"), cursor=cursor, limit=200)
            for row in page.items:
                if row.door == "interactive" and row.policy != PERSON and not self.drives(row.episode_id):
                    try:
                        await self.start(row.episode_id, row.policy)
                        resumed += 1
                    except PhysixError as error:
                        _LOGGER.warning("Cannot resume %s: %s", row.episode_id, error)
            cursor = page.next_cursor
            if cursor is None:
                return resumed

    async def _open(self, policy_name: str, temperature: float | None) -> Policy:
        settings = self._settings
        if temperature is not None:
            settings = settings.model_copy(update={"temperature": temperature})
        return await open_policy(policy_name, self._log, settings)

    def _take(self, episode_id: str, policy: str) -> _Driver:
        if self.drives(episode_id):
            raise ConflictError(f"A policy is already playing episode {episode_id}; pause it first.")
        driver = self._drivers[episode_id] = _Driver()
        self._live.begin(episode_id, policy)
        return driver

    @asynccontextmanager
    async def _holding(self, episode_id: str, driver: _Driver) -> AsyncIterator[None]:
        """Run under the driver's scope; whatever ends it, the episode is let go."""
        try:
            with driver.scope:
                yield
        finally:
            del self._drivers[episode_id]
            self._live.end(episode_id)
            driver.gone.set()


class _Watched:
    """A policy whose prompt and text the followers see."""

    def __init__(self, policy: Policy, episode_id: str, live: Live) -> None:
        self.name = policy.name
        self._policy = policy
        self._episode_id = episode_id
        self._live = live

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        prompt = self._policy.prompt(observation) if isinstance(self._policy, ChatPolicy) else None
        self._live.ask(self._episode_id, observation.turn, prompt)

        def write(text: str) -> None:
            self._live.write(self._episode_id, text)
            on_token(text)

        try:
            return await self._policy.propose(observation, write)
        finally:
            self._live.rest(self._episode_id)
