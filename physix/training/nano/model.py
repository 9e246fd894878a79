"""The nano architecture: Qwen2, about a million parameters, number tokens that begin as neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

if TYPE_CHECKING:
    from physix.policies.nano.tokenizer import NanoTokenizer

CONTEXT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoSize:
    """The dimensions of a nano model."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 384


def make_nano(tokenizer: NanoTokenizer, size: NanoSize, *, seed: int) -> Qwen2ForCausalLM:
    """Return a randomly initialised model; the same seed gives the same weights."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads,
        intermediate_size=size.feed_forward,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad,
        eos_token_id=tokenizer.end,
        bos_token_id=None,
        use_cache=True,
    )
    # For short rows on a CPU the plain attention is twice as fast as the fused one.
    config._attn_implementation = "eager"
    model = Qwen2ForCausalLM(config)
    ids = number_ids(tokenizer)
    with torch.no_grad():
        embedding = model.get_input_embeddings().weight
        embedding[ids] = _smooth_numbers(len(ids), size.hidden, float(embedding.std()))
    return model


def number_ids(tokenizer: NanoTokenizer) -> list[int]:
    """Return the token ids of 000, 001, ..., 999."""
    ids = [tokenizer.encode(f"{n:03d}") for n in range(1000)]
    if any(len(one) != 1 for one in ids):
        raise ValueError("This tokenizer splits a number of three digits; train it on numbers.")
    return [one[0] for one in ids]


def _smooth_numbers(count: int, width: int, spread: float) -> torch.Tensor:
    """Return random but smooth embeddings, shape (count, width): near numbers begin as near vectors.

    From independent random vectors a model must first learn that 411 and 412 are alike.
    """
    frequencies = torch.exp(torch.linspace(math.log(0.5), math.log(60.0), width // 2))
    phases = torch.rand(width // 2) * 2 * math.pi
    angles = torch.arange(count)[:, None] / count * frequencies * 2 * math.pi + phases
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) * math.sqrt(2.0)
    mixed = waves @ torch.linalg.qr(torch.randn(width, width)).Q
    return mixed * spread
