"""An event as it lies in a log, read only when somebody asks: equal bytes are the same event."""

from __future__ import annotations

from datetime import datetime

from physix.engine.events import SCHEMA_VERSION, Event, RecordedEvent
from physix.store.codec import Encoded, decode


class Stored:
    """An event and its place.

    Args:
        episode_id: whose event it is.
        version: its place in the episode.
        position: its place in the log.
        recorded_at: when it was appended.
        encoded: its bytes.
        schema_version: that they were written with.
    """

    __slots__ = ("_encoded", "_event", "_schema", "episode_id", "position", "recorded_at", "version")

    def __init__(
        self,
        episode_id: str,
        version: int,
        position: int,
        recorded_at: datetime,
        encoded: Encoded,
        schema_version: int = SCHEMA_VERSION,
    ) -> None:
        self.episode_id, self.version, self.position = episode_id, version, position
        self.recorded_at = recorded_at
        self._encoded: Encoded | None = encoded
        self._schema = schema_version
        self._event: Event | None = None

    @classmethod
    def of(cls, recorded: RecordedEvent) -> Stored:
        """Return an event that was read already; its bytes are not known."""
        place = (recorded.episode_id, recorded.version, recorded.position, recorded.recorded_at)
        found = cls(*place, Encoded(recorded.event.type, "", None))
        found._encoded, found._event = None, recorded.event
        return found

    @property
    def type(self) -> str:
        """Name of the event's class."""
        return self.event.type if self._encoded is None else self._encoded.type

    @property
    def encoded(self) -> Encoded | None:
        """Its bytes; None if they are not known, or an older schema wrote them."""
        return self._encoded if self._schema == SCHEMA_VERSION else None

    @property
    def event(self) -> Event:
        """What is recorded.

        Raises:
            StorageError: the bytes are damaged.
        """
        if self._event is None:
            assert self._encoded is not None  # noqa: S101  # it has one of the two
            kind, payload, blob = self._encoded.type, self._encoded.payload, self._encoded.blob
            self._event = decode(kind, self._schema, payload, blob)
        return self._event

    def means(self, event: Event) -> None:
        """Take an event whose bytes are known to be these: they need not be read."""
        self._event = event

    @property
    def recorded(self) -> RecordedEvent:
        """The event with its place."""
        return RecordedEvent(
            episode_id=self.episode_id,
            version=self.version,
            position=self.position,
            recorded_at=self.recorded_at,
            event=self.event,
        )
