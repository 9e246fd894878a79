"""`hf:<path or id>`: a checkpoint in this process, through Transformers (extra `train`).

The reply is generated one token per call into a worker thread: cancelling takes effect at the
next token, and no thread outlives the turn.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anyio import to_thread

from physix.errors import PolicyError
from physix.policies.chat.policy import Chunk, Dialogue, Sampling, Takes
from physix.policies.chat.prompt import Message, Prompt
from physix.settings import Settings

DIALOGUE_FILE = "physix.json"
INSTALL = "pip install 'physix-live[train]'"
# One token at a time over all episodes: two forward passes on the same cores take longer than both in turn.
_FORWARD = threading.Lock()


def installed() -> bool:
    """Tell whether Transformers and torch can be imported, without importing them."""
    return find_spec("transformers") is not None and find_spec("torch") is not None


class HfBackend:
    """Implements `Backend` over a model in this process."""

    takes: Takes = "nothing"

    def __init__(self, model: str, settings: Settings) -> None:
        self.model = model
        self._settings = settings

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """See `Backend.stream`."""
        if not installed():
            raise PolicyError(f"Install Transformers: {INSTALL}.")
        pieces = await to_thread.run_sync(_generate, self.model, prompt, sampling)
        while (chunk := await to_thread.run_sync(_next, pieces)) is not None:
            yield chunk


def trained_dialogue(model: str) -> Dialogue:
    """Return the dialogue that a checkpoint's folder says it was trained in; "chat" where it says nothing.

    The trainers write it: `physix.json` beside the weights.
    """
    try:
        told = json.loads((Path(model) / DIALOGUE_FILE).read_text(encoding="utf-8"))["dialogue"]
    except (OSError, ValueError, KeyError, TypeError):
        return "chat"
    return "tool" if told == "tool" else "compact" if told == "compact" else "chat"


def _next(pieces: Iterator[Chunk]) -> Chunk | None:
    with _FORWARD:
        try:
            return next(pieces, None)
        except PolicyError:
            raise
        except Exception as error:
            raise PolicyError(f"The model failed ({_in_one_line(error)}).") from error


def _in_one_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0][:300]}" if words else type(error).__name__


@lru_cache(maxsize=2)
def _load(model: str) -> tuple[Any, Any]:
    """Return tokenizer and model, on a GPU where there is one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype="auto")
    except Exception as error:  # whatever a checkpoint's files make a library raise is the checkpoint's fault
        raise PolicyError(f"Cannot load {model} ({_in_one_line(error)}).") from error
    return tokenizer, loaded.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _generate(model_name: str, prompt: Prompt, sampling: Sampling) -> Iterator[Chunk]:
    """Return the pieces of a reply; each step is one forward pass."""
    with _FORWARD:
        tokenizer, model = _load(model_name)
    ids = _tokens(tokenizer, prompt)
    room = int(getattr(model.config, "max_position_embeddings", 1 << 30)) - len(ids)
    if room < 16:
        raise PolicyError(f"{model_name} takes {len(ids) + room} tokens; the prompt alone has {len(ids)}.")
    return _pieces(tokenizer, model, ids, sampling, min(sampling.max_tokens, room))


def _tokens(tokenizer: Any, prompt: Prompt) -> list[int]:
    if tokenizer.chat_template is None:
        text = "\n\n".join(message.content for message in prompt.messages)
        plain: list[int] = tokenizer(text + "\n\n").input_ids
        return plain
    try:
        ids: list[int] = tokenizer.apply_chat_template(
            prompt.as_chat(),
            tools=list(prompt.tools) or None,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
    except Exception as error:
        # Some templates refuse a system's message; its words go before the user's first ones.
        if prompt.messages[0].role != "system":
            raise PolicyError(f"The model's chat template failed ({_in_one_line(error)}).") from error
        return _tokens(tokenizer, without_system(prompt))
    return ids


def without_system(prompt: Prompt) -> Prompt:
    """Return the prompt with the system's words before the user's first ones."""
    system, user, *rest = prompt.messages
    return replace(prompt, messages=(Message("user", f"{system.content}\n\n{user.content}"), *rest))


def _pieces(tokenizer: Any, model: Any, ids: list[int], sampling: Sampling, limit: int) -> Iterator[Chunk]:
    import torch

    generator = torch.Generator().manual_seed(sampling.seed)
    ends = _end_tokens(tokenizer, model)
    step = torch.tensor([ids], device=model.device)
    past = None
    written: list[int] = []
    shown = ""
    for _ in range(limit):
        with torch.inference_mode():
            out = model(input_ids=step, past_key_values=past, use_cache=True)
        past = out.past_key_values
        token = _draw(out.logits[0, -1].float().cpu(), sampling.temperature, generator)
        if token in ends:
            break
        written.append(token)
        text = tokenizer.decode(written, skip_special_tokens=True)
        # Half of a multi-byte letter decodes to a replacement mark until its other half comes.
        if not text.endswith("\ufffd"):
            yield Chunk(text=text[len(shown) :])
            shown = text
        step = torch.tensor([[token]], device=model.device)
    yield Chunk(
        text=tokenizer.decode(written, skip_special_tokens=True)[len(shown) :],
        prompt_tokens=len(ids),
        completion_tokens=len(written),
    )


def _draw(logits: Any, temperature: float, generator: Any) -> int:
    import torch

    if temperature == 0.0:
        return int(logits.argmax())
    return int(torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=generator))


def _end_tokens(tokenizer: Any, model: Any) -> set[int]:
    configured = model.generation_config.eos_token_id if model.generation_config else None
    many = configured if isinstance(configured, list) else [configured]
    return {token for token in (*many, tokenizer.eos_token_id) if token is not None}
