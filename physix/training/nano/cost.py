"""What a real GRPO step of the nano model takes, for `physix bench training`."""

from __future__ import annotations

import contextlib
import io
import json
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from physix.policies.nano.policy import NanoModel
from physix.training.grpo import train_grpo
from physix.training.nano.files import save_nano
from physix.training.nano.model import CONTEXT
from physix.training.options import GrpoOptions
from physix.training.runs import read_metrics

_STEPS = 4  # the first one warms up and is not counted


def step_seconds(model: NanoModel, folder: Path) -> dict[str, float]:
    """Return the mean seconds of a GRPO step through TRL at the nano profile's own size.

    `step_s` is the whole step, `rollout_s` its episodes, `environment_s` the part of those that the
    policy does not use: verifier, log, and what schedules them. `turns` and `tokens` are a step's.
    """
    twin = _twin(model)
    with resources.as_file(resources.files("physix.policies.nano") / "weights" / "nano.npz") as path:
        tokenizer_json = str(np.load(path, allow_pickle=False)["tokenizer"])
    save_nano(twin, tokenizer_json, folder / "model")
    options = GrpoOptions(
        model=str(folder / "model"),
        output_dir=folder / "run",
        num_steps=_STEPS,
        learning_rate=1e-9,  # the model stays as it is
        db=f"sqlite:///{folder / 'grpo.db'}",
        save_every=1_000,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        train_grpo(options)
    lines = read_metrics([folder], "run")[1:]
    rollouts = [json.loads(text) for text in (folder / "run" / "rollouts.jsonl").read_text().splitlines()]
    episodes = len(rollouts) / _STEPS

    def mean(name: str) -> float:
        return sum(line[name] or 0.0 for line in lines) / len(lines)

    return {
        "step_s": mean("step_time"),
        "rollout_s": mean("rollout_s"),
        "environment_s": mean("environment_s"),
        "turns": mean("turns") * episodes,
        "tokens": mean("completions/mean_length") * episodes,
    }


def _twin(model: NanoModel) -> Qwen2ForCausalLM:
    """Return the shipped model for Transformers."""
    shape = model.shape
    config = Qwen2Config(
        vocab_size=len(model.tokenizer),
        hidden_size=shape.heads * shape.head_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        pad_token_id=model.tokenizer.pad,
        eos_token_id=model.tokenizer.end,
        intermediate_size=model.weights["model.layers.0.mlp.up_proj.weight"].shape[0],
        tie_word_embeddings=True,
    )
    twin = Qwen2ForCausalLM(config)
    weights = {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in model.weights.items()}
    twin.load_state_dict(weights, strict=False)  # the head is the embedding
    return twin
