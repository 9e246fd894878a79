"""A PEFT LoRA adapter as a GGUF file that llama.cpp applies at load, for Llama and Qwen2 models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physix.errors import BadInputError
from physix.training.backends import adapter_base, check_model, loading, resolved
from physix.training.folders import put_in_place

# The matrices of a layer, as Transformers and as GGUF name them.
MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_KEY = re.compile(r"(?:base_model\.model\.)?model\.layers\.(\d+)\.([\w.]+)\.lora_([AB])\.weight")


def write_adapter_gguf(adapter: Path, path: Path, *, name: str, licence: str = "apache-2.0") -> Path:
    """Write a LoRA adapter in float16 and return its path.

    Raises:
        BadInputError: the folder holds no LoRA adapter, or one that llama.cpp cannot apply.
    """
    import gguf
    from safetensors.numpy import load_file

    settings = adapter / "adapter_config.json"
    weights = adapter / "adapter_model.safetensors"
    if not settings.is_file() or not weights.is_file():
        raise BadInputError(f"{adapter} holds no LoRA adapter.")
    with loading(str(adapter)):
        config = json.loads(settings.read_text(encoding="utf-8"))
        tensors = load_file(weights)
    if config.get("use_dora") or config.get("use_rslora") or config.get("modules_to_save"):
        raise BadInputError(f"{adapter} is no plain LoRA adapter: llama.cpp cannot apply it.")
    base = base_config(adapter_base(str(adapter)) or "")
    with put_in_place(path) as part:
        writer = gguf.GGUFWriter(str(part), base["model_type"])
        writer.add_type("adapter")
        writer.add_name(name)
        writer.add_license(licence)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
        for key, value in sorted(tensors.items()):
            writer.add_tensor(
                _tensor_name(key), _laid_out(key, value.astype(np.float32), base).astype(np.float16)
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return path


def base_config(model: str) -> dict[str, Any]:
    """Return the settings of a base model.

    Raises:
        BadInputError: it is not there, or its adapters cannot be written for llama.cpp.
    """
    from transformers import AutoConfig

    source = resolved(model)
    check_model(source)
    with loading(source):
        config: dict[str, Any] = AutoConfig.from_pretrained(source).to_dict()
    if config["model_type"] not in ("llama", "qwen2"):
        raise BadInputError(
            f"Adapters of {config['model_type']} models are not written; of llama and qwen2 they are."
        )
    return config


def _tensor_name(key: str) -> str:
    found = _KEY.fullmatch(key)
    if found is None or found[2] not in MODULES:
        raise BadInputError(f"Tensor {key[:120]!r} has no name in GGUF.")
    return f"blk.{found[1]}.{MODULES[found[2]]}.weight.lora_{found[3].lower()}"


def _laid_out(key: str, value: NDArray[np.float32], base: dict[str, Any]) -> NDArray[np.float32]:
    """Return a tensor as llama.cpp lays it out: Llama's queries and keys turn in interleaved pairs."""
    turned = base["model_type"] == "llama" and ".lora_B." in key and ("q_proj" in key or "k_proj" in key)
    if not turned:
        return value
    heads = base["num_attention_heads"] if "q_proj" in key else base["num_key_value_heads"]
    return interleaved(value, heads)


def interleaved(value: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return rows in llama.cpp's order: the two halves of each head's rotation side by side."""
    rows, columns = value.shape
    halves = value.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)
