"""Server-sent events: what happened, then what happens, resumable by the last id seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from physix.api.schemas import PUBLIC_EVENT, public_event
from physix.engine import EpisodeFinished, RecordedEvent
from physix.errors import BadInputError
from physix.store import Log

_PING_S = 15
_SEND_TIMEOUT_S = 30.0
_RETRY_MS = 1_000
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def resume_after(last_event_id: str | None, after: int | None) -> int:
    """Return where to resume: the header that a reconnecting browser sends wins over the parameter.

    Raises:
        BadInputError: the header is no id that these streams send.
    """
    if last_event_id is None or last_event_id == "":
        return after or 0
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19):
        raise BadInputError(f"Last-Event-ID {last_event_id[:40]!r} is not a number that this stream sent.")
    return int(last_event_id)


async def episode_stream(log: Log, episode_id: str, after: int) -> Response:
    """Stream one episode from a version on; it ends with the episode. 204: nothing is left to send."""
    past = await log.read(episode_id)
    finished = bool(past) and isinstance(past[-1].event, EpisodeFinished)
    if finished and after >= past[-1].version:
        return Response(status_code=204)

    async def frames() -> AsyncIterator[ServerSentEvent]:
        first_position = past[0].position - 1
        async for recorded in log.subscribe(after_position=first_position, episode_ids=[episode_id]):
            if recorded.version > after:
                yield _frame(recorded, recorded.version)
            if isinstance(recorded.event, EpisodeFinished):
                return

    return _stream(frames())


def log_stream(log: Log, after: int, episode_ids: list[str] | None) -> Response:
    """Stream the whole log, or some episodes of it, from a position on; it never ends by itself."""

    async def frames() -> AsyncIterator[ServerSentEvent]:
        async for recorded in log.subscribe(after_position=after, episode_ids=episode_ids):
            yield _frame(recorded, recorded.position)

    return _stream(frames())


def _frame(recorded: RecordedEvent, event_id: int) -> ServerSentEvent:
    data = PUBLIC_EVENT.dump_json(public_event(recorded)).decode()
    return ServerSentEvent(data, event=recorded.event.type, id=str(event_id), retry=_RETRY_MS)


def _stream(frames: AsyncIterator[ServerSentEvent]) -> Response:
    return EventSourceResponse(frames, ping=_PING_S, send_timeout=_SEND_TIMEOUT_S, headers=_HEADERS)
