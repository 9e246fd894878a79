"""Which hosts and origins a server answers: a page of another site must not reach it through a visitor.

A browser sends the name that it was given as `Host`. Under DNS rebinding that name belongs to a stranger and
its address is ours, so a name with a dot that nobody told us is refused. Addresses, names without a dot
and loopback names cannot be rebound. `Origin` says whose page asks: it must be our own, or be allowed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

_PORTS = {"http": 80, "https": 443}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The names of this server, and the origins of pages that may call it."""

    hosts: Collection[str]  # `*` for all
    origins: Collection[str]  # `*` for all

    def refuse_host(self, scope: Scope) -> str | None:
        """Return why the host that was asked for is refused, None if it is not."""
        given = Headers(scope=scope).get("host", "")
        name = _name(given)
        if not given or (name is not None and self._known(name)):
            return None
        return (
            f"This server is not called {ascii(given)[1:-1][:80]!r}. If it is, say so: "
            "PHYSIX_ALLOWED_HOSTS=name, separated by commas."
        )

    def refuse_origin(self, scope: Scope) -> str | None:
        """Return why the page that asks may not act here, None if it may, or if no page asks."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        reads = scope["type"] == "http" and scope["method"] in _READING
        if origin is None or reads or "*" in self.origins or origin.rstrip("/") in self.origins:
            return None
        if _is_own(origin, headers.get("host", "")):
            return None
        asked = _origin_of(origin)
        if asked is not None and asked[0] in self.hosts and asked[1] in _PORTS.values():
            return None  # behind a proxy that asks by another name than the page's
        return (
            f"Pages of {ascii(origin)[1:-1][:80]} may not act here. If they are yours, say so: "
            "PHYSIX_CORS_ORIGINS=origin, separated by commas."
        )

    def _known(self, name: str) -> bool:
        return (
            "*" in self.hosts
            or name in self.hosts
            or "." not in name.rstrip(".")
            or name.endswith(".localhost")
            or _is_address(name)
        )


def _name(host: str) -> str | None:
    """Return the name or address in a `Host`, in lower case and without brackets; None if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == host and "@" not in host else None


def _origin_of(origin: str) -> tuple[str, int | None] | None:
    """Return host and port of an origin; None for `null` and for what is none."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if parts.hostname is None else (parts.hostname, port)


def _is_own(origin: str, host: str) -> bool:
    """Tell whether a page comes from the host that it asks.

    The scheme is left out, as a proxy may have ended TLS: a `Host` without port goes with either default.
    """
    asked, name = _origin_of(origin), _name(host)
    if asked is None or name is None or asked[0] != name:
        return False
    port = urlsplit(f"//{host}").port
    return asked[1] in _PORTS.values() if port is None else asked[1] == port


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
