"""SmolLM2 as a Transformers folder: the GGUF that `physix models pull` fetches, dequantised once.

The weights are those that llama.cpp runs (4 bits, as published), written as bfloat16: what is trained here
is served there as an adapter on the very same base.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from physix.errors import BadInputError
from physix.policies.local.models import SMOLLM2, cache_folder

UNPACKED = "smollm2-transformers"  # the folder's name, by which adapters name their base
_FILES = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


def transformers_folder() -> Path:
    """Return SmolLM2 as a folder that `from_pretrained` loads; made on first use, in about ten seconds.

    Raises:
        BadInputError: the model was not fetched yet.
    """
    folder = cache_folder() / UNPACKED
    if all((folder / name).is_file() for name in _FILES):
        return folder
    if not SMOLLM2.present:
        raise BadInputError("SmolLM2 is not here yet: fetch it with `physix models pull smollm2`.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        part = Path(name) / folder.name
        _dequantise(SMOLLM2.path, part)
        shutil.rmtree(folder, ignore_errors=True)  # one that lacks a file
        os.replace(part, folder)
    return folder


def _dequantise(gguf: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    packed = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    # A model read from a GGUF refuses to be saved; a fresh one of the same shape with its weights does not.
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = type(packed)(config).to(torch.bfloat16)
    fresh.load_state_dict(packed.state_dict())
    fresh.save_pretrained(out)
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(out)
