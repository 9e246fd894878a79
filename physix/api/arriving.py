"""OpenEnv's routes on a server that does not wait for them: their import takes seconds, the page needs none.

Until they are there, HTTP is answered 503 with Retry-After; a socket waits, as its clients know no header.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Literal

import anyio
from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

from physix.api.problems import problem

_RETRY_AFTER_S = 1
# What `physix.api.openenv.environment.register` adds; a test compares them.
PATHS = (
    "/list_environments",
    "/{env_name}/splits",
    "/{env_name}/tasks",
    "/{env_name}/num_tasks",
    "/{env_name}/task",
    "/{env_name}/task_range",
    "/mcp",
    "/reset",
    "/step",
    "/state",
    "/metadata",
    "/schema",
    "/ws",
)

Stage = Literal["absent", "arriving", "ready", "failed"]


class HealthView(BaseModel):
    """How a process is; `openenv` says whether its OpenEnv routes are there."""

    status: Literal["healthy", "unhealthy"]
    openenv: Stage


router = APIRouter()


@router.get("/health", response_model=HealthView)
async def health(request: Request) -> Response:
    """Say that the process answers, and whether OpenEnv's routes are there: `arriving` for some seconds."""
    stage: Stage = request.app.state.openenv.stage
    view = HealthView(status="unhealthy" if stage == "failed" else "healthy", openenv=stage)
    status = 503 if stage == "failed" else 200
    return Response(view.model_dump_json(), status_code=status, media_type="application/json")


class OpenEnv(BaseRoute):
    """Stands where OpenEnv's routes will be, and puts them there.

    Args:
        app: the application.
        register: adds the routes to an application; its import may take seconds.
    """

    def __init__(self, app: FastAPI, register: Callable[[FastAPI], None] | None) -> None:
        self._app, self._register = app, register
        self._known = [compile_path(path)[0] for path in PATHS]
        self._over = anyio.Event()
        self.stage: Stage = "absent"
        if register is not None:
            self.stage = "arriving"
            app.router.routes.append(self)

    def mount(self) -> None:
        """Put the routes there now."""
        self._put(self._made())

    async def arrive(self) -> None:
        """Put the routes there as soon as they have been made; a failure is told to whoever asks."""
        try:
            self._put(await to_thread.run_sync(self._made, abandon_on_cancel=True))
        except Exception as error:
            logging.getLogger("physix").exception("OpenEnv cannot be served: %s", error)
            self.stage = "failed"
        self._over.set()
        gc.freeze()  # what the import made stays, see `physix.api.app`

    def _made(self) -> list[BaseRoute]:
        if self._register is None:
            return []
        bare = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self._register(bare)
        # `/health` is ours.
        return [route for route in bare.router.routes if getattr(route, "path", None) != "/health"]

    def _put(self, made: list[BaseRoute]) -> None:
        routes = self._app.router.routes
        at = routes.index(self)
        routes[at : at + 1] = made
        self._app.openapi_schema = None  # one that was made meanwhile lacks them
        self.stage = "ready"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette: whatever the method, these paths are OpenEnv's."""
        path = scope.get("path", "")
        mine = scope["type"] in ("http", "websocket") and any(known.match(path) for known in self._known)
        return (Match.FULL, {}) if mine else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in OpenEnv's place."""
        if scope["type"] == "websocket":
            await self._over.wait()
            if self.stage == "ready":
                await self._app.router(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1011})
            return
        told = "OpenEnv's routes are not there yet" if self.stage == "arriving" else "OpenEnv failed to load"
        answer = problem(503, f"{told}; /health says when they are.")
        answer.headers["Retry-After"] = str(_RETRY_AFTER_S)
        await answer(scope, receive, send)
