"""A server that speaks Ollama's wire protocol: newline-delimited JSON chunks, its errors, its silences.

Written from the protocol's documentation, not from our client: /api/chat, /api/tags, /api/ps and
/api/version. The model's name says how it behaves; all but those that think refuse to be told to.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODELS = ("good", "slow", "dies", "stops", "error", "thinks", "ponders", "loads", "rambles", "recovers")
THINKERS = ("thinks", "ponders")
WHEN = "2026-01-01T00:00:00.000000Z"
REPLY = '{"equation": "d2x/dt2 = -k*x", "params": {"k": 4.0}, "rationale": "a spring"}'


@dataclass
class Ollama:
    """The running server, and what it saw."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    writing: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)


def line(model: str, content: str, **more: Any) -> bytes:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    body = {"model": model, "created_at": WHEN, "message": message, "done": False, **more}
    return json.dumps(body).encode() + b"\n"


def last(model: str, reason: str = "stop") -> bytes:
    counts = {"total_duration": 1, "load_duration": 1, "prompt_eval_count": 321, "eval_count": 27}
    return line(model, "", done=True, done_reason=reason, **counts)


@contextmanager
def ollama_server(models: tuple[str, ...] = MODELS) -> Iterator[Ollama]:
    state = Ollama()

    async def reply(model: str) -> AsyncIterator[bytes]:
        try:
            if model == "thinks":
                yield line(model, "", message={"thinking": "A spring, perhaps."})
            if model == "ponders":
                yield line(model, "", message={"thinking": f"Perhaps {REPLY}, or"})
                yield last(model, "length")
                return
            if model == "loads":
                yield last(model, "load")
                return
            text = "I would rather talk about the weather." if model == "rambles" else REPLY
            if model == "recovers" and len(state.requests) == 1:
                text = "Hm."
            for i in range(0, len(text), 7):
                yield line(model, text[i : i + 7])
                state.writing.set()
                if model == "slow":
                    await asyncio.Event().wait()
                if model == "dies" and i > 20:
                    raise ConnectionResetError("the daemon was killed")
                if model == "error" and i > 20:
                    yield json.dumps({"error": "llama runner process has terminated"}).encode() + b"\n"
                    return
                if model == "stops" and i > 20:
                    return
            yield last(model)
        finally:
            state.hung_up.set()

    async def chat(request: Request) -> Response:
        body = await request.json()
        state.requests.append(body)
        model = body["model"]
        if model not in models:
            return JSONResponse({"error": f'model "{model}" not found, try pulling it first'}, 404)
        if body.get("think") and model not in THINKERS:
            return JSONResponse({"error": f'"{model}" does not support thinking'}, 400)
        return StreamingResponse(reply(model), media_type="application/x-ndjson")

    async def tags(request: Request) -> Response:
        listed = [
            {
                "name": m,
                "model": m,
                "modified_at": WHEN,
                "size": 1,
                "digest": "d",
                "details": {"format": "gguf"},
            }
            for m in models
        ]
        return JSONResponse({"models": listed})

    async def ps(request: Request) -> Response:
        return JSONResponse({"models": []})

    async def version(request: Request) -> Response:
        return JSONResponse({"version": "0.12.0"})

    app = Starlette(
        routes=[
            Route("/api/chat", chat, methods=["POST"]),
            Route("/api/tags", tags),
            Route("/api/ps", ps),
            Route("/api/version", version),
        ]
    )
    with serving(app) as url:
        state.url = url
        yield state


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an app on a free port in a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive(), "the server ended"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(120)
