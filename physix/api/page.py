"""The built web page: files as they are, its index for the addresses that the page itself knows."""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Match

STATIC = Path(__file__).parent / "static"
# The routes of web/src/app/router.tsx and workbench.tsx; a test compares them.
ADDRESSES = (
    "/",
    "/run",
    "/run/$episodeId",
    "/episodes/$episodeId",
    "/demos/$demoId",
    "/manual",
    "/manual/$episodeId",
    "/episodes",
    "/compare",
    "/compare/$comparisonId",
    "/file",
    "/training",
    "/data",
    "/bench/$episodeId",
    "/episodes/$episodeId/transcript",
    "/board",
    "/board/$boardId",
    "/many",
)
_KNOWN = re.compile("|".join(re.sub(r"\$\w+", "[^/]+", address.rstrip("/")) + "/?" for address in ADDRESSES))
_TEXTS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_NOT_BUILT = (
    "<!doctype html><title>PhysiX-Live</title><h1>The page is not built</h1>"
    "<p>Run <code>make demo</code>, which builds it. The API is running.</p>"
)

router = APIRouter(include_in_schema=False)


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def page(request: Request, path: str) -> Response:
    """Return a file of the page, or its index for the addresses that the page itself knows."""
    wanted = (STATIC / path).resolve() if "\0" not in path else STATIC
    if path and wanted.is_relative_to(STATIC) and wanted.is_file():
        # Names under assets/ carry a hash of their content.
        age = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return await _file(request, wanted, age)
    index = STATIC / "index.html"
    if not _KNOWN.fullmatch(f"/{path}"):
        error = _no_such_address(request, path)
        # A person who mistyped gets the page, which says so; whoever asks as a program gets the problem.
        if error.status_code == 404 and index.is_file() and _is_browser(request):
            return FileResponse(index, 404, headers={"Cache-Control": "no-cache"})
        raise error
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT)
    return await _file(request, index, "no-cache")


async def _file(request: Request, file: Path, age: str) -> Response:
    """Return a file, packed where it is text and the caller can unpack it: a third of the bytes."""
    headers = {"Cache-Control": age, "Vary": "Accept-Encoding"}
    if file.suffix not in _TEXTS or not _takes_gzip(request):
        return FileResponse(file, headers=headers)
    content = await to_thread.run_sync(_packed, file)
    headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=_TEXTS[file.suffix], headers=headers)


def _packed(file: Path) -> bytes:
    return _packed_as_of(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _packed_as_of(file: Path, _changed: int) -> bytes:
    return gzip.compress(file.read_bytes(), compresslevel=9, mtime=0)


def _takes_gzip(request: Request) -> bool:
    taken = request.headers.get("accept-encoding", "").replace(" ", "").lower().split(",")
    refused = re.compile(r";q=0(\.0*)?$")
    return any(one.partition(";")[0] in ("gzip", "*") and not refused.search(one) for one in taken)


def _is_browser(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("text/html")


def _no_such_address(request: Request, path: str) -> HTTPException:
    """Return 405 where another method is answered, as a router without the page would; else 404."""
    routes: list[BaseRoute] = request.app.router.routes
    if any(route.matches(request.scope)[0] is Match.PARTIAL for route in routes):
        allowed = [m for m in ("POST", "PUT", "PATCH", "DELETE") if _answers(routes, request, m)]
        told = f"/{path[:80]} takes {' and '.join(allowed) or 'another method'}, not {request.method}."
        return HTTPException(405, told, headers={"Allow": ", ".join(allowed)})
    return HTTPException(404, f"There is no /{path[:80]} here; /docs lists what there is.")


def _answers(routes: list[BaseRoute], request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in routes)
