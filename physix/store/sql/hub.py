"""The latest events, kept for followers in this process: no follower reads or decodes them again."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

import anyio

from physix.engine.events import RecordedEvent

_KEPT = 8_192


class Hub:
    """A window onto the end of the log. Lives on one event loop.

    Everything with a position in (floor, last] is in the window; a follower that is further
    behind reads the log until it has caught up.
    """

    def __init__(self) -> None:
        self._window: deque[RecordedEvent] = deque()
        self._floor = 0
        self.last = 0
        self.bell = anyio.Event()

    def publish(self, recorded: Sequence[RecordedEvent]) -> None:
        """Add events that this process has just committed, in position order."""
        if recorded[0].position != self.last + 1:
            # Another process committed in between: followers read what is missing.
            self._window.clear()
            self._floor = recorded[0].position - 1
        self._window.extend(recorded)
        while len(self._window) > _KEPT:
            self._floor = self._window.popleft().position
        self.last = recorded[-1].position
        self._ring()

    def skip_to(self, position: int) -> None:
        """Take note that other processes have committed up to `position`."""
        if position > self.last:
            self._window.clear()
            self._floor = self.last = position
            self._ring()

    def after(self, position: int) -> list[RecordedEvent] | None:
        """Return the events beyond a position; None if the window does not reach back that far."""
        if position < self._floor:
            return None
        if position >= self.last:
            return []
        start = bisect_right(self._window, position, key=lambda recorded: recorded.position)
        return [self._window[i] for i in range(start, len(self._window))]

    def _ring(self) -> None:
        self.bell.set()
        self.bell = anyio.Event()
