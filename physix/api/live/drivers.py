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
from physix.errors import ConflictError, PhysixError, StorageError
from physix.limits import PERSON
from physix.policies import open_policy
from physix.policies.chat.policy import ChatPolicy
from physix.settings import Settings
from physix.store import EpisodeFilter, Log
from physix.store.sql.switchboard import Switchboard

_LOGGER = logging.getLogger("physix")


_LET_GO_S = 60.0  # for another process to let an episode go: a turn that is judged is finished first
_LOOK_S = 0.05


@dataclass(slots=True)
class _Driver:
    to_end: bool
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    gone: anyio.Event = field(default_factory=anyio.Event)


class Drivers:
    """Starts and stops play. What was played is in the log; nothing here is state of an episode.

    Where several processes share the log, one of them plays an episode, and all of them answer for it
    through the switchboard. A process that stops hands over what it plays to the others.
    """

    def __init__(
        self,
        log: Log,
        engine: EpisodeEngine,
        tasks: TaskGroup,
        live: Live,
        settings: Settings,
        *,
        switchboard: Switchboard | None = None,
    ) -> None:
        self._log = log
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._settings = settings
        self._switchboard = switchboard
        self._drivers: dict[str, _Driver] = {}
        self._closing = False

    def drives(self, episode_id: str) -> bool:
        """Tell whether a policy is playing this episode in this process."""
        return episode_id in self._drivers

    @property
    def count(self) -> int:
        """How many episodes are played in this process."""
        return len(self._drivers)

    async def driven(self) -> tuple[str, ...]:
        """Return the episodes that policies are playing now, in whichever process; this one's first."""
        here = tuple(self._drivers)
        if self._switchboard is None:
            return here
        drives = await self._switchboard.drives()
        elsewhere = [one.episode_id for one in drives if one.alive and not one.stopping]
        return (*here, *(episode_id for episode_id in elsewhere if episode_id not in self._drivers))

    def close(self) -> None:
        """From now on whoever is stopped is to be played on elsewhere."""
        self._closing = True

    async def start(self, episode_id: str, policy_name: str, temperature: float | None = None) -> None:
        """Let a policy play the episode to its end in the background.

        `temperature` is for chat models, None for the server's; every turn records what held.

        Raises:
            UnknownPolicyError: no such policy.
            ConflictError: one is playing already.
        """
        policy = await self._open(policy_name, temperature)
        driver = await self._take(episode_id, policy_name, temperature, to_end=True)

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
        driver = await self._take(episode_id, policy_name, temperature, to_end=False)
        async with self._holding(episode_id, driver):
            return await self._engine.play_turn(episode_id, _Watched(policy, episode_id, self._live))
        return await self._engine.load(episode_id)

    async def stop(self, episode_id: str) -> None:
        """Stop the policy of this episode, if one plays, and wait until it has let go.

        A turn being written is finished or absent; a model's server is told to stop.

        Raises:
            ConflictError: another process plays it and did not let go within a minute.
        """
        driver = self._drivers.get(episode_id)
        if driver is not None:
            driver.scope.cancel()
            await driver.gone.wait()
        elif self._switchboard is not None and episode_id in await self.driven():
            await self._stop_elsewhere(self._switchboard, episode_id)

    def cancel(self, episode_id: str) -> None:
        """Tell the policy that plays this episode in this process, if any, to let go; do not wait for it."""
        driver = self._drivers.get(episode_id)
        if driver is not None:
            driver.scope.cancel()

    async def _stop_elsewhere(self, switchboard: Switchboard, episode_id: str) -> None:
        with anyio.move_on_after(_LET_GO_S):
            while any(drive.episode_id == episode_id for drive in await switchboard.drives()):
                await switchboard.ask_to_stop(episode_id)
                await anyio.sleep(_LOOK_S)
            return
        raise ConflictError(
            f"Another process of this server plays episode {episode_id} and did not let go within "
            f"{_LET_GO_S:.0f} s; ask again."
        )

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

    async def _take(
        self, episode_id: str, policy: str, temperature: float | None, *, to_end: bool
    ) -> _Driver:
        taken = ConflictError(f"A policy is already playing episode {episode_id}; pause it first.")
        if self.drives(episode_id):
            raise taken
        # Ours before we ask: two requests to this process must not both be told that nobody plays it.
        driver = self._drivers[episode_id] = _Driver(to_end)
        try:
            if self._switchboard is not None and not await self._switchboard.claim(
                episode_id, policy, temperature=temperature, to_end=to_end
            ):
                raise taken
        except BaseException:
            del self._drivers[episode_id]
            driver.gone.set()
            raise
        self._live.begin(episode_id, policy)
        return driver

    @asynccontextmanager
    async def _holding(self, episode_id: str, driver: _Driver) -> AsyncIterator[None]:
        """Run under the driver's scope; whatever ends it, the episode is let go."""
        try:
            with driver.scope:
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go(episode_id, driver)
            del self._drivers[episode_id]
            self._live.end(episode_id)
            driver.gone.set()

    async def _let_go(self, episode_id: str, driver: _Driver) -> None:
        if self._switchboard is None:
            return
        try:
            if self._closing and driver.to_end and not driver.scope.cancel_called:
                await self._switchboard.hand_over(episode_id)
            else:
                await self._switchboard.release(episode_id)
        except StorageError as error:
            # The others find out when its signs of life have stopped.
            _LOGGER.warning("Cannot let %s go: %s", episode_id, error)


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
