"""What leaves the pipeline: adapters, merged weights, GGUF with a Modelfile for Ollama, the hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from physix.errors import BadInputError
from physix.limits import FILE_NAME
from physix.policies.chat.hf import DIALOGUE_FILE
from physix.training.adapter_gguf import MODULES, interleaved, write_adapter_gguf
from physix.training.backends import adapter_base, check_model, loading, resolved
from physix.training.folders import check_folder, put_in_place, writable_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Llama's and Qwen2's tensors, as Transformers and as GGUF name them.
_LAYER = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    **MODULES,
}
_WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def merge_16bit(adapter: Path, out: Path) -> Path:
    """Merge a LoRA adapter into its base model, in bfloat16; the result loads without PEFT or Unsloth.

    Raises:
        BadInputError: the folder holds no adapter.
    """
    from peft import PeftModel

    config = adapter / "adapter_config.json"
    if not config.exists():
        raise BadInputError(f"{adapter} holds no LoRA adapter.")
    base = resolved(adapter_base(str(adapter)) or "")
    check_model(base, of=str(adapter))
    writable_folder(out)
    with loading(str(adapter)):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().to(torch.bfloat16)
        tokenizer = AutoTokenizer.from_pretrained(adapter)
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    if (adapter / DIALOGUE_FILE).exists():
        # Without it `hf:` asks the merged model in other words than it was trained in.
        (out / DIALOGUE_FILE).write_bytes((adapter / DIALOGUE_FILE).read_bytes())
    return out


def gguf_name(name: str) -> str:
    """Return a tensor's name in a GGUF file.

    Raises:
        BadInputError: it is no tensor of Llama or Qwen2.
    """
    if name in _WHOLE:
        return _WHOLE[name]
    parts = name.split(".", 3)
    if parts[:2] == ["model", "layers"] and len(parts) == 4:
        stem, _, suffix = parts[3].rpartition(".")
        found = _LAYER.get(parts[3]) or (f"{_LAYER[stem]}.{suffix}" if stem in _LAYER else None)
        if found is not None:
            return f"blk.{parts[2]}.{found}"
    raise BadInputError(f"Tensor {name!r} has no name in GGUF; Llama and Qwen2 models are written.")


def write_gguf(
    model: PreTrainedModel,
    tokenizer_json: str,
    path: Path,
    *,
    name: str,
    half: bool = True,
    chat_template: str | None = None,
) -> Path:
    """Write a Llama or Qwen2 model with its byte-level BPE tokenizer as GGUF, in float16 or float32.

    Raises:
        BadInputError: the architecture is another one.
    """
    import gguf

    config = model.config
    if config.model_type not in ("llama", "qwen2"):
        raise BadInputError(f"A {config.model_type} model cannot be written; llama and qwen2 can.")
    with put_in_place(path) as part:
        writer = gguf.GGUFWriter(str(part), config.model_type)
        writer.add_name(name)
        writer.add_block_count(config.num_hidden_layers)
        writer.add_context_length(config.max_position_embeddings)
        writer.add_embedding_length(config.hidden_size)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count(config.num_attention_heads)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
        _add_tokenizer(writer, gguf, tokenizer_json, config)
        if chat_template is not None:
            writer.add_chat_template(chat_template)
        if config.model_type == "llama":
            writer.add_rope_dimension_count(config.head_dim)
            writer.add_vocab_size(config.vocab_size)
        tied = config.tie_word_embeddings
        for key, value in model.state_dict().items():
            if tied and key == "lm_head.weight":
                continue
            array = value.detach().float().cpu().numpy()
            if config.model_type == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
                queries = key.endswith("q_proj.weight")
                heads = config.num_attention_heads if queries else config.num_key_value_heads
                array = interleaved(array, heads)
            # llama.cpp wants vectors in single precision whatever the matrices are in.
            writer.add_tensor(gguf_name(key), array.astype(np.float16) if half and array.ndim == 2 else array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return path


def _add_tokenizer(writer: Any, gguf: Any, tokenizer_json: str, config: Any) -> None:
    described = json.loads(tokenizer_json)
    vocabulary: dict[str, int] = dict(described["model"]["vocab"])
    added = described.get("added_tokens", [])
    special = {token["content"] for token in added if token.get("special", True)}
    plain = {token["content"] for token in added} - special
    vocabulary |= {token["content"]: token["id"] for token in added}
    size = max(config.vocab_size, max(vocabulary.values()) + 1)
    texts = {index: text for text, index in vocabulary.items()}
    tokens = [texts.get(index, f"<|unused{index}|>") for index in range(size)]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    own = gguf.TokenType.USER_DEFINED
    kinds = [
        control if text in special or index not in texts else own if text in plain else normal
        for index, text in enumerate(tokens)
    ]
    merges = [" ".join(m) if isinstance(m, list) else m for m in described["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer(described, config.model_type))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    if config.eos_token_id is not None:
        writer.add_eos_token_id(int(config.eos_token_id))
    if config.pad_token_id is not None:
        writer.add_pad_token_id(int(config.pad_token_id))
    writer.add_add_bos_token(False)


def _pre_tokenizer(described: dict[str, Any], model_type: str) -> str:
    """Return what GGUF calls the way in which a tokenizer cuts text before it merges."""
    told = described.get("pre_tokenizer") or {}
    kinds = {told.get("type"), *(one.get("type") for one in told.get("pretokenizers", []))}
    if "Digits" in kinds:
        return "smollm"
    return "qwen2" if model_type == "qwen2" else "llama-bpe"


def read_gguf(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return a GGUF file's tensors under the names of Transformers, to check what was written."""
    import gguf

    layer = {ours: theirs for theirs, ours in _LAYER.items()}
    whole = {ours: theirs for theirs, ours in _WHOLE.items()}
    found = {}
    for tensor in gguf.GGUFReader(str(path)).tensors:
        name = str(tensor.name)
        if name in whole:
            key = whole[name]
        else:
            _, number, rest = name.split(".", 2)
            stem, _, suffix = rest.rpartition(".")
            key = f"model.layers.{number}." + (layer.get(rest) or f"{layer[stem]}.{suffix}")
        found[key] = np.array(tensor.data)
    return found


_CHATML = """\
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""


def modelfile(gguf_file: str, *, temperature: float = 0.2, context: int = 4096) -> str:
    """Return a Modelfile for Ollama: Qwen2.5's chat format, and nothing sampled wildly."""
    return (
        f"FROM ./{gguf_file}\n"
        f'TEMPLATE """{_CHATML}"""\n'
        f"PARAMETER temperature {temperature}\n"
        f"PARAMETER num_ctx {context}\n"
        'PARAMETER stop "<|im_end|>"\n'
    )


def export_gguf(folder: Path, out: Path, *, name: str) -> Path:
    """Write `out/<name>.gguf` and `out/Modelfile` from a merged model's folder.

    A LoRA adapter's folder becomes a GGUF adapter alone: its base is used as it was published.

    Raises:
        BadInputError: the folder holds no whole model, or one of another architecture; `name` is no file's
            name, or `out` no folder to write to.
    """
    if re.fullmatch(FILE_NAME, name) is None or ".." in name:
        raise BadInputError(f"--name {name[:80]!r} is no file's name: use letters, digits, dots and dashes.")
    check_folder(out)
    path = out / f"{name}.gguf"
    if (folder / "adapter_config.json").is_file():
        return write_adapter_gguf(folder, path, name=name)
    if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
        raise BadInputError(f"{folder} holds no model with its tokenizer.")
    with loading(str(folder)):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
        template = AutoTokenizer.from_pretrained(folder).chat_template
    write_gguf(model, tokenizer, path, name=name, chat_template=template)
    (out / "Modelfile").write_text(modelfile(path.name), encoding="utf-8")
    return path


def push(folder: Path, repo_id: str) -> None:
    """Upload a folder to the Hugging Face hub; needs a token in the environment."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(repo_id, exist_ok=True)
    api.upload_folder(folder_path=str(folder), repo_id=repo_id)
