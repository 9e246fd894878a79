"""What models are writing right now. Not part of the record: the latest state of each episode, shared.

A follower is told of changes at most ten times a second and always gets the latest text, so a
slow page costs no memory and never falls behind. What policies write in other processes of the same log
comes through `physix.api.live.relay` and is told alike.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import anyio
import orjson

from physix.policies.chat.prompt import Prompt

_INTERVAL_S = 0.1
_KINDS = ("Driving", "ModelPrompt", "ModelText")  # in the order they are sent


@dataclass(slots=True)
class _Writing:
    """One episode that a policy plays here."""

    policy: str
    turn: int = 0  # that is being written, 0 for none
    asked: int = 0  # the turn of the prompt
    prompt: Prompt | None = None
    text: str = ""
    tokens: int = 0
    began: float = 0.0
    revision: int = 0  # counts the changes

    def data(self, kind: str, episode_id: str) -> dict[str, Any] | None:
        if kind == "Driving":
            return {"episode_id": episode_id, "driving": True, "policy": self.policy}
        if kind == "ModelText" and self.turn:
            elapsed = time.monotonic() - self.began
            return {
                "episode_id": episode_id,
                "turn": self.turn,
                "text": self.text,
                "tokens": self.tokens,
                "tokens_per_s": round(self.tokens / elapsed, 1) if elapsed > 0 and self.tokens else None,
                "elapsed_s": round(elapsed, 2),
            }
        if kind == "ModelPrompt" and self.prompt is not None:
            return {
                "episode_id": episode_id,
                "turn": self.asked,
                "policy": self.policy,
                "prompt_version": self.prompt.version,
                "messages": [asdict(message) for message in self.prompt.messages],
                "estimated_tokens": self.prompt.estimated_tokens,
            }
        return None


Written = dict[str, dict[str, Any]]  # what followers are sent, by kind


@dataclass(slots=True)
class _Echo:
    """One episode that a policy plays in another process."""

    written: Written
    settled: int = 0  # the last turn whose events arrived here

    def data(self, kind: str, _episode_id: str) -> dict[str, Any] | None:
        found = self.written.get(kind)
        if found is not None and kind == "ModelText" and found["turn"] <= self.settled:
            return None  # its turn was told already, by the log
        return found


@dataclass(slots=True)
class _Follower:
    """A stream that wants to know; `changed` holds what it has not been told."""

    episode_ids: frozenset[str] | None
    changed: dict[tuple[str, str], None] = field(default_factory=dict)
    news: anyio.Event = field(default_factory=anyio.Event)


class Live:
    """The episodes that policies play on this server, and who follows them."""

    def __init__(self) -> None:
        self._writing: dict[str, _Writing] = {}
        self._echoes: dict[str, _Echo] = {}
        self._followers: list[_Follower] = []

    def begin(self, episode_id: str, policy: str) -> None:
        """A policy took an episode up."""
        self._echoes.pop(episode_id, None)
        self._writing[episode_id] = _Writing(policy)
        self._tell(episode_id, "Driving")

    def ask(self, episode_id: str, turn: int, prompt: Prompt | None) -> None:
        """A model is asked: its text begins anew."""
        writing = self._writing[episode_id]
        writing.turn, writing.asked, writing.prompt = turn, turn, prompt
        writing.text, writing.tokens, writing.began = "", 0, time.monotonic()
        self._tell(episode_id, "ModelPrompt")
        self._tell(episode_id, "ModelText")

    def write(self, episode_id: str, text: str) -> None:
        """A piece of a reply arrived."""
        writing = self._writing[episode_id]
        writing.text += text
        writing.tokens += 1
        self._tell(episode_id, "ModelText")

    def rest(self, episode_id: str) -> None:
        """The reply is complete: its turn's events follow, and no text of it comes after them."""
        writing = self._writing[episode_id]
        writing.turn, writing.text = 0, ""
        writing.revision += 1

    def end(self, episode_id: str) -> None:
        """The policy no longer plays it."""
        del self._writing[episode_id]
        self._tell(episode_id, "Driving")

    def settled(self, episode_id: str, turn: int) -> None:
        """The events of a turn arrived here: what another process wrote for it is told no more."""
        echo = self._echoes.get(episode_id)
        if echo is not None:
            echo.settled = max(echo.settled, turn)

    def written_here(self) -> dict[str, tuple[int, Written]]:
        """Return what is written in this process, by episode, each with the number of its changes."""
        return {
            episode_id: (
                writing.revision,
                {kind: data for kind in _KINDS if (data := writing.data(kind, episode_id)) is not None},
            )
            for episode_id, writing in self._writing.items()
        }

    def echo(self, episode_id: str, written: Written) -> None:
        """Another process plays an episode and writes this now."""
        if episode_id in self._writing:
            return
        before = self._echoes.get(episode_id)
        self._echoes[episode_id] = echo = _Echo(written, before.settled if before else 0)
        for kind in _KINDS:
            if before is None or before.written.get(kind) != echo.written.get(kind):
                self._tell(episode_id, kind)

    def hush(self, episode_id: str) -> None:
        """No other process plays an episode any more."""
        if self._echoes.pop(episode_id, None) is not None:
            self._tell(episode_id, "Driving")

    async def frames(self, episode_ids: Sequence[str] | None) -> AsyncIterator[bytes]:
        """Yield events without ids, the current state first. Never ends."""
        follower = _Follower(None if episode_ids is None else frozenset(episode_ids))
        for episode_id in (*self._writing, *self._echoes):
            self._note(follower, episode_id, *_KINDS)
        for episode_id in episode_ids or ():
            self._note(follower, episode_id, "Driving")
        self._followers.append(follower)
        try:
            while True:
                await follower.news.wait()
                follower.news = anyio.Event()
                changed, follower.changed = follower.changed, {}
                for episode_id, kind in changed:
                    frame = self._frame(episode_id, kind)
                    if frame is not None:
                        yield frame
                await anyio.sleep(_INTERVAL_S)
        finally:
            self._followers.remove(follower)

    def _tell(self, episode_id: str, kind: str) -> None:
        if (writing := self._writing.get(episode_id)) is not None:
            writing.revision += 1
        for follower in self._followers:
            self._note(follower, episode_id, kind)

    @staticmethod
    def _note(follower: _Follower, episode_id: str, *kinds: str) -> None:
        if follower.episode_ids is None or episode_id in follower.episode_ids:
            follower.changed.update(dict.fromkeys((episode_id, kind) for kind in kinds))
            follower.news.set()

    def _frame(self, episode_id: str, kind: str) -> bytes | None:
        writing = self._writing.get(episode_id) or self._echoes.get(episode_id)
        data = writing.data(kind, episode_id) if writing else None
        if writing is None and kind == "Driving":
            data = {"episode_id": episode_id, "driving": False, "policy": None}
        if data is None:
            return None
        return b"event: %b\r\ndata: %b\r\n\r\n" % (kind.encode(), orjson.dumps(data))
