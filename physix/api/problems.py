"""Every error as an RFC 9457 problem document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from physix.errors import (
    BadInputError,
    BoardNotFoundError,
    ConflictError,
    DiscoveryNotFoundError,
    EpisodeFinishedError,
    EpisodeNotFoundError,
    ForbiddenError,
    InfrastructureError,
    PhysixError,
    PromptNotFoundError,
    QuotaError,
    RunNotFoundError,
    StorageError,
)

_STATUS: tuple[tuple[type[PhysixError], int], ...] = (
    (ForbiddenError, 403),
    (EpisodeNotFoundError, 404),
    (PromptNotFoundError, 404),
    (DiscoveryNotFoundError, 404),
    (RunNotFoundError, 404),
    (BoardNotFoundError, 404),
    (EpisodeFinishedError, 409),
    (ConflictError, 409),
    (BadInputError, 422),
    (QuotaError, 429),
    (StorageError, 503),
    (InfrastructureError, 503),
    (PhysixError, 500),
)


class ProblemView(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="what was wrong and what would be right")
    errors: list[dict[str, str]] | None = None


def _declared(meaning: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
    return {"description": meaning, "content": content}


# What any route may answer instead of what it promises.
DECLARED: dict[int | str, dict[str, Any]] = {
    400: _declared("Not a request that this server understands, or not a name that it goes by."),
    401: _declared("The server's token is missing."),
    403: _declared("It belongs to another client, or its truth is held back."),
    404: _declared("There is no such thing here."),
    408: _declared("The body did not arrive in time."),
    409: _declared("Somebody was first, or it has ended."),
    413: _declared("The body is too large."),
    422: _declared("A value is wrong; the detail says which, and what would be right."),
    429: _declared("More than a public server allows one client in a minute."),
    503: _declared("The log, or what judges turns, cannot be used at the moment."),
}


def declare(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document in which every refusal of every route is a problem document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["ProblemView"] = ProblemView.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for call in path.values():
            call["responses"] |= {
                str(status): told
                for status, told in DECLARED.items()
                if str(status) in call["responses"] or status in (400, 401, 403, 404, 408, 413, 422, 429)
            }
    return document


def problem(status: int, detail: str, **extra: Any) -> JSONResponse:
    """Return a problem document; `detail` says what was wrong and what would be right."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse({**body, **extra}, status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Translate every exception that leaves a route."""

    @app.exception_handler(PhysixError)
    async def _ours(_request: Request, error: PhysixError) -> JSONResponse:
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        return problem(status, str(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = _brief(error.errors())
        return problem(422, _in_words(errors), errors=errors)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        # OpenEnv answers a wrong index of a task in two words; what raised it says what would be right.
        detail: object = str(error.__cause__) if isinstance(error.__cause__, PhysixError) else error.detail
        if isinstance(detail, list):
            # OpenEnv hands pydantic's own list on, with a link to pydantic's site in every line.
            errors = _brief(detail)
            return problem(error.status_code, _in_words(errors), errors=errors)
        answer = problem(error.status_code, ascii(str(detail))[1:-1][:2_000])
        answer.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            told = _methods(app, request.url.path)
            answer.headers["Allow"] = ", ".join(told) or answer.headers.get("Allow", "")
        return answer

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem(500, "The server failed on this request; its log has the traceback.")


def _methods(app: FastAPI, path: str) -> list[str]:
    """Return every method of an address, as the document has them: a router names those of its first route.

    Of several templates the one with the fewest names in braces is meant: /api/board/estimate is no board.
    On the event loop, as FastAPI makes the document: one made in a thread while OpenEnv's routes are put
    there would be kept without them.
    """
    templates: dict[str, dict[str, object]] = app.openapi()["paths"]
    for template in sorted(templates, key=lambda template: template.count("{")):
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            return [method.upper() for method in templates[template]]
    return []


def _in_words(errors: Sequence[Mapping[str, str]]) -> str:
    told = "; ".join(f"{item['where']}: {item['message']}" for item in errors[:3])
    return f"The request is not valid. {told}"


def _brief(errors: Sequence[Any]) -> list[dict[str, str]]:
    # The input is left out: it may be huge, NaN, or half a surrogate pair.
    return [
        {
            "where": ascii(".".join(str(part)[:40] for part in item["loc"]))[1:-1],
            "message": ascii(item["msg"])[1:-1][:200],
        }
        for item in errors[:20]
    ]
