"""In which words a model is trained: whether its template can say them, and a note beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from physix.errors import BadInputError
from physix.policies.chat.hf import DIALOGUE_FILE
from physix.policies.chat.tool_dialogue import TOOL_SCHEMA
from physix.policies.nano.codec import CODEC_VERSION


def check_words(renderer: str, *, instruct: bool) -> None:
    """Refuse rows that the model could not read: those of `nano` are numbers, all others conversations.

    Raises:
        BadInputError: they are the other kind.
    """
    if (renderer != CODEC_VERSION) != instruct:
        right = "chat or --render tool" if instruct else "nano"
        raise BadInputError(
            f"The rows are rendered as {renderer}, which this model does not read: mine them with "
            f"--render {right}."
        )


def check_tools(tokenizer: Any) -> None:
    """Refuse a tokenizer whose chat template cannot tell of the tool, before anything is written.

    Raises:
        BadInputError: it has no template, or leaves the tool out.
    """
    chat = [{"role": "system", "content": ""}, {"role": "user", "content": ""}]
    check_template(tokenizer, [{"prompt": chat, "tools": [TOOL_SCHEMA]}])


def check_template(tokenizer: Any, rows: Dataset | Sequence[Mapping[str, Any]]) -> None:
    """Refuse a tokenizer whose chat template cannot say a row, before anything is written.

    Raises:
        BadInputError: it has no template, knows no system's role, or leaves the tools out.
    """
    row = rows[0]
    if isinstance(row["prompt"], str):
        return
    if tokenizer.chat_template is None:
        raise BadInputError("The model has no chat template: use its instruct version.")
    tools = row.get("tools")
    try:
        text = tokenizer.apply_chat_template(row["prompt"], tools=tools, tokenize=False)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise BadInputError(
            f"The model's chat template refuses the rows ({said}): it may know no system's role."
        ) from error
    if tools and tools[0]["function"]["name"] not in text:
        raise BadInputError(
            "The model's chat template knows no tools: take a model whose template does (Qwen2.5), or for "
            "SFT mine rows with --render chat."
        )


def write_dialogue(model: Path, renderer: str) -> None:
    """Write beside the weights in which words they were trained, for `hf:` to ask in the same."""
    dialogue = renderer.partition("-")[0]  # "chat", "tool" or "compact"
    (model / DIALOGUE_FILE).write_text(json.dumps({"dialogue": dialogue, "renderer": renderer}) + "\n")
