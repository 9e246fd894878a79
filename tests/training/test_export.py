import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from physix.errors import BadInputError, StorageError
from physix.policies.nano.forward import Qwen2Forward, Qwen2Shape
from physix.training import loop, sft
from physix.training.data.files import write_sft
from physix.training.data.mining import MiningRules
from physix.training.doors.words import NOT_COUNTED
from physix.training.export import gguf_name, merge_16bit, modelfile, read_gguf, write_gguf
from physix.training.instruct import EpisodeTool, environment_rewards
from physix.training.kept import keep_log
from physix.training.options import GrpoOptions
from physix.training.profiles import profile_named
from physix.training.runs import read_metrics, read_run
from physix.training.toy import make_toy

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def instruct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy with two layers at random: an export is compared with a model whose attention counts."""
    folder = make_toy(tmp_path_factory.mktemp("instruct"), [("d2x/dt2 = -x", {})])
    torch.manual_seed(0)
    config = Qwen2Config.from_pretrained(folder, num_hidden_layers=2, tie_word_embeddings=True)
    config.layer_types = ["full_attention"] * 2
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def test_sft_of_an_adapter_runs_lowers_the_loss_and_merges(
    instruct: Path, teacher_db: str, tmp_path: Path
) -> None:
    anyio.run(write_sft, teacher_db, MiningRules(balance=3), tmp_path / "data")
    folder = sft.run(
        [
            "--dataset",
            str(tmp_path / "data"),
            "--model",
            str(instruct),
            "--output-dir",
            str(tmp_path / "run"),
            "--num-steps",
            "16",
            "--batch",
            "2",
            "--learning-rate",
            "2e-2",
            "--backend",
            "peft",
            "--save-method",
            "merged_16bit",
        ]
    )
    manifest = read_run([tmp_path], "run")
    assert manifest is not None
    assert (manifest.status, manifest.backend, manifest.kind) == ("finished", "peft", "sft")
    assert manifest.dataset_sha256 == json.loads((tmp_path / "data" / "manifest.json").read_text())["sha256"]
    losses = [line["loss"] or 9.0 for line in read_metrics([tmp_path], "run")]
    # Two rows a step differ more than a few steps teach: means of four steps, not one against another.
    assert sum(losses[-4:]) < sum(losses[:4])

    from peft import PeftModel

    # A merged model is asked in the words that its adapter was trained in.
    told = (tmp_path / "run" / "model" / "physix.json").read_bytes()
    assert (folder / "physix.json").read_bytes() == told

    base = AutoModelForCausalLM.from_pretrained(instruct)
    adapted = PeftModel.from_pretrained(base, str(tmp_path / "run" / "model"))
    merged = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=0.05, rtol=0.05)


def test_a_folder_without_an_adapter_is_not_merged(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no LoRA adapter"):
        merge_16bit(tmp_path, tmp_path / "out")


def test_gguf_holds_the_weights_and_gives_the_same_logits(instruct: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(instruct)
    text = (instruct / "tokenizer.json").read_text()
    path = write_gguf(model, text, tmp_path / "tiny.gguf", name="tiny", half=False)
    tensors = read_gguf(path)
    for name, value in model.state_dict().items():
        if name != "lm_head.weight":
            np.testing.assert_array_equal(tensors[name], value.numpy())
    shape = Qwen2Shape(layers=2, heads=2, kv_heads=1, head_size=16)
    own = Qwen2Forward(tensors, shape, context=32).read([5, 6, 7, 8])
    with torch.no_grad():
        expected = model(torch.tensor([[5, 6, 7, 8]])).logits[0, -1].numpy()
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_a_tensor_that_is_none_of_qwen2s_is_refused() -> None:
    assert gguf_name("model.layers.3.self_attn.q_proj.bias") == "blk.3.attn_q.bias"
    with pytest.raises(BadInputError):
        gguf_name("model.layers.0.experts.1.weight")


def test_the_modelfile_speaks_the_models_chat_format() -> None:
    text = modelfile("x.gguf")
    assert text.startswith("FROM ./x.gguf\n")
    assert "<|im_start|>{{ .Role }}" in text
    assert 'PARAMETER stop "<|im_end|>"' in text


class Watch:
    step = 4


Make = Callable[..., EpisodeTool]


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[Make]:
    db = f"sqlite:///{tmp_path / 'log.db'}"
    with keep_log(db) as log:

        def make(**more: Any) -> EpisodeTool:
            options = GrpoOptions(profile="qwen2.5-1.5b", db=db, max_turns=3, **more)
            return EpisodeTool(options, profile_named("qwen2.5-1.5b"), Watch(), log)  # type: ignore[arg-type]  # no more than it asks

        yield make


def propose(episode: EpisodeTool, equation: str, params: dict[str, float]) -> str:
    return anyio.run(episode.submit_hypothesis, equation, params)


def test_of_the_calls_in_one_message_only_the_first_counts(tool: Make) -> None:
    episode = tool()
    episode.reset(system_id="spring_mass", seed=5, noise=0.02)

    async def message() -> list[str]:
        # As TRL runs the calls of one message.
        calls = [episode.submit_hypothesis("d2x/dt2 = -a*x", {"a": float(a)}) for a in range(1, 4)]
        return await asyncio.gather(*calls)

    first, *others = asyncio.run(message())
    assert "2 turns are left" in first
    assert set(others) == {NOT_COUNTED}
    assert "1 turns are left" in propose(episode, "d2x/dt2 = -a*x", {"a": 2.0})


def test_an_episode_as_a_tool_answers_and_is_paid_for_what_it_found(tool: Make) -> None:
    episode = tool()
    told = episode.reset(system_id="spring_mass", seed=5, noise=0.02)
    assert "Propose the law. You have 3 turns." in told
    first = propose(episode, "d2x/dt2 = -a*x", {"a": 1.0})
    assert "2 turns are left" in first
    assert "1 turns are left" in propose(episode, "I do not know.", {})
    from physix.engine.systems import sample_task

    _, truth = sample_task("spring_mass", 5)
    assert "over (solved)" in propose(episode, truth.equation or "", dict(truth.params))
    functions, weights = environment_rewards(None)
    earned = {f.__name__: f([episode])[0] for f in functions}
    assert earned["correctness"] == 1.0
    assert 0.7 < earned["match"] < 0.9
    assert earned["format"] == pytest.approx(2 / 3)
    assert len(weights) == 5


def test_a_log_that_is_kept_is_opened_once_and_one_that_cannot_be_opened_says_so(
    tool: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    episode = tool()
    with monkeypatch.context() as patch:
        patch.setattr("physix.training.kept.open_log", None)  # nobody opens it again
        episode.reset(system_id="spring_mass", seed=5, noise=0.02)
        propose(episode, "d2x/dt2 = -a*x", {"a": 1.0})
    (tmp_path / "no.db").write_bytes(b"no database, and long enough to be told from an empty one" * 20)
    with pytest.raises(StorageError), keep_log(f"sqlite:///{tmp_path / 'no.db'}"):
        pass


def test_the_mismatch_can_be_withheld(tool: Make) -> None:
    episode = tool(ablation="no_history")
    episode.reset(system_id="spring_mass", seed=5, noise=0.02)
    answer = propose(episode, "d2x/dt2 = -a*x", {"a": 1.0})
    assert answer.startswith("Not right yet.")


def test_pushing_needs_a_repository() -> None:
    for run in (loop.run, lambda a: sft.run(["--dataset", "x", *a])):
        with pytest.raises(BadInputError, match="--hub-repo-id"):
            run(["--push-to-hub"])
