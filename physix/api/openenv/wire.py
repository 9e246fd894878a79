"""What stands before OpenEnv's own routes: strict JSON, frames that cannot kill a session, quotas.

OpenEnv answers some inputs with a bare 500, or drops the WebSocket session: NaN, 1e999, lone
surrogates, deep nesting, frames that are no objects, binary frames. They are answered here instead.
"""

from __future__ import annotations

import logging
import math
from typing import Any, Literal

import anyio
import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from physix.api.problems import problem
from physix.api.quota import Quota
from physix.api.seats import Seats
from physix.store.sql.switchboard import Kind

MAX_DEPTH = 32
_TASK_ROUTES = ("/tasks", "/task", "/num_tasks", "/task_range")
_FRAME_TYPES = ("reset", "step", "state", "close")
# OpenEnv's WSErrorCode, whose import costs seconds; a test holds them to it.
Code = Literal["INVALID_JSON", "UNKNOWN_TYPE", "VALIDATION_ERROR", "CAPACITY_REACHED", "SESSION_ERROR"]

_COSTS: dict[str, Kind] = {"/reset": "sessions", "/step": "turns"}


class WireFaultError(ValueError):
    """Bytes that are no JSON this server reads; the message says why, the code is OpenEnv's."""

    def __init__(self, message: str, code: Code = "VALIDATION_ERROR") -> None:
        super().__init__(message)
        self.code = code


def strict_json(raw: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        WireFaultError: not JSON, a number that is not finite, an unpaired surrogate, or nested too deep.
    """
    try:
        value = orjson.loads(raw)
    except ValueError as error:
        said = f"not valid JSON ({ascii(str(error))[1:-1][:120]})"
        raise WireFaultError(said, "INVALID_JSON") from error
    if _too_deep(value, MAX_DEPTH):
        raise WireFaultError(f"JSON nested deeper than {MAX_DEPTH} levels")
    return value


def _too_deep(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_too_deep(child, levels - 1) for child in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_too_deep(child, levels - 1) for child in value)
    return False


class WireGuard:
    """Pure ASGI; stands inside `Guard`, which bounds bodies and asks for the token."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, idle_s: float, quota: Quota | None, seats: Seats
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._idle_s = idle_s
        self._quota = quota
        self._seats = seats
        logging.getLogger("uvicorn.error").addFilter(tell_in_a_line)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what OpenEnv would fail on; pass the rest on."""
        if scope["type"] == "http" and scope["method"] == "POST":
            await self._post(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/mcp":
            # Each connection would hold a session slot, and the environment offers no MCP tools.
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "websocket":
            quiet = _quiet(send)
            async with self._seats.taken(_client(scope)) as refusal:
                if refusal is None:
                    await self._app(scope, self._checked_frames(scope, receive, quiet), quiet)
                else:
                    await _turn_away(quiet, refusal)
        else:
            await self._app(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        reason = await self._over_quota(scope, _COSTS.get(path))
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
            if isinstance(value.get("seed"), bool):
                # OpenEnv would read it as 0 or 1; its own document says integer.
                await problem(422, "seed must be a whole number, not true or false.")(scope, receive, send)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, send)

    async def _over_quota(self, scope: Scope, kind: Kind | None) -> str | None:
        if self._quota is None or kind is None:
            return None
        return await self._quota.charge(_client(scope), **{kind: 1})

    def _checked_frames(self, scope: Scope, receive: Receive, send: Send) -> Receive:
        opened = False

        async def checked() -> Message:
            nonlocal opened
            while True:
                # This waits only while the session awaits its client: a step that takes long is not idle, nor
                # is a server that takes long to look at what opens a socket.
                with anyio.move_on_after(self._idle_s if opened else math.inf) as waiting:
                    message = await receive()
                opened = True
                if waiting.cancelled_caught:
                    await send(
                        _error("SESSION_ERROR", f"Closed after {self._idle_s:.0f} s without a message.")
                    )
                    return {"type": "websocket.disconnect", "code": 1000}
                if message["type"] != "websocket.receive":
                    return message
                try:
                    return {"type": "websocket.receive", "text": await self._checked(scope, message)}
                except WireFaultError as error:
                    await send(_error(error.code, f"The message is refused: {error}."))

        return checked

    async def _checked(self, scope: Scope, message: Message) -> str:
        text = message.get("text")
        if text is None:
            raise WireFaultError("send text frames; this one is binary")
        if len(text) > self._max_bytes:
            raise WireFaultError(f"it is longer than {self._max_bytes} characters")
        frame = strict_json(text)
        if not isinstance(frame, dict):
            raise WireFaultError("it must be a JSON object")
        if frame.get("type") not in _FRAME_TYPES:
            known = ", ".join(_FRAME_TYPES)
            raise WireFaultError(f"its type must be one of {known}", "UNKNOWN_TYPE")
        if not isinstance(frame.get("data", {}), dict):
            raise WireFaultError("its data must be an object")
        reason = await self._over_quota(scope, _COSTS.get(f"/{frame['type']}"))
        if reason is not None:
            raise WireFaultError(reason.rstrip("."), "CAPACITY_REACHED")
        return orjson.dumps(frame).decode()


async def _turn_away(send: Send, reason: str) -> None:
    # As OpenEnv does where it has no session left: a frame that says why, before the socket closes.
    await send({"type": "websocket.accept"})
    await send(_error("CAPACITY_REACHED", reason))
    await send({"type": "websocket.close", "code": 1013})


def tell_in_a_line(record: logging.LogRecord) -> bool:
    """Keep bytes that a client sent from being logged as a fault of the server's; a filter of logs."""
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        # uvicorn logs a text frame that is no UTF-8 with a traceback; its client is told by close code 1007.
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _quiet(send: Send) -> Send:
    """Return a `send` that drops what nobody is there to read: a client may leave at any moment.

    OpenEnv answers a failed send with another one, and the server's log gets a traceback of both.
    """
    gone = False

    async def sent(message: Message) -> None:
        nonlocal gone
        if gone:
            return
        try:
            await send(message)
        except (OSError, RuntimeError, WebSocketDisconnect):
            gone = True
        gone = gone or message["type"] == "websocket.close"

    return sent


def _error(code: Code, message: str) -> Message:
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
