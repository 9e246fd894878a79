"""Recorded events as the public may see them, alone or in a stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from physix.api.access import Access, Told
from physix.api.http.views import Standing, StartedPayload
from physix.engine import RecordedEvent
from physix.engine.events import (
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    HypothesisSubmitted,
    PolicyFailed,
    RewardComputed,
    SimulationRun,
)
from physix.engine.outcome import Outcome, take


class _Envelope(BaseModel):
    episode_id: str
    version: int
    position: int
    recorded_at: datetime


class StartedEvent(_Envelope):
    """An episode began."""

    type: Literal["EpisodeStarted"] = "EpisodeStarted"
    payload: StartedPayload


class SubmittedEvent(_Envelope):
    """A hypothesis was submitted."""

    type: Literal["HypothesisSubmitted"] = "HypothesisSubmitted"
    payload: HypothesisSubmitted


class SimulatedEvent(_Envelope):
    """It was simulated."""

    type: Literal["SimulationRun"] = "SimulationRun"
    payload: SimulationRun


class _Moving(_Envelope):
    standing: Standing | None = Field(
        default=None, description="what the episode has come to with this event; a server always says it"
    )


class RewardedEvent(_Moving):
    """Its reward was computed: the turn is complete."""

    type: Literal["RewardComputed"] = "RewardComputed"
    payload: RewardComputed


class FailedEvent(_Moving):
    """The policy did not answer."""

    type: Literal["PolicyFailed"] = "PolicyFailed"
    payload: PolicyFailed


class LabelledEvent(_Envelope):
    """Somebody tagged the episode, or wrote a note on it."""

    type: Literal["EpisodeLabelled"] = "EpisodeLabelled"
    payload: EpisodeLabelled


class FinishedEvent(_Moving):
    """The episode ended."""

    type: Literal["EpisodeFinished"] = "EpisodeFinished"
    payload: EpisodeFinished


PublicEvent = Annotated[
    StartedEvent
    | SubmittedEvent
    | SimulatedEvent
    | RewardedEvent
    | FailedEvent
    | LabelledEvent
    | FinishedEvent,
    Field(discriminator="type"),
]
PUBLIC_EVENT: TypeAdapter[PublicEvent] = TypeAdapter(PublicEvent)


def public_events(
    events: Sequence[RecordedEvent], access: Access, after_version: int = 0
) -> list[PublicEvent]:
    """Return recorded events as the caller may see them.

    Args:
        events: of one or more episodes, each from its beginning.
        access: who asks.
        after_version: those up to this version are only counted.

    Raises:
        ForbiddenError: the turns of an episode are held back from this caller.
    """
    ended = {one.episode_id for one in events if isinstance(one.event, EpisodeFinished)}
    standings: defaultdict[str, Outcome] = defaultdict(Outcome)
    told: dict[str, Told] = {}
    shown = []
    for recorded in events:
        episode_id, event = recorded.episode_id, recorded.event
        if isinstance(event, EpisodeStarted):
            access.require_read(event, episode_id)
            told[episode_id] = access.told(event, ended=episode_id in ended)
        outcome = standings[episode_id] = take(standings[episode_id], event)
        if recorded.version > after_version:
            shown.append(public_event(recorded, outcome, told[episode_id]))
    return shown


def public_event(recorded: RecordedEvent, outcome: Outcome, told: Told) -> PublicEvent:
    """Return a recorded event as far as it may be told, with what the episode has come to by it."""
    event = recorded.event
    standing = None
    match event:
        case RewardComputed() | PolicyFailed() | EpisodeFinished():
            standing = Standing.of(outcome, told)
        case _:
            pass
    match event:
        case EpisodeStarted():
            payload: object = StartedPayload.of_started(event, told)
        case RewardComputed():
            # An agent may read this stream while it plays: correctness is told by the episode, once it ended.
            generalisation = event.generalisation if told.generalisation else None
            payload = replace(event, correctness=None, generalisation=generalisation)
        case EpisodeLabelled() if not told.labels:
            payload = replace(event, labels={})
        case _:
            payload = event
    return PUBLIC_EVENT.validate_python(
        {
            "type": event.type,
            "episode_id": recorded.episode_id,
            "version": recorded.version,
            "position": recorded.position,
            "recorded_at": recorded.recorded_at,
            "payload": payload,
            **({"standing": standing} if standing else {}),
        }
    )
