import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from physix.policies.nano.tokenizer import NanoTokenizer
from physix.training.data.mining import SftRow
from physix.training.nano.files import fast_tokenizer
from physix.training.nano.model import make_nano, number_ids
from physix.training.nano.sft import (
    Batches,
    NanoSftConfig,
    blurred_targets,
    tokenise,
    train_nano,
)
from tests.training.conftest import TINY

CONFIG = NanoSftConfig(steps=8, batch=8, warmup=2, bf16=False, save_every=4)


def train(
    tokenizer: NanoTokenizer, rows: list[SftRow], out: Path, config: NanoSftConfig
) -> tuple[Any, list[dict[str, float]]]:
    model = make_nano(tokenizer, TINY, seed=0)
    lines: list[dict[str, float]] = []
    train_nano(
        model,
        tokenizer,
        tokenise(rows, tokenizer),
        config,
        out,
        log=lambda n, v: lines.append({"step": n, **v}),
    )
    return model, lines


def test_supervised_steps_lower_the_loss(
    tokenizer: NanoTokenizer, rows: list[SftRow], tmp_path: Path
) -> None:
    _, lines = train(tokenizer, rows, tmp_path, NanoSftConfig(steps=40, batch=8, warmup=4, bf16=False))
    losses = [line["loss"] for line in lines]
    assert losses[-1] < 0.8 * losses[0]


def test_a_resumed_run_ends_with_the_same_bits(
    tokenizer: NanoTokenizer, rows: list[SftRow], tmp_path: Path
) -> None:
    whole, _ = train(tokenizer, rows, tmp_path / "whole", CONFIG)
    half = make_nano(tokenizer, TINY, seed=0)
    ids = tokenise(rows, tokenizer)

    def interrupt(step: int, _values: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_nano(
            half,
            tokenizer,
            ids,
            CONFIG,
            tmp_path / "half",
            log=interrupt,
            evaluate=lambda _m: {},
            evaluate_every=8,
        )
    assert torch.load(tmp_path / "half" / "checkpoint.pt", weights_only=True)["step"] == 4
    resumed, _ = train(tokenizer, rows, tmp_path / "half", CONFIG)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_only_the_completion_carries_loss(tokenizer: NanoTokenizer, rows: list[SftRow]) -> None:
    batch, labels = Batches(tokenise(rows, tokenizer), tokenizer, CONFIG)[0]
    for line, wanted in zip(batch.tolist(), labels.tolist(), strict=True):
        learnt = [token for token, label in zip(line, wanted, strict=True) if label != -100]
        assert tokenizer.decode(learnt).startswith("d2q/dt2 =")
        assert learnt[-1] == tokenizer.end


def test_a_blurred_number_keeps_to_numbers_near_it() -> None:
    blur = blurred_targets(0.006)
    assert torch.allclose(blur.sum(dim=1), torch.ones(1000))
    assert int(blur[412].argmax()) == 412
    assert float(blur[412, 405:420].sum()) > 0.99


def test_a_mirrored_motion_keeps_its_law(tokenizer: NanoTokenizer, rows: list[SftRow]) -> None:
    ids = tokenise(rows, tokenizer)
    assert any(ids.mirrored)
    assert not any(m for m, row in zip(ids.mirrored, rows, strict=True) if row.system_id == "free_fall")


def test_near_numbers_begin_as_near_vectors(tokenizer: NanoTokenizer) -> None:
    weights = make_nano(tokenizer, TINY, seed=0).get_input_embeddings().weight.detach().numpy()
    vectors = weights[number_ids(tokenizer)]
    step = np.linalg.norm(vectors[400] - vectors[401])
    assert step < 0.5 * np.linalg.norm(vectors[400] - vectors[700])


def test_three_tokenizers_cut_the_same(
    tokenizer: NanoTokenizer, tokenizer_json: str, tiny_folder: Path, rows: list[SftRow]
) -> None:
    from tokenizers import Tokenizer

    library, fast = Tokenizer.from_str(tokenizer_json), fast_tokenizer(tiny_folder)
    texts = [str(row.prompt) + str(row.completion) for row in rows[:20]]
    for text in [*texts, "Ünïcode — θ̈ = 7", "d2q/dt2 = -1234e0*q", "  \n\t", "e5 e-5 the1"]:
        own = tokenizer.encode(text)
        assert own == library.encode(text).ids == fast(text)["input_ids"]
        assert tokenizer.decode(own) == text


def test_a_saved_folder_says_how_it_was_made(tiny_folder: Path) -> None:
    assert json.loads((tiny_folder / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]
