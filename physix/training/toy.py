"""A Qwen2 of toy size that calls the tool: made in seconds, on a CPU, without a network.

`examples/grpo_trl.py` and the smoke run of `physix-train/job_train.py` train it through the real reward path.

Each turn is one of a few calls, each a token of its own, all equally likely at first. The attention is
switched off, so that the next token depends on the last one alone: what there is to learn is which law to
propose. It is no language model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl.chat_template_utils import qwen2_5_chat_template

from physix.policies.chat.tool_dialogue import TOOL

# What is asked is told in these words, more or less: pieces of words make the prompts a third as long.
_WORDS = (
    "discover equations of motion measurements propose ordinary differential equation reproduces proposal "
    "integrated numerically first sample compared Grammar variable listed second-order first-order Allowed "
    "numbers state variables names params multiplication ASCII constant fitted found residuals larger noise "
    "motions shown shorter laws earn little proposals message answered match wrong parameters description"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


# An equation and its constants; None leaves a constant to be fitted, where an episode fits them.
Law = tuple[str, Mapping[str, float | None]]


def make_toy(folder: Path, laws: Sequence[Law], *, seed: int = 0) -> Path:
    """Write tokenizer and model to `folder`; the model proposes each of `laws` equally often."""
    torch.manual_seed(seed)
    calls = [toy_call(equation, params) for equation, params in laws]
    tokenizer = _tokenizer(calls)
    tokenizer.save_pretrained(folder)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=64,
            max_position_embeddings=4_096,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=False,
        )
    )
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
    _teach(model, tokenizer, calls)
    model.save_pretrained(folder)
    return folder


def toy_call(equation: str, params: Mapping[str, float | None]) -> str:
    """Return a call as Qwen2.5's chat template writes it; JSON's null is a constant to be fitted.

    Unlike `tool_dialogue.call_text` it gives no rationale, which the tool of `doors.trl` does not take.
    """
    body = json.dumps({"name": TOOL, "arguments": {"equation": equation, "params": dict(params)}})
    return f"<tool_call>\n{body}\n</tool_call>"


def _tokenizer(calls: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([qwen2_5_chat_template, _WORDS] * 2, trainer)
    tokenizer.add_tokens([AddedToken(call, normalized=False) for call in calls])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=qwen2_5_chat_template,
        eos_token=_SPECIAL[2],
        pad_token=_SPECIAL[0],
    )


def _teach(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, calls: list[str]) -> None:
    """Let the model call after the template's opening, and stop after a call."""
    opened = tokenizer("<|im_start|>assistant\n")["input_ids"][-1]
    written = [tokenizer(call)["input_ids"] for call in calls]
    ids = torch.tensor([[opened, call[0]] for call in written])
    wanted = torch.tensor([[call[0], tokenizer.eos_token_id] for call in written])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    for _ in range(60):
        logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        model.model.layers[0].self_attn.o_proj.weight.grad = None
        optimizer.step()
