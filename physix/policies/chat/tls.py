"""One TLS context for every client of a model server."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def tls_context() -> ssl.SSLContext:
    """Return httpx's default context, made once.

    Making one reads all certificates, 30 ms in which the event loop does nothing else; clients are
    made anew for every reply.
    """
    import httpx

    return httpx.create_ssl_context()
