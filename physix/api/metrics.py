"""What an operator watches: counters and latencies of this server, all its processes together.

`physix serve --workers` sets PROMETHEUS_MULTIPROC_DIR, and the processes then count in files of that folder,
so that whichever of them is asked answers for all. Servers on other machines are asked one by one.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import anyio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from physix.api.live.drivers import Drivers
from physix.engine import EpisodeEngine, Event, RecordedEvent
from physix.engine.ports import EventLog
from physix.errors import PhysixError, StorageError
from physix.store import Log, lag_of

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SAMPLE_S = 2.0
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one process; `exposition` adds up those of all that count in one folder."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.steps = Counter("physix_steps", "Turns judged and recorded", registry=own)
        self.requests = Histogram(
            "physix_request_seconds",
            "Requests that were answered, streams left out",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=own,
        )
        self.appends = Histogram(
            "physix_append_seconds", "From a decision to its commit", buckets=_SECONDS, registry=own
        )
        self.refused = Counter("physix_append_failures", "Appends that failed", ("error",), registry=own)
        self.appending = _gauge("physix_appends_waiting", "Appends that wait for their commit", own)
        self.streams = _gauge("physix_sse_clients", "Open streams of server-sent events", own)
        self.sockets = _gauge("physix_openenv_sessions", "Open OpenEnv sessions (WebSockets)", own)
        self.drives = _gauge("physix_drives", "Episodes that policies play in the background", own)
        self.queue = _gauge("physix_verifications_waiting", "Turns that wait for a core", own)
        self.lag = Gauge(
            "physix_log_lag_events",
            "Events committed that followers were not told of yet, in the process that is furthest behind",
            multiprocess_mode="livemax",
            registry=own,
        )

    def exposition(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self.registry)
        for file in Path(folder).glob("gauge_live*_*.db"):
            pid = int(file.stem.rpartition("_")[2])
            if not _runs(pid):
                mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]  # its library left it so
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]  # its library left it so
        return generate_latest(together)

    async def sample(self, log: Log, engine: EpisodeEngine, drivers: Drivers) -> None:
        """Look at what only can be looked at, every two seconds, until cancelled."""
        while True:
            self.drives.set(drivers.count)
            self.queue.set(engine.waiting)
            with suppress(StorageError):  # readiness says so; the last figure stands
                self.lag.set(await lag_of(log))
            await anyio.sleep(_SAMPLE_S)


def _gauge(name: str, told: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, told, multiprocess_mode="livesum", registry=registry)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class MeasuredLog:
    """The log as an engine sees it, with its appends counted and timed."""

    def __init__(self, log: EventLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics

    async def append(
        self,
        episode_id: str,
        events: Sequence[Event],
        *,
        expected_version: int,
        command_id: str | None = None,
        command_digest: str = "",
        recorded_at: datetime | None = None,
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.append`."""
        began = time.perf_counter()
        self._metrics.appending.inc()
        try:
            recorded = await self._log.append(
                episode_id,
                events,
                expected_version=expected_version,
                command_id=command_id,
                command_digest=command_digest,
                recorded_at=recorded_at,
            )
        except PhysixError as error:
            self._metrics.refused.labels(type(error).__name__).inc()
            raise
        finally:
            self._metrics.appending.dec()
        self._metrics.appends.observe(time.perf_counter() - began)
        if recorded[0].event is events[0]:
            self._metrics.steps.inc(sum(event.type == "RewardComputed" for event in events))
        return recorded

    async def read(self, episode_id: str, *, after_version: int = 0) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read`."""
        return await self._log.read(episode_id, after_version=after_version)

    async def read_all(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[RecordedEvent, ...]:
        """See `EventLog.read_all`."""
        return await self._log.read_all(after_position=after_position, episode_ids=episode_ids, limit=limit)

    def subscribe(
        self, *, after_position: int = 0, episode_ids: Sequence[str] | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """See `EventLog.subscribe`."""
        return self._log.subscribe(after_position=after_position, episode_ids=episode_ids)

    async def find_command(
        self, episode_id: str, command_id: str, command_digest: str
    ) -> tuple[RecordedEvent, ...] | None:
        """See `EventLog.find_command`."""
        return await self._log.find_command(episode_id, command_id, command_digest)


class Measured:
    """Pure ASGI: times requests by route, counts open streams and sockets."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what came of it."""
        if scope["type"] == "websocket":
            with self._metrics.sockets.track_inprogress():
                await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        status, streams = 500, False

        async def seen(message: Message) -> None:
            nonlocal status, streams
            if message["type"] == "http.response.start":
                status = message["status"]
                streams = (
                    Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
                )
                if streams:
                    self._metrics.streams.inc()
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            if streams:
                self._metrics.streams.dec()
            else:
                found = scope.get("route")
                # Only our own templates: what strangers ask for must not name a series each.
                route = "none" if found is None else str(found.path)
                spent = time.perf_counter() - began
                self._metrics.requests.labels(scope["method"], route, str(status)).observe(spent)
