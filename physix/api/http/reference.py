"""`/docs`: every route and schema as plain HTML, written from the OpenAPI document; no script, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "html{color-scheme:light dark}"
    "code,pre{font:13px ui-monospace,monospace}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #8884}"
    "details{margin:.4rem 0;border:1px solid #8884;border-radius:4px;padding:.3rem .6rem}"
    "summary{cursor:pointer}"
)
_SCHEMAS = "#/components/schemas/"

router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def reference(request: Request) -> HTMLResponse:
    """List every route with what it takes and answers."""
    return HTMLResponse("".join(_page(request.app.openapi())))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}: HTTP</title>"
    yield f"<style>{_STYLE}</style>"
    yield f"<h1>{title}: HTTP</h1><p>The same for programs: <a href=/openapi.json>openapi.json</a>.</p>"
    yield "<p>WebSockets: <code>/ws</code>, OpenEnv's session.</p><h2>Routes</h2>"
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            yield from _route(method.upper(), path, call)
    yield "<h2>Schemas</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield from _schema(name, schema)


def _route(method: str, path: str, call: Mapping[str, Any]) -> Iterator[str]:
    # FastAPI takes a docstring whole; its first line says what the route does.
    told = escape(call.get("description") or call.get("summary", "")).partition("\n\n")[0]
    yield f"<details><summary><code><b>{method}</b> {escape(path)}</code> {told}</summary><table>"
    for one in call.get("parameters", ()):
        name = f"{escape(one['name'])}</code> in {escape(one['in'])}"
        yield from _row(name, one.get("schema", {}), one, required=one.get("required", False))
    for kind, media in call.get("requestBody", {}).get("content", {}).items():
        yield f"<tr><td>body<td>{_type(media.get('schema', {}))}<td>{escape(kind)}"
    for status, answer in call.get("responses", {}).items():
        kinds = answer.get("content", {})
        shown = ", ".join(f"{_type(media.get('schema', {}))} {escape(kind)}" for kind, media in kinds.items())
        yield f"<tr><td>{escape(status)}<td>{shown}<td>{escape(answer.get('description', ''))}"
    yield "</table></details>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> '
    yield f"{escape(schema.get('description', ''))}</summary><table>"
    required = schema.get("required", ())
    for field, kind in schema.get("properties", {}).items():
        yield from _row(f"{escape(field)}</code>", kind, kind, required=field in required)
    yield "</table></details>"


def _row(
    name: str, schema: Mapping[str, Any], described: Mapping[str, Any], *, required: bool
) -> Iterator[str]:
    yield f"<tr><td><code>{name}{', required' if required else ''}<td>{_type(schema)}"
    yield f"<td>{escape(described.get('description', ''))}"


def _type(schema: Mapping[str, Any]) -> str:
    """Return a type in a few words, with links to the schemas that it names."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).removeprefix(_SCHEMAS))
        return f'<a href="#{name}">{name}</a>'
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return " or ".join(_type(one) for one in schema[many])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return escape(", ".join(json.dumps(value) for value in values))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return escape(str(schema.get("type", "")))
