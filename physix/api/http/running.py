"""What goes on right now: what this server drives, and what was left unfinished."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from physix.api.access import Access, Caller
from physix.api.http.services import Services, Wired
from physix.engine import Episode
from physix.errors import EpisodeNotFoundError
from physix.limits import PERSON
from physix.store import EpisodeFilter

_MOST = 50  # of the driven, and of those left; a menu is no list
_LOOKED_AT = 100  # unfinished episodes that are looked through for those left

router = APIRouter()


class RunningEpisode(BaseModel):
    """An episode that has not ended."""

    episode_id: str
    title: str
    policy: str
    turns: int
    max_turns: int
    driven: bool
    comparison_id: str | None
    started_at: datetime


class RunningView(BaseModel):
    """Episodes that policies play on this server, oldest first, and those that one left unfinished."""

    driven: list[RunningEpisode] = Field(description="at most 50")
    driven_total: int
    left: list[RunningEpisode] = Field(description="begun by a policy through the page and not being played")


@router.get("/api/running")
async def running(wired: Wired, caller: Caller) -> RunningView:
    """List what is being played here, and what waits to be gone on with."""
    ids = list(await wired.drivers.driven())
    page = await wired.log.list_episodes(EpisodeFilter(status="running"), limit=_LOOKED_AT)
    left = [
        row.episode_id
        for row in page.items
        if row.door == "interactive" and row.policy != PERSON and row.episode_id not in ids
    ]
    return RunningView(
        driven=await _views(wired, caller, ids, driven=True),
        driven_total=len(ids),
        left=await _views(wired, caller, left, driven=False),
    )


async def _views(wired: Services, caller: Access, ids: list[str], *, driven: bool) -> list[RunningEpisode]:
    found = []
    for episode_id in ids[:_MOST]:
        try:
            episode = await wired.engine.load(episode_id)
        except EpisodeNotFoundError:
            continue  # erased meanwhile
        if episode.finished is None and caller.may_read(episode.started):
            found.append(_view(episode, driven=driven))
    return found


def _view(episode: Episode, *, driven: bool) -> RunningEpisode:
    started = episode.started
    return RunningEpisode(
        episode_id=episode.episode_id,
        title=started.task.title,
        policy=started.policy,
        turns=len(episode.turns),
        max_turns=started.config.max_turns,
        driven=driven,
        comparison_id=started.comparison_id,
        started_at=episode.started_at,
    )
