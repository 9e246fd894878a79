"""Routes that treat laws as algebra. Each runs a process of its own, bounded in time and memory."""

from __future__ import annotations

import anyio
from anyio import to_thread
from fastapi import APIRouter
from pydantic import Field

from physix.api.http.bodies import Body
from physix.api.quota import costs
from physix.engine.verifier.symbolic import Compared, Simplified, same_law, simplify
from physix.limits import MAX_EQUATION_CHARACTERS

router = APIRouter()
# Each costs a core for up to ten seconds; whoever comes third waits.
_PROCESSES = anyio.CapacityLimiter(2)


class LawBody(Body):
    """A law in the grammar; its names are symbols, no params are needed."""

    law: str = Field(max_length=MAX_EQUATION_CHARACTERS)


class LawsBody(Body):
    """Two laws in the grammar."""

    first: str = Field(max_length=MAX_EQUATION_CHARACTERS)
    second: str = Field(max_length=MAX_EQUATION_CHARACTERS)


@router.post("/api/laws/simplify", dependencies=[costs("turns")])
async def simplify_law(body: LawBody) -> Simplified:
    """Write a law with fewer operators, where algebra finds a way."""
    return await to_thread.run_sync(simplify, body.law, limiter=_PROCESSES)


@router.post("/api/laws/same", dependencies=[costs("turns")])
async def compare_laws(body: LawsBody) -> Compared:
    """Tell whether two laws are the same function of the same names."""
    return await to_thread.run_sync(same_law, body.first, body.second, limiter=_PROCESSES)
