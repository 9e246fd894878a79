"""Every error as an RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from physix.errors import (
    BadInputError,
    ConflictError,
    EpisodeFinishedError,
    EpisodeNotFoundError,
    ForbiddenError,
    PhysixError,
    PromptNotFoundError,
    RunNotFoundError,
    StorageError,
)

_STATUS: tuple[tuple[type[PhysixError], int], ...] = (
    (ForbiddenError, 403),
    (EpisodeNotFoundError, 404),
    (PromptNotFoundError, 404),
    (RunNotFoundError, 404),
    (EpisodeFinishedError, 409),
    (ConflictError, 409),
    (BadInputError, 422),
    (StorageError, 503),
    (PhysixError, 500),
)


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
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        detail: object = error.detail
        if isinstance(detail, list):
            # OpenEnv hands pydantic's own list on, with a link to pydantic's site in every line.
            errors = _brief(detail)
            return problem(error.status_code, _in_words(errors), errors=errors)
        return problem(error.status_code, ascii(str(detail))[1:-1][:2_000])

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem(500, "The server failed on this request; its log has the traceback.")


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
