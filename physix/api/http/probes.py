"""What watches a server asks: does it live, is it ready, how is it doing."""

from __future__ import annotations

from typing import Literal

import anyio
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from physix.api.access import Caller
from physix.api.arriving import OpenEnv
from physix.api.http.services import Services
from physix.api.metrics import Metrics
from physix.api.problems import problem
from physix.errors import StorageError

_PATIENCE_S = 2.0

router = APIRouter()


class LiveView(BaseModel):
    """A process that answers."""

    status: Literal["alive"] = "alive"


class ReadyView(BaseModel):
    """A process that can play."""

    status: Literal["ready"] = "ready"


@router.get("/livez")
async def livez() -> LiveView:
    """Say that the process answers; it asks nobody else. Whoever gets no answer restarts the process."""
    return LiveView()


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Say whether it can play: 200, or 503 and why. Whoever gets 503 sends clients elsewhere."""
    services: Services | None = request.app.state.services
    if services is None:
        return _away("The server starts or stops.")
    openenv: OpenEnv = request.app.state.openenv
    if openenv.stage in ("arriving", "failed"):
        return _away(f"OpenEnv's routes: {openenv.stage}.")
    try:
        with anyio.fail_after(_PATIENCE_S):
            await services.log.read_all(limit=1)
    except TimeoutError:
        return _away(f"The log did not answer within {_PATIENCE_S:g} s.")
    except StorageError as error:
        return _away(str(error))
    return Response(ReadyView().model_dump_json(), media_type="application/json")


def _away(reason: str) -> Response:
    answer = problem(503, reason)
    answer.headers["Retry-After"] = "1"
    return answer


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, caller: Caller) -> Response:
    """Return counters and latencies of all processes of this server, for Prometheus; the operator's alone."""
    if not caller.operator:
        return problem(
            403,
            "Only the operator reads the metrics: send Authorization: Bearer <PHYSIX_OPERATOR_TOKEN>.",
        )
    found: Metrics = request.app.state.metrics
    return Response(found.exposition(), media_type=CONTENT_TYPE_LATEST)
