"""`GET /api/datasets/sft`: turns worth imitating, streamed as one JSON object a line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from physix.api.access import Caller
from physix.api.http.services import Wired
from physix.api.quota import costs
from physix.errors import ForbiddenError
from physix.training.data.mining import mine, row_json, rules_from
from physix.training.data.renderers import renderer_named

router = APIRouter()


@router.get(
    "/api/datasets/sft",
    response_class=StreamingResponse,
    dependencies=[costs("sessions")],
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "One row a line."}},
)
async def sft(
    services: Wired,
    caller: Caller,
    render: Annotated[str, Query(max_length=16)] = "chat",
    where: Annotated[
        list[str] | None,
        Query(max_length=16, description="Rules as name=value, e.g. min_generalisation=0.95"),
    ] = None,
) -> StreamingResponse:
    """Stream the dataset that `physix dataset sft` writes, mined by the same rules."""
    if services.settings.holds_truth and not caller.operator:
        raise ForbiddenError(
            "",
            "Rows hold laws that this server holds back: only its operator may mine them.",
        )
    pairs = dict(pair.partition("=")[::2] for pair in where or [])
    # Checked before the first byte: later there is no status left to change.
    rules = rules_from({"render": render, **pairs})
    renderer_named(rules.render)

    async def lines() -> AsyncIterator[str]:
        async for row in mine(services.log, rules):
            yield row_json(row) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")
