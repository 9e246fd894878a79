"""What stands before OpenEnv's own routes: strict JSON, frames that cannot kill a session, quotas.

OpenEnv answers some inputs with a bare 500, or drops the WebSocket session: NaN, 1e999, lone
surrogates, deep nesting, frames that are no objects, binary frames. They are answered here instead.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import anyio
import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from physix.api.problems import problem

MAX_DEPTH = 32
_WINDOW_S = 60.0
_MAX_CLIENTS = 10_000
_TASK_ROUTES = ("/tasks", "/task", "/num_tasks", "/task_range")
_FRAME_TYPES = ("reset", "step", "state", "close")
_COMPARISONS = "/api/comparisons"
_SESSION_ROUTES = ("/reset", "/interactive/sessions", _COMPARISONS)
_FORK = "/fork"
_TURN_ROUTES = ("/step", "/llm-step", "/run")

Kind = Literal["sessions", "turns"]


class WireFaultError(ValueError):
    """Bytes that are no JSON this server reads; the message says why."""


def strict_json(raw: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        WireFaultError: not JSON, a number that is not finite, an unpaired surrogate, or nested too deep.
    """
    try:
        value = orjson.loads(raw)
    except ValueError as error:
        raise WireFaultError(f"not valid JSON ({ascii(str(error))[1:-1][:120]})") from error
    if _too_deep(value, MAX_DEPTH):
        raise WireFaultError(f"JSON nested deeper than {MAX_DEPTH} levels")
    return value


def _too_deep(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_too_deep(child, levels - 1) for child in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_too_deep(child, levels - 1) for child in value)
    return False


class Quota:
    """Counts sessions and turns per client and minute; the oldest clients are forgotten first."""

    def __init__(self, *, sessions: int, turns: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits: dict[Kind, int] = {"sessions": sessions, "turns": turns}
        self._clock = clock
        self._used: OrderedDict[tuple[str, Kind], tuple[float, int]] = OrderedDict()

    def refuse(self, client: str, kind: Kind, number: int = 1) -> str | None:
        """Count what is asked for; return why it is too many, None if it is not."""
        now = self._clock()
        since, used = self._used.get((client, kind), (now, 0))
        if now - since >= _WINDOW_S:
            since, used = now, 0
        if used + number > self._limits[kind]:
            return (
                f"This public server allows {self._limits[kind]} {kind} per client and minute; "
                f"try again in {_WINDOW_S - (now - since):.0f} s."
            )
        self._used[client, kind] = (since, used + number)
        self._used.move_to_end((client, kind))
        while len(self._used) > _MAX_CLIENTS:
            self._used.popitem(last=False)
        return None


class WireGuard:
    """Pure ASGI; stands inside `Guard`, which bounds bodies and asks for the token."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, idle_s: float, quota: Quota | None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._idle_s = idle_s
        self._quota = quota

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what OpenEnv would fail on; pass the rest on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            await self._post(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/mcp":
            # Each connection would hold a session slot, and the environment offers no MCP tools.
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "websocket":
            await self._app(scope, self._checked_frames(scope, receive, send), send)
        else:
            await self._app(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        sessions = 1
        if self._quota is not None and path == _COMPARISONS:
            body = await _read(receive)
            sessions = _members(body)
            receive = _replayed(body, receive)
        reason = self._over_quota(scope, _kind_of(path), sessions)
        if reason is not None:
            await problem(429, reason)(scope, receive, send)
            return
        if path in ("/reset", "/step") or path.endswith(_TASK_ROUTES):
            body = await _read(receive)
            try:
                value = strict_json(body) if body.strip() else {}
            except WireFaultError as error:
                await problem(422, f"The body is {error}.")(scope, receive, send)
                return
            if not isinstance(value, dict):
                await problem(422, "The body must be a JSON object.")(scope, receive, send)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, send)

    def _over_quota(self, scope: Scope, kind: Kind | None, number: int = 1) -> str | None:
        if self._quota is None or kind is None:
            return None
        client = scope.get("client")
        return self._quota.refuse(client[0] if client else "", kind, number)

    def _checked_frames(self, scope: Scope, receive: Receive, send: Send) -> Receive:
        async def checked() -> Message:
            while True:
                # This waits only while the session awaits its client: a step that takes long is not idle.
                with anyio.move_on_after(self._idle_s) as waiting:
                    message = await receive()
                if waiting.cancelled_caught:
                    await send(
                        _error("SESSION_ERROR", f"Closed after {self._idle_s:.0f} s without a message.")
                    )
                    return {"type": "websocket.disconnect", "code": 1000}
                if message["type"] != "websocket.receive":
                    return message
                try:
                    return {"type": "websocket.receive", "text": self._checked(scope, message)}
                except WireFaultError as error:
                    await send(_error("VALIDATION_ERROR", f"The message is refused: {error}."))

        return checked

    def _checked(self, scope: Scope, message: Message) -> str:
        text = message.get("text")
        if text is None:
            raise WireFaultError("send text frames; this one is binary")
        if len(text) > self._max_bytes:
            raise WireFaultError(f"it is longer than {self._max_bytes} characters")
        frame = strict_json(text)
        if not isinstance(frame, dict) or frame.get("type") not in _FRAME_TYPES:
            raise WireFaultError(f"it must be an object whose type is one of {', '.join(_FRAME_TYPES)}")
        if not isinstance(frame.get("data", {}), dict):
            raise WireFaultError("its data must be an object")
        kinds: dict[str, Kind] = {"reset": "sessions", "step": "turns"}
        reason = self._over_quota(scope, kinds.get(frame["type"]))
        if reason is not None:
            raise WireFaultError(reason.rstrip("."))
        return orjson.dumps(frame).decode()


def _kind_of(path: str) -> Kind | None:
    if path in _SESSION_ROUTES or path.endswith(_FORK):
        return "sessions"
    return "turns" if path.endswith(_TURN_ROUTES) else None


def _members(body: bytes) -> int:
    """Return how many episodes a comparison starts; 1 where the body is wrong, which its route says."""
    try:
        policies = strict_json(body).get("policies")
    except (WireFaultError, AttributeError):
        return 1
    return max(1, len(policies)) if isinstance(policies, list) else 1


def _error(code: str, message: str) -> Message:
    frame = {"type": "error", "data": {"message": message, "code": code}}
    return {"type": "websocket.send", "text": orjson.dumps(frame).decode()}


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
