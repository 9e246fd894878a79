"""Which library trains: Unsloth on CUDA, Transformers with PEFT anywhere, or the whole model.

Only `auto` falls back, and says why; what was asked for by name is used or refused. Unsloth patches
Transformers and TRL, so it must be imported before either: call `choose` before importing them.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from physix.errors import BadInputError

_LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The backend of a run and why it is this one."""

    name: Literal["unsloth", "peft", "full"]
    reason: str


def choose(requested: str) -> Backend:
    """Return the backend, with Unsloth imported if it is the one.

    Raises:
        BadInputError: the name is unknown, or Unsloth was asked for and cannot be used.
    """
    if requested in ("peft", "full"):
        return Backend(name="peft" if requested == "peft" else "full", reason="asked for")
    if requested not in ("auto", "unsloth"):
        raise BadInputError(f"Unknown backend {requested[:40]!r}: use auto, unsloth, peft or full.")
    missing = _unsloth_missing(on_cpu=requested == "unsloth")
    if missing is None:
        return Backend(
            name="unsloth", reason="asked for" if requested == "unsloth" else "CUDA and Unsloth are here"
        )
    if requested == "unsloth":
        raise BadInputError(f"Backend unsloth cannot be used: {missing}. Use --backend peft.")
    return Backend(name="peft", reason=f"auto: {missing}")


def _unsloth_missing(*, on_cpu: bool) -> str | None:
    """Import Unsloth and return None, or return why that is not possible.

    Args:
        on_cpu: let it train without CUDA, which it can since 2026.10 (LoRA of text, SFT alone).
    """
    if importlib.util.find_spec("unsloth") is None:
        return "the extra `unsloth` is not installed"
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available() and not on_cpu:
        return "there is no CUDA device"
    try:
        importlib.import_module("unsloth")
    except (ImportError, NotImplementedError, RuntimeError) as error:
        return f"Unsloth refused to load ({type(error).__name__}: {str(error)[:120]})"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model ready for a TRL trainer; `peft_config` is for the trainer to apply, if it should."""

    model: Any
    tokenizer: Any
    peft_config: Any = None


def load(
    backend: Backend,
    model: str,
    *,
    lora_rank: int,
    context: int,
    seed: int,
    small: bool = False,
    fast: bool = False,
) -> Loaded:
    """Return the model under a backend, with LoRA adapters unless it is trained whole.

    Args:
        model: a folder, a Hugging Face id, "smollm2", or the folder of a LoRA adapter: that adapter is
            trained on, under either backend, so that what follows SFT starts from SFT.
        small: read the weights as bfloat16 on a CPU too; adapters are float32 in any case.
        fast: Unsloth generates with vLLM, which it must be told when it loads.

    Raises:
        BadInputError: an adapter is to be trained whole, its base model is not named or not there, or a
            file is missing or cut short.
    """
    adapter = adapter_base(model)
    if backend.name == "full" and adapter is not None:
        raise BadInputError(f"{model} is an adapter: train it with --backend peft, or merge it first.")
    source = resolved(adapter or model)
    check_model(source, of=None if adapter is None else model)
    with loading(model):
        if backend.name == "unsloth":
            return _load_unsloth(
                source if adapter is None else model,
                lora_rank=lora_rank,
                context=context,
                seed=seed,
                adapted=adapter is not None,
                fast=fast,
            )
        return _load_transformers(
            source, None if adapter is None else model, lora_rank, small, whole=backend.name == "full"
        )


def _load_transformers(
    source: str, adapter: str | None, lora_rank: int, small: bool, *, whole: bool
) -> Loaded:
    transformers = importlib.import_module("transformers")
    torch = importlib.import_module("torch")
    dtype = torch.bfloat16 if small or torch.cuda.is_available() else torch.float32
    loaded = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    if whole:
        return Loaded(model=loaded, tokenizer=tokenizer)
    peft = importlib.import_module("peft")
    if adapter is not None:
        # `from_pretrained` of the adapter's folder would inject it without making a PeftModel, and the
        # trainer would then initialise it anew.
        return Loaded(
            model=peft.PeftModel.from_pretrained(loaded, adapter, is_trainable=True), tokenizer=tokenizer
        )
    config = peft.LoraConfig(
        r=lora_rank,
        lora_alpha=2 * lora_rank,
        lora_dropout=0.0,
        target_modules=list(_LORA_TARGETS),
        task_type="CAUSAL_LM",
    )
    return Loaded(model=loaded, tokenizer=tokenizer, peft_config=config)


def check_model(source: str, *, of: str | None = None) -> None:
    """Check that a folder holds a model; what could be a hub's id is for the hub to know.

    Args:
        of: the adapter whose base it is.

    Raises:
        BadInputError: it is a file, or a path where no model is.
    """
    path = Path(source)
    could_be_an_id = source.count("/") <= 1 and not source.startswith((".", "/", "~"))
    if (path / "config.json").is_file() or (could_be_an_id and not path.exists()):
        return
    if of is not None:
        raise BadInputError(
            f"The adapter {of} is for a model that is not here: {source}. Put it back, or name its new "
            f"place as `base_model_name_or_path` in {Path(of) / _ADAPTER_CONFIG}."
        )
    raise BadInputError(f"{source} holds no model (there is no config.json in it).")


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Turn what a library says of a model that it cannot load into one line.

    Raises:
        BadInputError: a file is missing, cut short or of another shape than the model.
    """
    safetensors = importlib.import_module("safetensors")
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise BadInputError(f"{what} cannot be loaded: {said}") from error


def adapter_base(model: str) -> str | None:
    """Return the base model of a LoRA adapter's folder; None if `model` is no such folder.

    Raises:
        BadInputError: the adapter does not say what it adapts.
    """
    base = _adapter_config(model).get("base_model_name_or_path", "") if _is_adapter(model) else None
    if base is not None and not (isinstance(base, str) and base):
        raise BadInputError(
            f"{Path(model) / _ADAPTER_CONFIG} does not name the model that the adapter is for."
        )
    return base


def lora_rank(backend: Backend, model: str, asked: int | None, profiles: int) -> int | None:
    """Return the rank that a run trains: an adapter's own, if it goes on with one; None for a whole model.

    Raises:
        BadInputError: another rank was asked for than the adapter has, or it does not say its own.
    """
    if backend.name == "full":
        return None
    if not _is_adapter(model):
        return profiles if asked is None else asked
    rank = _adapter_config(model).get("r")
    if not isinstance(rank, int):
        raise BadInputError(f"{Path(model) / _ADAPTER_CONFIG} does not say the adapter's rank (r).")
    if asked is not None and asked != rank:
        raise BadInputError(
            f"--lora-rank is {asked}, but the adapter {model} has rank {rank}, which training does not "
            "change: leave the flag out, or begin from the base model."
        )
    return rank


def _is_adapter(model: str) -> bool:
    return (Path(model) / _ADAPTER_CONFIG).is_file()


def _adapter_config(model: str) -> dict[str, Any]:
    path = Path(model) / _ADAPTER_CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInputError(f"{path} is no JSON: the adapter was cut short.") from error
    if not isinstance(found, dict):
        raise BadInputError(f"{path} does not describe an adapter.")
    return found


def resolved(model: str) -> str:
    """Return what `from_pretrained` loads: a folder in place of the name "smollm2"."""
    if model == "smollm2":
        from physix.training.smollm2 import transformers_folder

        return str(transformers_folder())
    return model


def _load_unsloth(
    model: str, *, lora_rank: int, context: int, seed: int, adapted: bool, fast: bool
) -> Loaded:
    unsloth = importlib.import_module("unsloth")
    extra: dict[str, Any] = {"fast_inference": True, "max_lora_rank": lora_rank} if fast else {}
    loaded, tokenizer = unsloth.FastLanguageModel.from_pretrained(
        model_name=model, max_seq_length=context, load_in_4bit=False, **extra
    )
    if adapted:
        # Unsloth loads base and adapter from the adapter's folder; a second adapter would start anew.
        return Loaded(model=loaded, tokenizer=tokenizer)
    prepared = unsloth.FastLanguageModel.get_peft_model(
        loaded,
        r=lora_rank,
        lora_alpha=2 * lora_rank,
        lora_dropout=0.0,
        target_modules=list(_LORA_TARGETS),
        use_gradient_checkpointing="unsloth",
        random_state=seed,
    )
    return Loaded(model=prepared, tokenizer=tokenizer)
