"""What lists of episodes show beside each row: the best law in a line, and what it took to write."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from physix.api.access import Caller
from physix.api.http.services import Wired
from physix.engine import Episode
from physix.errors import EpisodeNotFoundError
from physix.limits import MAX_EPISODE_ID

router = APIRouter()
_MOST = 50


class ToldView(BaseModel):
    """The law that matched best in an episode, with the tokens and seconds of all turns."""

    episode_id: str
    law: str | None = Field(description="in the grammar; null before a turn has parsed")
    tokens: int | None = Field(description="written by the model; null where none was asked")
    seconds: float | None = Field(description="that the policy took to answer")


@router.get("/api/episodes/told")
async def told_of(
    wired: Wired,
    caller: Caller,
    episode: Annotated[list[Annotated[str, Field(max_length=MAX_EPISODE_ID)]], Query(max_length=_MOST)],
) -> list[ToldView]:
    """Tell the law, tokens and seconds of some episodes; those not there, or held back, are left out."""
    found = []
    for episode_id in dict.fromkeys(episode):
        try:
            one = await wired.engine.load(episode_id)
        except EpisodeNotFoundError:
            continue
        if caller.may_read(one.started):
            found.append(_told(one))
    return found


def _told(episode: Episode) -> ToldView:
    laws = [
        (turn.rewarded.reward.match, turn.number, turn.submitted.parse.canonical)
        for turn in episode.turns
        if turn.submitted.parse.canonical is not None
    ]
    provenance = [turn.submitted.provenance for turn in episode.turns]
    written = [one.completion_tokens for one in provenance if one.completion_tokens is not None]
    took = [one.latency_s for one in provenance if one.latency_s is not None]
    return ToldView(
        episode_id=episode.episode_id,
        law=max(laws)[2] if laws else None,
        tokens=sum(written) if written else None,
        seconds=sum(took) if took else None,
    )
