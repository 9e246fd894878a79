"""What every request passes: a bound on its body, who asks, a token where one is set, safe headers."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from physix.api.origin import Neighbours
from physix.api.problems import problem

# KaTeX positions glyphs with inline styles; scripts come from files only.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors "
)
_EMBEDDED = ("/episodes/", "/compare/", "/demos/")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# What watches a server holds no token; whoever opens the operator's link brings the token in it.
_PROBES = frozenset({"/health", "/livez", "/readyz"})
_OPEN = _PROBES | {"/operator"}
OPERATOR_COOKIE = "physix_operator"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class _TooLargeError(Exception):
    """The body passed its bound while being read; whatever the app makes of it, the answer is ours."""


class _TooSlowError(Exception):
    """The body did not arrive in time; whoever waits for it waits for nothing."""


class Guard:
    """Pure ASGI, so that streams are neither buffered nor delayed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        token: str | None,
        operator_token: str,
        neighbours: Neighbours,
        body_s: float = 60.0,
        frame_ancestors: str = "'self'",
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._larger = dict(larger or {})  # bounds of the paths that take tables
        self._token = token
        self._operator_token = operator_token
        self._neighbours = neighbours
        self._body_s = body_s
        self._frame_ancestors = frame_ancestors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is too large or not allowed; pass the rest on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        allowed = self._admit(scope)
        stranger = self._neighbours.refuse_host(scope)
        foreign = self._neighbours.refuse_origin(scope)
        if scope["type"] == "websocket":
            if allowed and stranger is None and foreign is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        # A probe asks by whatever name its scheduler knows, and learns nothing but that the server lives.
        if stranger is not None and scope["path"] not in _PROBES:
            await problem(400, stranger)(scope, receive, send)
            return
        if foreign is not None:
            await problem(403, foreign)(scope, receive, send)
            return
        if scope["path"] not in _OPEN and not allowed:
            refusal = problem(
                401,
                "This server needs a token: send Authorization: Bearer <PHYSIX_TOKEN>. "
                "A browser asks for it as a password; the name does not matter.",
            )
            refusal.headers["WWW-Authenticate"] = 'Basic realm="PhysiX-Live", charset="UTF-8"'
            await refusal(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._larger.get(scope["path"], self._limit)
        refusal = problem(413, f"The body is larger than {limit} bytes.")
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            await refusal(scope, receive, send)
            return
        seen = 0
        started = whole = late = False
        deadline = anyio.current_time() + self._body_s

        async def counted() -> Message:
            nonlocal seen, whole, late
            if whole:
                return await receive()  # a stream waits here for its client to leave, as long as it likes
            with anyio.move_on_at(deadline) as waiting:
                message = await receive()
            if waiting.cancelled_caught:
                late = True
                raise _TooSlowError
            whole = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLargeError
            return message

        async def with_headers(message: Message) -> None:
            nonlocal started
            if (late or seen > limit) and not started:
                return  # whatever the route made of the error: ours is the answer
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", _POLICY + self._framed_by(scope))
                for name, value in _SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        with suppress(_TooLargeError, _TooSlowError):
            await self._app(scope, counted, with_headers)
        if late:
            refusal = problem(408, f"The body did not arrive within {self._body_s:g} s.")
        if (late or seen > limit) and not started:
            # Some of the body is still on its way: whoever reads the answer must not send a request after it.
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)

    def _framed_by(self, scope: Scope) -> str:
        """Return whose pages may frame this answer: an embedded replay is made for pages of others."""
        embedded = b"embed=1" in scope.get("query_string", b"").split(b"&")
        return "*" if embedded and scope["path"].startswith(_EMBEDDED) else self._frame_ancestors

    def _admit(self, scope: Scope) -> bool:
        """Note in the scope who asks (`operator`, `bearer`), and tell whether they may ask at all."""
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = _password(given) if _same_site(scope) else ""
        kept = _cookie(scope) if _same_site(scope) else ""
        operator = _equal(given, self._operator_token) or _equal(kept, self._operator_token)
        state = scope.setdefault("state", {})
        state["operator"] = operator
        state["bearer"] = given if scheme.lower() == "bearer" else None
        return operator or self._token is None or _equal(given, self._token)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _cookie(scope: Scope) -> str:
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(OPERATOR_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _same_site(scope: Scope) -> bool:
    """Tell whether what a browser remembers may be used: another site must not act with it."""
    if scope["type"] == "websocket":
        return False  # agents send a bearer token
    asked_by = Headers(scope=scope).get("sec-fetch-site", "none")
    return scope["method"] in _READING or asked_by in ("same-origin", "none")
