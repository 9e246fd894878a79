"""Nano weights from a Transformers model to the one file that the embedded policy reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import Qwen2ForCausalLM

from physix.policies.nano.packing import pack


def export_nano(
    model: Qwen2ForCausalLM,
    tokenizer_json: str,
    path: Path,
    *,
    name: str,
    meta: Mapping[str, object],
    packed: bool = False,
) -> None:
    """Write weights, shape and tokenizer to `path`; the same model, the same bytes.

    Args:
        packed: matrices in four bits a number instead of half precision: less than a third of the size.
    """
    config = model.config
    shape = {
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "kv_heads": config.num_key_value_heads,
        "head_size": config.hidden_size // config.num_attention_heads,
    }
    arrays: dict[str, NDArray[np.generic]] = {
        key: value.detach().to("cpu").numpy().astype(np.float16)
        for key, value in model.state_dict().items()
        if not (key == "lm_head.weight" and config.tie_word_embeddings)
    }
    if packed:
        arrays = pack(arrays)
    described = json.dumps({"name": name, "shape": shape, **meta}, sort_keys=True)
    buffer = BytesIO()
    np.savez_compressed(buffer, meta=described, tokenizer=tokenizer_json, **arrays)  # type: ignore[arg-type]  # none is called `allow_pickle`, a flag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
