"""The built web page: files as they are, every other address its index."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

STATIC = Path(__file__).parent / "static"
_NOT_BUILT = (
    "<!doctype html><title>PhysiX-Live</title><h1>The page is not built</h1>"
    "<p>Run <code>make demo</code>, which builds it. The API is running.</p>"
)

router = APIRouter(include_in_schema=False)


@router.get("/{path:path}")
async def page(path: str) -> Response:
    """Return a file of the page, or its index for the addresses that the page itself knows."""
    if path.startswith(("api/", "interactive/")):
        raise HTTPException(404, f"There is no /{path[:80]} here; /docs lists what there is.")
    index = STATIC / "index.html"
    if not index.is_file():
        return HTMLResponse(_NOT_BUILT)
    wanted = (STATIC / path).resolve() if "\0" not in path else index
    if path and wanted.is_relative_to(STATIC) and wanted.is_file():
        # Names under assets/ carry a hash of their content.
        age = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        return FileResponse(wanted, headers={"Cache-Control": age})
    if "." in path.rpartition("/")[2]:
        raise HTTPException(404, f"The page has no file {path[:80]!r}.")
    return FileResponse(index, headers={"Cache-Control": "no-cache"})
