"""What models are writing right now. Not part of the record: the latest state of each episode, shared.

A follower is told of changes at most ten times a second and always gets the latest text, so a
slow page costs no memory and never falls behind.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field

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

    def data(self, kind: str, episode_id: str) -> dict[str, object] | None:
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
        self._followers: list[_Follower] = []

    def begin(self, episode_id: str, policy: str) -> None:
        """A policy took an episode up."""
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

    def end(self, episode_id: str) -> None:
        """The policy no longer plays it."""
        del self._writing[episode_id]
        self._tell(episode_id, "Driving")

    async def frames(self, episode_ids: Sequence[str] | None) -> AsyncIterator[bytes]:
        """Yield events without ids, the current state first. Never ends."""
        follower = _Follower(None if episode_ids is None else frozenset(episode_ids))
        for episode_id in self._writing:
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
        for follower in self._followers:
            self._note(follower, episode_id, kind)

    @staticmethod
    def _note(follower: _Follower, episode_id: str, *kinds: str) -> None:
        if follower.episode_ids is None or episode_id in follower.episode_ids:
            follower.changed.update(dict.fromkeys((episode_id, kind) for kind in kinds))
            follower.news.set()

    def _frame(self, episode_id: str, kind: str) -> bytes | None:
        writing = self._writing.get(episode_id)
        data = writing.data(kind, episode_id) if writing else None
        if writing is None and kind == "Driving":
            data = {"episode_id": episode_id, "driving": False, "policy": None}
        if data is None:
            return None
        return b"event: %b\r\ndata: %b\r\n\r\n" % (kind.encode(), orjson.dumps(data))
