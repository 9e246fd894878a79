"""How long an update over given token rows takes, for `physix bench training`."""

from __future__ import annotations

import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from physix.policies.nano import NanoModel

_BATCH = 32


def update_seconds(model: NanoModel, rows: list[list[int]]) -> float:
    """Return the seconds of one forward, backward and optimiser step over every row, batched by 32."""
    twin = _twin(model)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=1e-6)
    ordered = sorted(rows, key=len)
    _update(twin, optimizer, ordered[:4])
    began = time.perf_counter()
    for first in range(0, len(ordered), _BATCH):
        _update(twin, optimizer, ordered[first : first + _BATCH])
    return time.perf_counter() - began


def _twin(model: NanoModel) -> Qwen2ForCausalLM:
    """Return an untrained model of the same size: its arithmetic takes the same time."""
    shape = model.shape
    config = Qwen2Config(
        vocab_size=len(model.tokenizer),
        hidden_size=shape.heads * shape.head_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=model.weights["model.layers.0.mlp.up_proj.weight"].shape[0],
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config)


def _update(model: Qwen2ForCausalLM, optimizer: torch.optim.Optimizer, rows: list[list[int]]) -> None:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
