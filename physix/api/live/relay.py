"""Between the processes of one log: what they play and write, who is to stop, what nobody plays any more.

Each process looks at the switchboard a few times a second. What another one writes is told to the
followers here; a stop that another one was asked for is carried out here; an episode whose process is gone
(killed, or stopped in a restart) is taken up by whoever sees it first, and goes on from the log.
"""

from __future__ import annotations

import logging
import time

import anyio
import orjson

from physix.api.live.broadcast import Live
from physix.api.live.drivers import Drivers
from physix.errors import ConflictError, PhysixError, StorageError
from physix.store.sql.switchboard import Drive, Switchboard

_LOOK_S = 0.1
_BEAT_S = 1.0
_WINDOW_S = 60.0
_LOGGER = logging.getLogger("physix")


class Relay:
    """Keeps one process in touch with the others."""

    def __init__(self, switchboard: Switchboard, drivers: Drivers, live: Live) -> None:
        self._switchboard = switchboard
        self._drivers = drivers
        self._live = live
        self._told: dict[str, int] = {}  # revisions of what is written here
        self._heard: dict[str, tuple[str, int]] = {}  # owner and revision of what is written elsewhere

    async def run(self) -> None:
        """Exchange until cancelled; a switchboard that is away is looked for again."""
        beat = forgot = -_WINDOW_S
        while True:
            try:
                now = time.monotonic()
                if now - beat >= _BEAT_S:
                    await self._switchboard.beat()
                    beat = now
                if now - forgot >= _WINDOW_S:
                    await self._switchboard.forget_spent(_WINDOW_S)
                    forgot = now
                await self.exchange()
            except StorageError as error:
                _LOGGER.warning("%s", error)
                await anyio.sleep(_BEAT_S)
            await anyio.sleep(_LOOK_S)

    async def exchange(self) -> None:
        """Tell what is new here, hear what is new elsewhere."""
        await self._tell()
        drives = await self._switchboard.drives()
        here = self._switchboard.owner
        await self._hear([drive for drive in drives if drive.owner != here and drive.alive])
        for drive in drives:
            if drive.owner == here and drive.stopping:
                self._drivers.cancel(drive.episode_id)
            elif not drive.alive and drive.to_end and not drive.stopping:
                await self._take_up(drive)

    async def _tell(self) -> None:
        written = self._live.written_here()
        for episode_id, (revision, data) in written.items():
            if self._told.get(episode_id) != revision:
                await self._switchboard.tell(episode_id, orjson.dumps(data).decode())
                self._told[episode_id] = revision
        for episode_id in self._told.keys() - written.keys():
            del self._told[episode_id]

    async def _hear(self, elsewhere: list[Drive]) -> None:
        standing = {drive.episode_id: (drive.owner, drive.revision) for drive in elsewhere}
        news = [episode_id for episode_id, is_at in standing.items() if self._heard.get(episode_id) != is_at]
        if news:
            policies = {drive.episode_id: drive.policy for drive in elsewhere}
            for episode_id, live in (await self._switchboard.written(news)).items():
                driving = {"episode_id": episode_id, "driving": True, "policy": policies[episode_id]}
                self._live.echo(episode_id, {"Driving": driving, **orjson.loads(live)})
        for episode_id in self._heard.keys() - standing.keys():
            self._live.hush(episode_id)
        self._heard = standing

    async def _take_up(self, drive: Drive) -> None:
        try:
            await self._drivers.start(drive.episode_id, drive.policy, drive.temperature)
        except ConflictError:
            return  # another process was first
        except StorageError:
            raise
        except PhysixError as error:
            _LOGGER.warning("Cannot play %s on: %s", drive.episode_id, error)
            await self._switchboard.ask_to_stop(drive.episode_id)
