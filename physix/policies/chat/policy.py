"""A language model as a policy: prompt, streamed reply, hypothesis. Which server it is, a backend knows.

Retries are the engine's: three attempts a turn, each recorded. Here an attempt gets its own seed,
and after a failure of the server the next one waits, twice as long every time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import anyio

from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.errors import PolicyError
from physix.limits import MAX_REPLY_CHARACTERS
from physix.policies.chat import compact, tool_dialogue
from physix.policies.chat.grammar import gbnf, json_schema
from physix.policies.chat.prompt import Prompt, render
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a model draws its reply; recorded with every turn."""

    temperature: float
    max_tokens: int
    seed: int
    grammar: str | None = None  # GBNF, for backends that run llama.cpp
    schema: dict[str, Any] | None = None  # the same for servers that take a JSON schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a reply as it arrives. The counts come with the last one, where a server gives them."""

    text: str = ""
    thinking: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish: str | None = None  # why the reply ended, as its server says: "stop", "length", ...


Takes = Literal["gbnf", "schema", "nothing"]
Dialogue = Literal["chat", "tool", "compact"]
COMPACT_REPLY_TOKENS = 96


class Backend(Protocol):
    """Where a model runs."""

    @property
    def model(self) -> str:
        """The model as its server names it."""
        ...

    @property
    def takes(self) -> Takes:
        """What kind of grammar its server takes."""
        ...

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """Yield the reply. Closing the generator stops the server.

        Raises:
            PolicyError: what the server did, in one line.
        """
        ...


@dataclass(slots=True)
class _Reply:
    """A reply being put together."""

    text: str = ""
    thinking: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish: str | None = None

    def add(self, chunk: Chunk) -> str:
        """Take a piece in; return the text it adds, with marks around what a model thinks aloud."""
        mark = ""
        if chunk.text and chunk.thinking != self.thinking:
            mark = "<think>" if chunk.thinking else "</think>"
            self.thinking = chunk.thinking
        added = mark + chunk.text
        self.text += added
        self.prompt_tokens = chunk.prompt_tokens or self.prompt_tokens
        self.completion_tokens = chunk.completion_tokens or self.completion_tokens
        self.finish = chunk.finish or self.finish
        return added


class ChatPolicy:
    """Implements `Policy` over a backend.

    Args:
        dialogue: the words of the question, which must be those that the model was trained in: "chat"
            (`prompt.render`), "tool" (`tool_dialogue.render`) or "compact" (`compact.render`).
        constrain: hand a grammar of the task to a server that takes one.
        salt: goes into every seed, so that several play one task differently.
        hottest: the highest temperature that replies are sampled at, whatever the settings ask for.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        settings: Settings,
        *,
        dialogue: Dialogue = "chat",
        constrain: bool = False,
        salt: str = "",
        hottest: float | None = None,
    ) -> None:
        self.name = name
        self._dialogue, self._constrain, self._salt = dialogue, constrain, salt
        self._backend = backend
        self._settings = settings
        self._temperature = settings.temperature if hottest is None else min(hottest, settings.temperature)
        self._turn = 0
        self._attempt = 0
        self._server_failures = 0

    @property
    def backend(self) -> Backend:
        """Where the model runs."""
        return self._backend

    @property
    def temperature(self) -> float:
        """What its replies are sampled at."""
        return self._temperature

    def prompt(self, observation: Observation) -> Prompt:
        """Return what the model is asked about this observation."""
        if self._dialogue == "compact":
            return compact.render(observation)
        if self._dialogue == "tool":
            return tool_dialogue.render(observation)
        return render(observation, budget_tokens=self._settings.prompt_tokens)

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        self._attempt = self._attempt + 1 if observation.turn == self._turn else 1
        self._turn = observation.turn
        prompt = self.prompt(observation)
        sampling = self._sampling(observation)
        await self._wait_out_failures()
        began = time.perf_counter()
        reply = await self._read(prompt, sampling, on_token)
        latency = time.perf_counter() - began
        read = parse_completion(
            reply.text,
            observation.task.variables,
            constants=observation.constants,
            inputs=observation.task.inputs,
        )
        if isinstance(read, ParseFailure):
            raise PolicyError(
                f"Unusable reply ({read.code}). {read.message}{_cut(reply, sampling)}", reply.text
            )
        provenance = Provenance(
            policy=self.name,
            model=self._backend.model,
            sampling=_recorded(sampling),
            latency_s=round(latency, 4),
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            prompt_sha256=prompt.sha256,
            prompt_version=prompt.version,
        )
        return Proposal(hypothesis=read, provenance=provenance, raw_completion=reply.text)

    def _sampling(self, observation: Observation) -> Sampling:
        takes = self._backend.takes if self._constrain else "nothing"
        # Equations alone are short: a small model that does not stop by itself is looping.
        short = self._dialogue == "compact"
        limit = min(self._settings.max_reply_tokens, COMPACT_REPLY_TOKENS if short else 1 << 30)
        return Sampling(
            temperature=self._temperature,
            max_tokens=limit,
            seed=_seed(observation, self._attempt, self._salt),
            grammar=gbnf(observation, bare=short) if takes == "gbnf" else None,
            schema=json_schema(observation) if takes == "schema" and self._dialogue == "chat" else None,
        )

    async def _wait_out_failures(self) -> None:
        if self._server_failures:
            await anyio.sleep(self._settings.retry_wait_s * 2 ** min(self._server_failures - 1, 5))

    async def _read(self, prompt: Prompt, sampling: Sampling, on_token: TokenSink) -> _Reply:
        """Return the whole reply; a server that fails or falls silent is a PolicyError."""
        reply = _Reply()
        self._server_failures += 1  # until the reply is whole
        async with aclosing(self._backend.stream(prompt, sampling)) as chunks:
            while len(reply.text) < MAX_REPLY_CHARACTERS:
                try:
                    # A bound on silence, not on the reply: slow machines write slowly.
                    with anyio.fail_after(self._settings.model_timeout_s):
                        chunk = await anext(chunks, None)
                except TimeoutError as error:
                    raise PolicyError(
                        f"{self.name} was silent for {self._settings.model_timeout_s:g} s; the request was "
                        "given up."
                    ) from error
                if chunk is None:
                    break
                added = reply.add(chunk)
                if added:
                    on_token(added)
        self._server_failures = 0
        return reply


def _cut(reply: _Reply, sampling: Sampling) -> str:
    """Return what a reader of the failure must know of a reply that its limit ended."""
    if reply.finish != "length":
        return ""
    if reply.thinking:
        return (
            f" It was still thinking when it was cut at {sampling.max_tokens} tokens: raise "
            "PHYSIX_MAX_REPLY_TOKENS, or let it think less."
        )
    return f" It was cut at {sampling.max_tokens} tokens."


def _recorded(sampling: Sampling) -> dict[str, float]:
    recorded = {
        "temperature": sampling.temperature,
        "max_tokens": float(sampling.max_tokens),
        "seed": float(sampling.seed),
    }
    if sampling.grammar is not None or sampling.schema is not None:
        recorded["grammar"] = 1.0  # the reply could have no other form
    return recorded


def _seed(observation: Observation, attempt: int, salt: str) -> int:
    """Return a seed that a repetition of this attempt would draw again."""
    key = f"{observation.task.task_id}/{observation.turn}/{attempt}" + (f"/{salt}" if salt else "")
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) >> 1
