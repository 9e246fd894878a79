"""A nano model as a folder that Transformers and this package both read."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from physix.errors import BadInputError
from physix.policies.nano.tokenizer import PAD, NanoTokenizer
from physix.training.backends import loading

_PROBE = "qv 411999 d2q/dt2 = -532e0*q > 934"


def save_nano(model: Qwen2ForCausalLM, tokenizer_json: str, folder: Path) -> None:
    """Write weights, config and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    fast_tokenizer(folder).save_pretrained(folder)


def load_nano_folder(folder: Path) -> tuple[Qwen2ForCausalLM, NanoTokenizer, str]:
    """Return model, tokenizer and the tokenizer's JSON.

    Raises:
        BadInputError: the folder holds no whole nano model.
    """
    if not (folder / "tokenizer.json").exists() or not (folder / "config.json").exists():
        raise BadInputError(f"{folder} holds no nano model: train one with `physix train nano`.")
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    with loading(str(folder)):
        model = Qwen2ForCausalLM.from_pretrained(folder, attn_implementation="eager")
        return model, NanoTokenizer.from_json(text), text


def fast_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the folder's tokenizer for Transformers.

    Raises:
        ValueError: Transformers cuts text differently than the models were trained on.
    """
    file = folder / "tokenizer.json"
    own = NanoTokenizer.from_json(file.read_text(encoding="utf-8"))
    # AutoTokenizer would put Qwen2's own pre-tokenizer in the place of ours without a word.
    fast = PreTrainedTokenizerFast(tokenizer_file=str(file), pad_token=PAD, eos_token=own.decode_one(own.end))
    if fast(_PROBE)["input_ids"] != own.encode(_PROBE):
        raise ValueError("Transformers cuts the nano models' text differently than they were trained on.")
    return fast
