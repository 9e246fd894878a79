"""The server: where log, engine, drivers and routes are wired together."""

from __future__ import annotations

import argparse
import gc
import ipaddress
import logging
import secrets
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import SecretStr
from uvicorn.config import STARTUP_FAILURE
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from physix.api import arriving as arrival
from physix.api import page, problems
from physix.api.access import EPISODE_TOKEN
from physix.api.arriving import OpenEnv
from physix.api.http import (
    board,
    comparisons,
    datasets,
    demos,
    found,
    laws,
    manual,
    models,
    operator,
    probes,
    reference,
    running,
    runs,
    tables,
    told,
    truth,
)
from physix.api.http.routes import router
from physix.api.http.services import Services
from physix.api.judges import open_judges, usual_number
from physix.api.live.boards import Boards
from physix.api.live.broadcast import Live
from physix.api.live.drivers import Drivers
from physix.api.live.relay import Relay
from physix.api.metrics import Measured, MeasuredLog, Metrics
from physix.api.middleware import Guard
from physix.api.openenv.wire import WireGuard
from physix.api.origin import Neighbours
from physix.api.quota import Quota
from physix.api.seats import Seats
from physix.api.workers import follow_supervisor, run_workers, server_name
from physix.engine import EpisodeEngine
from physix.errors import BadInputError, PhysixError, StorageError
from physix.settings import Settings
from physix.store import open_log
from physix.store.sql.log import SqlLog
from physix.store.sql.switchboard import Switchboard, open_switchboard
from physix.training.board.files import shipped_boards
from physix.training.runs import shipped_runs
from physix.version import __version__

_GRACE_S = 5


class _App(FastAPI):
    """The application, whose document says of every route, OpenEnv's too, that it answers with problems."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            problems.declare(super().openapi())  # in place: FastAPI keeps what it made
        return super().openapi()


def create_app(settings: Settings, *, openenv: bool = True, arriving: bool = False) -> FastAPI:
    """Return the application.

    Args:
        settings: where the log is, and the limits.
        openenv: whether to serve OpenEnv's routes, whose import costs seconds.
        arriving: begin to serve without them, and mount them when their import is there.
    """
    settings = with_operator(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_log(settings.db) as log,
            _switchboard(settings) as switchboard,
            open_judges(settings.judges or 0) as judges,
            anyio.create_task_group() as tasks,
        ):
            engine = EpisodeEngine(MeasuredLog(log, metrics), judges)
            live = Live()
            drivers = Drivers(log, engine, tasks, live, settings, switchboard=switchboard)
            app.state.services = Services(log, engine, drivers, live, settings)
            app.state.fetch_tasks = tasks
            app.state.boards = Boards(log, tasks, settings, (Path(settings.boards), shipped_boards()))
            if quota is not None:
                quota.share(switchboard)
            seats.share(switchboard)
            tasks.start_soon(metrics.sample, log, engine, drivers)
            if isinstance(log, SqlLog):
                tasks.start_soon(log.keep_indexed)
            if switchboard is not None:
                tasks.start_soon(Relay(switchboard, drivers, live).run)
            if arriving and openenv:
                tasks.start_soon(mounted.arrive)
            if settings.resume_runs:
                await drivers.resume_all()
            try:
                yield
            finally:
                app.state.services = None
                drivers.close()
                tasks.cancel_scope.cancel()

    app = _App(
        title="PhysiX-Live",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's page loads scripts of a CDN, which the page's policy forbids
        redoc_url=None,
        responses=problems.DECLARED,
    )
    app.state.settings = settings
    app.state.services = None
    app.state.quota = quota = _quota(settings)
    seats = Seats(
        most=settings.max_sessions, of_a_client=settings.public_sockets if settings.public else None
    )
    app.state.metrics = metrics = Metrics()
    problems.install(app)
    app.include_router(told.router)  # before the addresses that begin with any episode's id
    app.include_router(router)
    app.include_router(comparisons.router)
    app.include_router(tables.router)
    app.include_router(demos.router)
    app.include_router(datasets.router)
    app.include_router(runs.router)
    app.include_router(running.router)
    app.include_router(truth.router)
    app.include_router(laws.router)
    app.include_router(manual.router)
    app.include_router(board.router)
    app.include_router(found.router)
    app.include_router(operator.router)
    app.include_router(probes.router)
    app.include_router(models.router)
    app.state.fetching = models.Fetching()
    app.state.runs = (Path(settings.runs), shipped_runs())
    app.include_router(arrival.router)

    def register(routes: FastAPI) -> None:
        from physix.api.openenv.environment import register as add

        def engine_of() -> EpisodeEngine:
            services: Services = app.state.services
            return services.engine

        add(
            routes,
            engine_of,
            max_sessions=settings.max_sessions,
            salt=settings.eval_salt,
            hold_truth=settings.holds_truth,
        )

    app.state.openenv = mounted = OpenEnv(app, register if openenv else None)
    if openenv and not arriving:
        mounted.mount()
    app.include_router(reference.router)
    app.include_router(page.router)
    app.add_middleware(
        WireGuard,
        max_bytes=settings.max_body_bytes,
        idle_s=settings.idle_s,
        quota=quota,
        seats=seats,
    )
    app.add_middleware(
        Guard,
        max_body_bytes=settings.max_body_bytes,
        token=None if settings.token is None else settings.token.get_secret_value(),
        operator_token=operator.token_of(settings),
        neighbours=neighbours(settings),
        body_s=settings.body_s,
        frame_ancestors=settings.frame_ancestors,
        larger=dict.fromkeys(tables.TABLE_PATHS, settings.max_csv_body_bytes),
    )
    if settings.proxies:
        # Here, so that any server that runs this app does it: `serve` tells uvicorn to leave it alone.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.proxies))
    # Outermost: a preflight carries no token, and a refusal must be readable to the page that caused it.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", EPISODE_TOKEN],
    )
    app.add_middleware(Measured, metrics=metrics)
    return app


@asynccontextmanager
async def _switchboard(settings: Settings) -> AsyncIterator[Switchboard | None]:
    """Open the switchboard where others may share the log: more workers here, more servers on PostgreSQL."""
    if settings.workers == 1 and not settings.db.startswith(("postgresql://", "postgres://")):
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            opened = open_switchboard(settings.db, uuid.uuid4().hex, server_name())
            switchboard: Switchboard | None = await stack.enter_async_context(opened)
        except StorageError as error:
            if settings.workers > 1:
                raise
            # The database's role may write the log and make no schema: one server needs none.
            logging.getLogger("physix").warning("This server answers for itself alone. %s", error)
            switchboard = None
        yield switchboard


def _quota(settings: Settings) -> Quota | None:
    if not settings.public:
        return None
    return Quota(sessions=settings.public_sessions_per_minute, turns=settings.public_turns_per_minute)


def neighbours(settings: Settings) -> Neighbours:
    """Return by which names the server may be asked, and by whose pages."""
    hosts = {settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
    if settings.public and not settings.allowed_hosts:
        hosts.add("*")  # it holds nothing back from anyone who can reach it
    return Neighbours(hosts=frozenset(hosts), origins=frozenset(settings.cors_origins))


def serve(settings: Settings) -> None:
    """Run the server until it is told to stop.

    Raises:
        BadInputError: the address is not loopback, and neither a token nor --public was given.
    """
    if not _is_loopback(settings.host) and not settings.public and settings.token is None:
        raise BadInputError(
            f"Host {settings.host} can be reached from other machines. Set PHYSIX_TOKEN, or pass --public "
            "to serve everyone."
        )
    settings = with_operator(settings)
    if settings.judges is None:
        settings = settings.model_copy(update={"judges": usual_number(settings.workers)})
    address = f"http://{settings.host}:{settings.port}"
    told = (
        f"PhysiX-Live {__version__} on {address}\n"
        f"As its operator: {address}/operator?token={operator.token_of(settings)}\n"
    )
    if settings.workers > 1:
        sys.stderr.write(told)
        run_workers(settings, _config(settings, "physix.api.app:worker"))
        return
    app = create_app(settings, arriving=True)
    _settle()
    sys.stderr.write(told)
    uvicorn.Server(_config(settings, app)).run()


def worker() -> FastAPI:
    """Return the application of one of several processes; its settings are in the environment."""
    follow_supervisor()
    try:
        # All of it before it serves: in a restart the process that it replaces answers meanwhile.
        app = create_app(Settings())
    except Exception as error:
        # Tells the supervisor that the next one would fail alike: it stops instead of trying for ever.
        logging.getLogger("physix").exception("This process cannot serve: %s", error)
        sys.exit(STARTUP_FAILURE)
    _settle()
    return app


def _settle() -> None:
    # What the imports made stays. Walking all of it again and again shows in the slowest turns, and
    # a busy server makes many small tuples and few cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _config(settings: Settings, app: FastAPI | str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=_GRACE_S,
        log_level="warning",
        # uvicorn believes whoever is on this machine; `create_app` believes the proxies that are named.
        proxy_headers=False,
        # Frames above max_body_bytes are answered, not fatal; only far above it the socket closes.
        ws_max_size=16 * settings.max_body_bytes,
    )


def with_operator(settings: Settings) -> Settings:
    """Return settings that name an operator's token: the one that is set, or a new one."""
    if settings.operator_token is not None:
        return settings
    return settings.model_copy(update={"operator_token": SecretStr(secrets.token_urlsafe(24))})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as `physix serve` does: settings from the environment, flags win."""
    parser = argparse.ArgumentParser(prog="python -m physix.api.app", description=main.__doc__)
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int)
    parser.add_argument("--db", help="the event log")
    parser.add_argument("--public", action="store_true", default=None, help="serve other machines too")
    parser.add_argument("--workers", type=int, help="processes that share the log")
    try:
        serve(Settings.with_flags(**vars(parser.parse_args(arguments))))
    except PhysixError as error:
        sys.stderr.write(f"physix: {error}\n")
        sys.exit(2)


def __getattr__(name: str) -> FastAPI:
    """Return `app` for `uvicorn physix.api.app:app`: made when asked for, as importing makes nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return create_app(Settings())


if __name__ == "__main__":
    main()
