from pathlib import Path

import anyio
import numpy as np
import pytest
import torch

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.systems import sample_task
from physix.errors import BadInputError
from physix.policies.nano.forward import generate
from physix.policies.nano.policy import NanoPolicy, load_nano, untrained_twin
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.store import open_log
from physix.training.data.mining import SftRow
from physix.training.nano.export import export_nano
from physix.training.nano.files import load_nano_folder
from physix.training.nano.rollout import forward_of


def test_numpy_writes_what_transformers_writes_token_by_token(
    tiny_folder: Path, rows: list[SftRow], tokenizer: NanoTokenizer
) -> None:
    model, _, _ = load_nano_folder(tiny_folder)
    forward = forward_of(model)
    for row in rows[:6]:
        prompt = tokenizer.encode(str(row.prompt))
        written = generate(forward, prompt, end=-1, max_new=24, choose=lambda logits: int(np.argmax(logits)))
        expected = model.generate(
            torch.tensor([prompt]), max_new_tokens=24, do_sample=False, eos_token_id=-1, pad_token_id=0
        )
        assert written == expected[0, len(prompt) :].tolist()


def test_numpy_logits_equal_those_of_transformers(
    tiny_folder: Path, rows: list[SftRow], tokenizer: NanoTokenizer
) -> None:
    model, _, _ = load_nano_folder(tiny_folder)
    ids = tokenizer.encode(str(rows[0].prompt))
    forward = forward_of(model)
    forward.read(ids[:30])
    own = forward.read(ids[30:])
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0, -1].numpy()
    np.testing.assert_allclose(own, expected, atol=2e-5)


@pytest.fixture
def weights(tiny_folder: Path, tokenizer_json: str, tmp_path: Path) -> Path:
    model, _, _ = load_nano_folder(tiny_folder)
    export_nano(model, tokenizer_json, tmp_path / "nano.npz", name="tiny", meta={})
    return tmp_path / "nano.npz"


def test_the_same_model_is_exported_as_the_same_bytes(
    weights: Path, tiny_folder: Path, tokenizer_json: str, tmp_path: Path
) -> None:
    model, _, _ = load_nano_folder(tiny_folder)
    export_nano(model, tokenizer_json, tmp_path / "again.npz", name="tiny", meta={})
    assert (tmp_path / "again.npz").read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("system_id", ["spring_mass", "projectile_drag"])
def test_a_nano_policy_plays_an_episode_and_streams_what_it_writes(weights: Path, system_id: str) -> None:
    policy = NanoPolicy("nano", load_nano(weights))
    seen: list[str] = []

    async def play() -> list[str | None]:
        task, truth = sample_task(system_id, 4)
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            started = await engine.start(
                task, truth, config=EpisodeConfig(max_turns=2), policy="nano", door="test"
            )
            episode = await engine.run(started.episode_id, policy, seen.append)
            return [turn.submitted.raw_completion for turn in episode.turns]

    written = anyio.run(play)
    assert "".join(seen) == "".join(text or "" for text in written)


def test_the_untrained_twin_is_the_same_every_time(weights: Path) -> None:
    model = load_nano(weights)
    one, other = untrained_twin(model, seed=0), untrained_twin(model, seed=0)
    name = "model.layers.0.mlp.up_proj.weight"
    assert np.array_equal(one.weights[name], other.weights[name])
    assert not np.array_equal(one.weights[name], model.weights[name])


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(BadInputError, match="no nano weights"):
        load_nano(tmp_path / "no.npz")
    with pytest.raises(BadInputError, match="Cannot read"):
        load_nano(tmp_path / "missing.npz")
