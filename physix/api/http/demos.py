"""Routes for the demos that come with the package."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path
from pydantic import BaseModel

from physix.api.access import Access, Caller
from physix.api.http.comparisons import view_of
from physix.api.http.events import PublicEvent, public_events
from physix.api.http.views import ComparisonView, EpisodeView
from physix.engine.episode import fold
from physix.store.demo import Demo, find_demo, read_demo, shipped_demos

router = APIRouter()


class DemoView(BaseModel):
    """A recorded comparison in a list."""

    id: str
    title: str
    description: str
    honest_note: str
    policies: list[str]
    system_id: str
    seed: int | None
    recorded_with: str
    recorded_at: str
    bytes: int
    sha256: str


class DemoReplay(BaseModel):
    """A recorded comparison, whole."""

    demo: DemoView
    comparison: ComparisonView
    episodes: list[EpisodeView]
    events: list[PublicEvent]


@router.get("/api/demos")
async def demos() -> list[DemoView]:
    """List the demos."""
    return await to_thread.run_sync(lambda: [_view(read_demo(path)) for path in shipped_demos()])


@router.get("/api/demos/{demo_id}")
async def demo(caller: Caller, demo_id: Annotated[str, Path(max_length=64)]) -> DemoReplay:
    """Return a demo with all its events, in the order they happened."""
    return await to_thread.run_sync(_replay, demo_id, caller)


def _replay(demo_id: str, caller: Access) -> DemoReplay:
    read = read_demo(find_demo(demo_id))
    caller = replace(caller, published=True)
    events = sorted((one for member in read.members for one in member), key=lambda one: one.position)
    episodes = [episode for member in read.members if (episode := fold(member)) is not None]
    return DemoReplay(
        demo=_view(read),
        comparison=view_of(read.header.comparison_id, list(read.members), caller),
        episodes=[EpisodeView.of(episode, caller, driven=False) for episode in episodes],
        events=public_events(events, caller),
    )


def _view(read: Demo) -> DemoView:
    header = read.header
    return DemoView(
        id=header.id,
        title=header.title,
        description=header.description,
        honest_note=header.note,
        policies=list(header.policies),
        system_id=header.system_id,
        seed=header.seed,
        recorded_with=header.recorded_with,
        recorded_at=header.recorded_at,
        bytes=read.bytes,
        sha256=read.sha256,
    )
