"""The nano models' forward pass in NumPy, with a key-value cache: no torch on the serving machine.

Checked against Transformers token by token in tests/training/nano/test_serving.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Qwen2Shape:
    """What the weights alone do not say."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-6


class Qwen2Forward:
    """A Qwen2 decoder over weights named as Transformers names them (`model.layers.0...`).

    Weights may be stored in half precision; they are computed with in single.
    """

    def __init__(
        self, weights: Mapping[str, NDArray[np.generic]], shape: Qwen2Shape, *, context: int
    ) -> None:
        self._w = {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}
        self._shape = shape
        self._embedding = self._w["model.embed_tokens.weight"]
        self._head = self._w.get("lm_head.weight", self._embedding)
        frequencies = shape.rope_theta ** -(np.arange(0, shape.head_size, 2) / shape.head_size)
        angles = np.outer(np.arange(context), frequencies)
        self._cos = np.cos(np.concatenate([angles, angles], axis=1)).astype(np.float32)
        self._sin = np.sin(np.concatenate([angles, angles], axis=1)).astype(np.float32)
        size = (shape.layers, shape.kv_heads, context, shape.head_size)
        self._keys, self._values = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self._length = 0

    def twin(self) -> Qwen2Forward:
        """Return another reader of the same weights, with a memory of its own."""
        return Qwen2Forward(self._w, self._shape, context=len(self._cos))

    def reset(self) -> None:
        """Forget everything read so far."""
        self._length = 0

    def read(self, ids: list[int]) -> Array:
        """Take in the tokens and return the logits of what follows the last one, shape (vocabulary,)."""
        x = self._embedding[ids]
        span = slice(self._length, self._length + len(ids))
        for layer in range(self._shape.layers):
            name = f"model.layers.{layer}."
            x = x + self._attend(self._norm(x, name + "input_layernorm.weight"), name, layer, span)
            x = x + self._feed(self._norm(x, name + "post_attention_layernorm.weight"), name + "mlp.")
        self._length = span.stop
        logits: Array = self._norm(x[-1:], "model.norm.weight")[0] @ self._head.T
        return logits

    def _norm(self, x: Array, weight: str) -> Array:
        scale = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self._shape.norm_epsilon))
        normed: Array = x / scale * self._w[weight]
        return normed

    def _project(self, x: Array, name: str, heads: int) -> Array:
        y = x @ self._w[name + ".weight"].T + self._w[name + ".bias"]
        return y.reshape(len(x), heads, self._shape.head_size).swapaxes(0, 1)

    def _rotate(self, x: Array, span: slice) -> Array:
        half = x.shape[-1] // 2
        turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
        rotated: Array = x * self._cos[span] + turned * self._sin[span]
        return rotated

    def _attend(self, x: Array, name: str, layer: int, span: slice) -> Array:
        shape, new = self._shape, len(x)
        query = self._rotate(self._project(x, name + "self_attn.q_proj", shape.heads), span)
        self._keys[layer, :, span] = self._rotate(
            self._project(x, name + "self_attn.k_proj", shape.kv_heads), span
        )
        self._values[layer, :, span] = self._project(x, name + "self_attn.v_proj", shape.kv_heads)
        keys, values = self._keys[layer, :, : span.stop], self._values[layer, :, : span.stop]
        grouped = query.reshape(
            shape.kv_heads, -1, shape.head_size
        )  # the heads that share a key lie together
        scores = grouped @ keys.swapaxes(1, 2) / np.float32(np.sqrt(shape.head_size))
        if new > 1:
            future = np.triu(np.full((new, span.stop), -np.inf, np.float32), k=span.start + 1)
            scores = scores + np.tile(future, (shape.heads // shape.kv_heads, 1))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ values
        joined = mixed.reshape(shape.heads, new, shape.head_size).swapaxes(0, 1).reshape(new, -1)
        projected: Array = joined @ self._w[name + "self_attn.o_proj.weight"].T
        return projected

    def _feed(self, x: Array, name: str) -> Array:
        gate = x @ self._w[name + "gate_proj.weight"].T
        gate = gate / (1.0 + np.exp(-gate))
        out: Array = (gate * (x @ self._w[name + "up_proj.weight"].T)) @ self._w[name + "down_proj.weight"].T
        return out


def generate(
    model: Qwen2Forward,
    prompt: list[int],
    *,
    end: int,
    max_new: int,
    choose: Callable[[Array], int],
    on_token: Callable[[int], None] = lambda _token: None,
) -> list[int]:
    """Return the tokens that follow the prompt, up to and without `end`; `choose` picks from the logits."""
    model.reset()
    logits = model.read(prompt)
    written: list[int] = []
    while len(written) < max_new:
        token = choose(logits)
        if token == end:
            break
        written.append(token)
        on_token(token)
        logits = model.read([token])
    return written
