"""Who asks: a player, or the operator of the server."""

from __future__ import annotations

import hmac
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from physix.api.access import Caller
from physix.api.middleware import OPERATOR_COOKIE
from physix.api.problems import problem
from physix.limits import MAX_TOKEN
from physix.settings import Settings

router = APIRouter()


class RoleView(BaseModel):
    """Who the server takes the caller for."""

    role: Literal["player", "operator"]


def token_of(settings: Settings) -> str:
    """Return the operator's token, which `with_operator` has seen to.

    Raises:
        ValueError: the settings name none.
    """
    if settings.operator_token is None:
        raise ValueError("These settings name no operator's token.")
    return settings.operator_token.get_secret_value()


@router.get("/api/role")
async def role(caller: Caller) -> RoleView:
    """Say who the server takes the caller for."""
    return RoleView(role="operator" if caller.operator else "player")


@router.get("/operator", response_class=Response, include_in_schema=False)
async def become_operator(
    request: Request, token: Annotated[str, Query(min_length=1, max_length=MAX_TOKEN)]
) -> Response:
    """Keep the operator's token in this browser, out of reach of scripts and other sites; go to the page."""
    settings: Settings = request.app.state.settings
    if not hmac.compare_digest(token.encode(), token_of(settings).encode()):
        return problem(403, "This is not the operator's token; the server printed the link when it started.")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        OPERATOR_COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer
