"""Server-sent events: what happened, then what happens, resumable by the last id seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from physix.api.access import Access, Told
from physix.api.http.events import PUBLIC_EVENT, public_event
from physix.api.live.broadcast import Live
from physix.engine import EpisodeFinished, EpisodeStarted, RecordedEvent
from physix.engine.comparison import start_of
from physix.engine.events import RewardComputed
from physix.engine.outcome import Outcome, outcome_of, take
from physix.errors import BadInputError
from physix.store import Log

_PING_S = 15
_SEND_TIMEOUT_S = 30.0
_FAREWELL_S = 1.0
_RETRY_MS = 1_000
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_FAREWELL = b'event: Farewell\r\ndata: {"reason":"shutdown"}\r\n\r\n'
_SHARED = 2_048
_AHEAD = 16  # frames between the log and a socket: the events of a turn leave in one piece


class _Frames:
    """Events as bytes of a stream, encoded once however many clients follow."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def body(self, recorded: RecordedEvent, outcome: Outcome, told: Told) -> bytes:
        # Together these tell events of different logs apart, should one process hold several.
        key = (recorded.episode_id, recorded.version, recorded.position, recorded.recorded_at, told)
        found = self._bodies.get(key)
        if found is None:
            data = PUBLIC_EVENT.dump_json(public_event(recorded, outcome, told))
            head = f"event: {recorded.event.type}\r\nretry: {_RETRY_MS}\r\ndata: ".encode()
            found = self._bodies[key] = head + data + b"\r\n\r\n"
            if len(self._bodies) > _SHARED:
                self._bodies.popitem(last=False)
        return found


_frames = _Frames()


@dataclass(frozen=True, slots=True)
class _Known:
    """What a stream remembers of an episode."""

    started: EpisodeStarted
    version: int
    outcome: Outcome


class _Reader:
    """What one client is sent: each event with its episode's standing, as far as both may be told.

    Args:
        log: read where a stream begins midway through an episode.
        access: who follows.
        live: is told which turns have been sent.
        ended: the episodes that had ended before the stream began.
    """

    def __init__(self, log: Log, access: Access, live: Live, ended: Collection[str] = ()) -> None:
        self._log = log
        self._access = access
        self._live = live
        self._ended = ended
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def frame(self, recorded: RecordedEvent, event_id: int) -> bytes | None:
        """Return the event as it is sent; None if its episode is held back from this client."""
        known = await self._take(recorded)
        if isinstance(recorded.event, RewardComputed):
            self._live.settled(recorded.episode_id, recorded.event.turn)
        if not self._access.may_read(known.started):
            return None
        told = self._access.told(known.started, ended=recorded.episode_id in self._ended)
        return b"id: %d\r\n%b" % (event_id, _frames.body(recorded, known.outcome, told))

    async def _take(self, recorded: RecordedEvent) -> _Known:
        """Fold one event in; the events of an episode come in order."""
        known = self._known.pop(recorded.episode_id, None)
        match recorded.event:
            case EpisodeStarted() as started:
                known = _Known(started, recorded.version, Outcome())
            case event if known is not None and recorded.version == known.version + 1:
                known = _Known(known.started, recorded.version, take(known.outcome, event))
            case _:
                events = await self._log.read(recorded.episode_id)
                known = _Known(start_of(events), recorded.version, outcome_of(events[: recorded.version]))
        if not isinstance(recorded.event, EpisodeFinished):
            self._known[recorded.episode_id] = known
            if len(self._known) > _SHARED:
                self._known.popitem(last=False)
        return known


class EventStream(EventSourceResponse):
    """A stream that says farewell when the server stops, and drops a client that stopped reading."""

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        *,
        live: AsyncIterator[bytes] | None = None,
        send_timeout_s: float = _SEND_TIMEOUT_S,
    ) -> None:
        self._leaving = anyio.Event()
        source, feed = (frames, None) if live is None else _merged(frames, live)
        super().__init__(
            source,
            data_sender_callable=feed,
            ping=_PING_S,
            send_timeout=send_timeout_s,
            headers=_HEADERS,
            shutdown_event=self._leaving,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream, then the farewell if it was the shutdown that ended it."""
        complete = False

        async def counted(message: Message) -> None:
            nonlocal complete
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await super().__call__(scope, receive, counted)
        except SendTimeoutError:
            return  # an incomplete response: the server closes the connection
        if self._leaving.is_set() and not complete:
            with anyio.move_on_after(_FAREWELL_S):
                await send({"type": "http.response.body", "body": _FAREWELL, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})


def _merged(
    recorded: AsyncIterator[bytes], live: AsyncIterator[bytes]
) -> tuple[AsyncIterator[bytes], Callable[[], Coroutine[None, None, None]]]:
    """Return one stream of both, and what feeds it; it ends with the recorded one."""
    send, receive = anyio.create_memory_object_stream[bytes](_AHEAD)

    async def feed() -> None:
        async def follow() -> None:
            async for frame in live:
                await send.send(frame)

        with send:
            try:
                async with anyio.create_task_group() as both:
                    both.start_soon(follow)
                    async for frame in recorded:
                        try:
                            send.send_nowait(frame)
                        except anyio.WouldBlock:
                            await send.send(frame)
                    both.cancel_scope.cancel()
            except* anyio.BrokenResourceError:
                pass  # the client is gone

    async def both_in_turn() -> AsyncIterator[bytes]:
        with receive:
            async for frame in receive:
                yield frame + b"".join(_waiting(receive))

    return both_in_turn(), feed


def _waiting(receive: MemoryObjectReceiveStream[bytes]) -> Iterator[bytes]:
    try:
        while True:
            yield receive.receive_nowait()
    except (anyio.WouldBlock, anyio.EndOfStream):
        return


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


async def episode_stream(log: Log, episode_id: str, after: int, *, access: Access, live: Live) -> Response:
    """Stream one episode from a version on; it ends with the episode. 204: nothing is left to send.

    Raises:
        ForbiddenError: its turns are held back from the caller.
    """
    past = await log.read(episode_id)
    access.require_read(start_of(past), episode_id)
    finished = bool(_ended(past))
    if finished and after >= past[-1].version:
        return Response(status_code=204)

    reader = _Reader(log, access, live, [episode_id] if finished else [])

    async def frames() -> AsyncIterator[bytes]:
        for recorded in past:
            if recorded.version > after and (frame := await reader.frame(recorded, recorded.version)):
                yield frame
        if finished:
            return
        async for recorded in log.subscribe(after_position=past[-1].position, episode_ids=[episode_id]):
            if recorded.version > after and (frame := await reader.frame(recorded, recorded.version)):
                yield frame
            if isinstance(recorded.event, EpisodeFinished):
                return

    return EventStream(frames(), live=live.frames([episode_id]))


async def comparison_stream(
    log: Log,
    episode_ids: Sequence[str],
    after: int,
    *,
    access: Access,
    live: Live,
    summary: Callable[[], Awaitable[bytes]],
) -> Response:
    """Stream the episodes of a comparison from a position on, then the summary. 204: nothing is left."""
    past = sorted(
        [recorded for episode_id in episode_ids for recorded in await log.read(episode_id)],
        key=lambda recorded: recorded.position,
    )
    playing = set(episode_ids) - _ended(past)
    if not playing and after >= past[-1].position:
        return Response(status_code=204)

    reader = _Reader(log, access, live, _ended(past))

    async def frames() -> AsyncIterator[bytes]:
        for recorded in past:
            if recorded.position > after and (frame := await reader.frame(recorded, recorded.position)):
                yield frame
        if playing:
            async for recorded in log.subscribe(
                after_position=past[-1].position, episode_ids=list(episode_ids)
            ):
                if recorded.position > after and (frame := await reader.frame(recorded, recorded.position)):
                    yield frame
                playing.difference_update(_ended([recorded]))
                if not playing:
                    break
        yield b"event: ComparisonFinished\r\ndata: %b\r\n\r\n" % await summary()

    return EventStream(frames(), live=live.frames(episode_ids))


def _ended(events: Sequence[RecordedEvent]) -> set[str]:
    return {recorded.episode_id for recorded in events if isinstance(recorded.event, EpisodeFinished)}


def log_stream(
    log: Log, after: int, episode_ids: list[str] | None, *, access: Access, live: Live
) -> Response:
    """Stream the whole log, or some episodes of it, from a position on; it never ends by itself.

    Episodes that are held back from the caller are left out.
    """

    reader = _Reader(log, access, live)

    async def frames() -> AsyncIterator[bytes]:
        async for recorded in log.subscribe(after_position=after, episode_ids=episode_ids):
            if frame := await reader.frame(recorded, recorded.position):
                yield frame

    return EventStream(frames(), live=live.frames(episode_ids))
