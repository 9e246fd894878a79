"""`nano`, `nano-early` and `nano-untrained`: models of about a million parameters, in process, NumPy only.

`nano` was trained by this package's own pipeline (docs/training.md); `nano-early` is the same network after a
few steps of it, and `nano-untrained` before any, to show what training did.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from importlib import resources
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from anyio import from_thread, to_thread
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from physix.engine.events import Provenance
from physix.engine.ports import Observation, Proposal, TokenSink
from physix.errors import BadInputError, PolicyError, UnknownPolicyError
from physix.policies.nano.codec import (
    CODEC_VERSION,
    REMEMBERED_TURNS,
    Frame,
    frames,
    hypothesis_of,
    render,
)
from physix.policies.nano.forward import Array, Qwen2Forward, Qwen2Shape, generate
from physix.policies.nano.packing import unpack
from physix.policies.nano.tokenizer import NanoTokenizer

CONTEXT = 256
MAX_NEW_TOKENS = 40
_INIT_SPREAD = 0.02  # the standard deviation that Transformers draws untrained weights with


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoModel:
    """Weights, shape and tokenizer of one model, ready to run."""

    name: str
    weights: Mapping[str, NDArray[np.generic]]
    shape: Qwen2Shape
    tokenizer: NanoTokenizer
    sha256: str
    meta: Mapping[str, object] = field(default_factory=dict)


def read_nano(data: bytes) -> NanoModel:
    """Return the model in a file written by `physix.training.nano.export`.

    Raises:
        BadInputError: it is no such file.
    """
    try:
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            meta = json.loads(str(arrays["meta"]))
            tokenizer = NanoTokenizer.from_json(str(arrays["tokenizer"]))
            weights = unpack({k: arrays[k] for k in arrays.files if k not in ("meta", "tokenizer")})
            shape = Qwen2Shape(**meta["shape"])
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise BadInputError(f"These are no nano weights: {error}.") from error
    digest = hashlib.sha256(data).hexdigest()
    name = f"{meta['name']}@{digest[:12]}"
    return NanoModel(name=name, weights=weights, shape=shape, tokenizer=tokenizer, sha256=digest, meta=meta)


def load_nano(path: Path) -> NanoModel:
    """Return the model in a file.

    Raises:
        BadInputError: the file cannot be read or holds no model.
    """
    try:
        return read_nano(path.read_bytes())
    except OSError as error:
        raise BadInputError(f"Cannot read the nano weights {path}: {error.strerror}.") from error


@lru_cache(maxsize=1)
def shipped_nano() -> NanoModel:
    """Return the trained model that comes with the package."""
    return _shipped("nano")


@lru_cache(maxsize=1)
def early_nano() -> NanoModel:
    """Return the same network after few steps of training: what it writes can be read, and is often wrong."""
    return _shipped("nano-early")


def _shipped(name: str) -> NanoModel:
    return read_nano((resources.files("physix.policies.nano") / "weights" / f"{name}.npz").read_bytes())


@lru_cache(maxsize=1)
def untrained_nano() -> NanoModel:
    """Return the shipped model's network with random weights, always the same ones."""
    return untrained_twin(shipped_nano(), seed=0)


_EMBEDDED: Mapping[str, Callable[[], NanoModel]] = {
    "nano": shipped_nano,
    "nano-early": early_nano,
    "nano-untrained": untrained_nano,
}


def make_nano_policy(name: str) -> NanoPolicy:
    """Return a fresh policy of one of these models; the weights are read once a process.

    Raises:
        UnknownPolicyError: it is none of them.
    """
    if name not in _EMBEDDED:
        raise UnknownPolicyError(name, list(_EMBEDDED))
    return NanoPolicy(name, _EMBEDDED[name]())


def untrained_twin(model: NanoModel, *, seed: int) -> NanoModel:
    """Return the model with every matrix drawn anew, as at the start of training."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.generic]] = {}
    for name, value in sorted(model.weights.items()):
        if value.ndim == 2:
            weights[name] = rng.normal(0.0, _INIT_SPREAD, value.shape).astype(np.float32)
        else:
            still = np.zeros if name.endswith("bias") else np.ones
            weights[name] = still(value.shape, np.float32)
    return NanoModel(
        name="nano-untrained",
        weights=weights,
        shape=model.shape,
        tokenizer=model.tokenizer,
        sha256=model.sha256,
    )


class NanoPolicy:
    """Implements `Policy` with one model; reads the observation alone.

    Greedy at temperature 0. Above that it samples, from a stream that depends on `seed`, the episode's
    task and the turn, so that a resumed episode goes on as it would have.
    """

    def __init__(self, name: str, model: NanoModel, *, temperature: float = 0.0, seed: int = 0) -> None:
        self.name = name
        self._model, self._temperature, self._seed = model, temperature, seed
        self._forward: Qwen2Forward | None = None

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        found = frames(observation.task)
        if not found:
            raise PolicyError(
                f"{self.name} reads motions of second order only: every variable needs a column for its rate."
            )
        return await to_thread.run_sync(partial(self._on_one_core, observation, found, on_token))

    def _on_one_core(
        self, observation: Observation, found: tuple[Frame, ...], on_token: TokenSink
    ) -> Proposal:
        # Matrices this small are ten times slower when BLAS spreads them over busy cores.
        with threadpool_limits(limits=1, user_api="blas"):
            return self._write(observation, found, on_token)

    def _write(self, observation: Observation, found: tuple[Frame, ...], on_token: TokenSink) -> Proposal:
        began = time.perf_counter()
        tokenizer = self._model.tokenizer
        asked = asked_of(observation, found, tokenizer)
        prompts = [tokenizer.encode(text) for text in asked]
        if max(map(len, prompts)) + MAX_NEW_TOKENS > CONTEXT:
            raise PolicyError(f"{self.name} cannot read a prompt of {max(map(len, prompts))} tokens.")
        rng = np.random.default_rng([self._seed, observation.task.seed or 0, observation.turn])
        completions = []
        for at, prompt in enumerate(prompts):
            if at:
                from_thread.run_sync(on_token, "; ")
            completions.append(self._complete(prompt, rng, on_token))
        texts = [tokenizer.decode(completion) for completion in completions]
        provenance = Provenance(
            policy=self.name,
            model=self._model.name,
            sampling={"temperature": self._temperature},
            latency_s=round(time.perf_counter() - began, 4),
            prompt_tokens=sum(map(len, prompts)),
            completion_tokens=sum(map(len, completions)),
            prompt_sha256=prompt_sha256(asked, self._model),
            prompt_version=CODEC_VERSION,
        )
        return Proposal(
            hypothesis=hypothesis_of(texts, found, observation.task),
            provenance=provenance,
            raw_completion="; ".join(texts),
        )

    def _complete(self, prompt: list[int], rng: np.random.Generator, on_token: TokenSink) -> list[int]:
        tokenizer = self._model.tokenizer
        if self._forward is None:
            self._forward = Qwen2Forward(self._model.weights, self._model.shape, context=CONTEXT)
        return generate(
            self._forward,
            prompt,
            end=tokenizer.end,
            max_new=MAX_NEW_TOKENS,
            choose=chooser(self._temperature, rng),
            on_token=lambda token: from_thread.run_sync(on_token, tokenizer.decode([token])),
        )


def asked_of(observation: Observation, found: Sequence[Frame], tokenizer: NanoTokenizer) -> list[str]:
    """Return the prompt of each frame, with as many of the latest turns as a model can read.

    Long laws of three turns do not fit: the oldest is forgotten first.
    """
    for remembered in range(REMEMBERED_TURNS, 0, -1):
        recent = replace(observation, history=observation.history[-remembered:])
        texts = [render(recent, frame) for frame in found]
        if max(len(tokenizer.encode(text)) for text in texts) + MAX_NEW_TOKENS <= CONTEXT:
            return texts
    alone = replace(observation, history=())
    return [render(alone, frame) for frame in found]


def chooser(temperature: float, rng: np.random.Generator) -> Callable[[Array], int]:
    """Return the rule that picks the next token from logits."""
    if temperature <= 0.0:
        return lambda logits: int(np.argmax(logits))

    def sample(logits: Array) -> int:
        scaled = (logits - logits.max()).astype(np.float64) / temperature
        weights = np.exp(scaled)
        return int(rng.choice(len(weights), p=weights / weights.sum()))

    return sample


def prompt_sha256(texts: Sequence[str], model: NanoModel) -> str:
    """Return the hash that provenance records: of the tokens that the model reads."""
    tokens = [model.tokenizer.encode(text) for text in texts]
    return hashlib.sha256(json.dumps(tokens).encode()).hexdigest()
