"""What the routes stand on, and the arguments that many of them take."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Header, Query, Request

from physix.api.live.broadcast import Live
from physix.api.live.drivers import Drivers
from physix.engine import EpisodeEngine
from physix.limits import MAX_COMMAND_ID, MAX_POSITION
from physix.settings import Settings
from physix.store import Log


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes stand on, wired by the app."""

    log: Log
    engine: EpisodeEngine
    drivers: Drivers
    live: Live
    settings: Settings
    # Files of strangers are read on threads of their own: they cannot take those that read the log.
    reading: CapacityLimiter = field(
        default_factory=lambda: CapacityLimiter(max(1, (os.cpu_count() or 1) // 2))
    )


def services(request: Request) -> Services:
    """Return the running app's services."""
    found: Services = request.app.state.services
    return found


Wired = Annotated[Services, Depends(services)]
CommandId = Annotated[str | None, Header(alias="Idempotency-Key", max_length=MAX_COMMAND_ID)]
After = Annotated[int | None, Query(ge=0, le=MAX_POSITION)]
LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
