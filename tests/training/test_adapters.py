"""Adapters: trained on rather than begun anew, the loss that is learnt, and what llama.cpp is given."""

import json
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import torch

from physix.errors import BadInputError, PolicyError
from physix.training import compact_grpo
from physix.training.adapter_gguf import interleaved, write_adapter_gguf
from physix.training.backends import Backend, load, lora_rank
from physix.training.compact_grpo import Span, Tape, TurnwiseTrainer
from physix.training.data.lessons import lesson_config
from physix.training.dialogue import check_template, write_dialogue
from physix.training.options import GrpoOptions

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Transformers and TRL among themselves
PEFT = Backend(name="peft", reason="test")
IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter that says something: its B matrices are no zeros, as they are at first."""
    from peft import get_peft_model

    loaded = load(PEFT, str(base), lora_rank=4, context=64, seed=0)
    model = get_peft_model(loaded.model, loaded.peft_config)
    torch.manual_seed(1)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.3)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return folder


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model.eval()(input_ids=IDS).logits


def test_what_follows_sft_starts_from_sft(base: Path, adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter))
    loaded = load(PEFT, str(adapter), lora_rank=4, context=64, seed=0)
    assert loaded.peft_config is None  # else the trainer would begin a second one
    assert torch.equal(logits(loaded.model), logits(tuned))
    assert not torch.allclose(
        logits(loaded.model), logits(load(PEFT, str(base), lora_rank=4, context=64, seed=0).model)
    )
    assert any(value.requires_grad for name, value in loaded.model.named_parameters() if "lora_" in name)


def test_an_adapter_is_not_trained_whole(adapter: Path) -> None:
    with pytest.raises(BadInputError, match="is an adapter"):
        load(Backend(name="full", reason="test"), str(adapter), lora_rank=4, context=64, seed=0)


def test_an_adapter_that_does_not_say_of_what_is_refused(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInputError, match="does not name the model"):
        load(PEFT, str(tmp_path), lora_rank=4, context=64, seed=0)


def test_an_adapter_is_written_tensor_by_tensor(adapter: Path, tmp_path: Path) -> None:
    import gguf
    from safetensors.numpy import load_file

    path = write_adapter_gguf(adapter, tmp_path / "a.gguf", name="a")
    reader = gguf.GGUFReader(str(path))
    found = {str(one.name): np.array(one.data, dtype=np.float32) for one in reader.tensors}
    weights = load_file(adapter / "adapter_model.safetensors")
    assert len(found) == len(weights) == 2 * 2 * 7  # two layers, seven matrices, A and B
    own = next(value for key, value in weights.items() if "layers.1.mlp.up_proj.lora_A" in key)
    np.testing.assert_allclose(found["blk.1.ffn_up.weight.lora_a"], own, atol=2e-3)


def test_llamas_queries_are_interleaved_head_by_head() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]  # two heads of four rows: halves (0 1 | 2 3), (4 5 | 6 7)
    assert interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no LoRA adapter"):
        write_adapter_gguf(tmp_path, tmp_path / "a.gguf", name="a")


@pytest.mark.parametrize(
    ("template", "refused"),
    [
        (None, "no chat template"),
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor %}", "knows no tools"),
    ],
)
def test_a_template_that_cannot_say_a_row_is_refused_before_anything_is_written(
    base: Path, template: str | None, refused: str
) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer

    from physix.policies.chat.tool_dialogue import TOOL_SCHEMA

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = template
    row = {"prompt": [{"role": "system", "content": "s"}], "completion": [], "tools": [TOOL_SCHEMA]}
    with pytest.raises(BadInputError, match=refused):
        check_template(tokenizer, Dataset.from_list([row]))


def test_a_checkpoint_says_in_which_words_it_was_trained(tmp_path: Path) -> None:
    from physix.policies.chat.hf import trained_dialogue

    assert trained_dialogue(str(tmp_path)) == "chat"
    write_dialogue(tmp_path, "tool-2-2")
    assert trained_dialogue(str(tmp_path)) == "tool"
    write_dialogue(tmp_path, "compact-1")
    assert trained_dialogue(str(tmp_path)) == "compact"
    (tmp_path / "physix.json").write_text("[]")
    assert trained_dialogue(str(tmp_path)) == "chat"


def test_the_loss_is_trls_own(base: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from physix.training.completion_loss import CompletionLossTrainer

    rows = Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": "x" * n}],
                "completion": [{"role": "assistant", "content": "y = " + "z" * (n % 5)}],
            }
            for n in (3, 9, 14, 5)
        ]
    )
    losses = []
    for trainer_class in (SFTTrainer, CompletionLossTrainer):
        loaded = load(Backend(name="full", reason=""), str(base), lora_rank=4, context=64, seed=0)
        trainer = trainer_class(
            model=loaded.model,
            args=SFTConfig(
                output_dir=str(tmp_path),
                max_steps=1,
                per_device_train_batch_size=4,
                completion_only_loss=True,
                logging_steps=1,
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                report_to="none",
                disable_tqdm=True,
                learning_rate=0.0,
            ),
            train_dataset=rows,
            processing_class=loaded.tokenizer,
        )
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


class Turnwise(TurnwiseTrainer):
    """The trainer without TRL's set-up: what it reads with."""

    def __init__(self, model: Any, tokenizer: Any, temperature: float) -> None:
        from contextlib import nullcontext
        from types import SimpleNamespace

        self.processing_class = tokenizer
        self.temperature = temperature
        self.accelerator = SimpleNamespace(autocast=nullcontext)
        self.texts = {}


def test_each_turn_is_read_in_its_own_context(base: Path) -> None:
    loaded = load(Backend(name="full", reason=""), str(base), lora_rank=4, context=64, seed=0)
    tape = Tape([([5, 6, 7], [8, 9]), ([10, 11], [12, 13, 14])])
    prompt, completion, mask = tape.columns()
    assert (prompt, completion, mask) == ([5, 6, 7], [8, 9, 10, 11, 12, 13, 14], [1, 1, 0, 0, 1, 1, 1])
    assert tape.spans() == (Span(0, 3, 5), Span(5, 7, 10))
    trainer = Turnwise(loaded.model, loaded.tokenizer, temperature=0.5)
    trainer.texts = {(*prompt, *completion): tape.spans()}
    ids = torch.tensor([[0, 0, *prompt, *completion, 0]])
    real = torch.tensor([[0, 0, *[1] * 10, 0]])
    logps, entropies, _ = trainer._get_per_token_logps_and_entropies(
        loaded.model.eval(), ids, real, 8, compute_entropy=True
    )

    def direct(asked: list[int], written: list[int]) -> list[float]:
        with torch.no_grad():
            every = torch.log_softmax(
                loaded.model(input_ids=torch.tensor([[*asked, *written]])).logits[0].float() / 0.5, dim=-1
            )
        return [float(every[len(asked) + i - 1, token]) for i, token in enumerate(written)]

    expected = [*direct([5, 6, 7], [8, 9]), 0.0, 0.0, *direct([10, 11], [12, 13, 14]), 0.0]
    np.testing.assert_allclose(logps[0].detach().numpy(), expected, atol=1e-4)
    assert entropies is not None
    assert float(entropies[0, 0]) > 0.0
    logps.sum().backward()
    assert any(p.grad is not None for p in loaded.model.parameters())

    read = []
    loaded.model.register_forward_hook(lambda *_: read.append(1))
    twice, _, _ = trainer._get_per_token_logps_and_entropies(
        loaded.model, ids.repeat(2, 1), real.repeat(2, 1), 8, compute_entropy=True
    )
    assert len(read) == 1  # two turns, though four were played: the same words are read once
    np.testing.assert_allclose(twice.detach().numpy(), np.tile(expected, (2, 1)), atol=1e-4)
    first = next(p for p in loaded.model.parameters() if p.grad is not None)
    once = first.grad.clone()
    first.grad = None
    twice.sum().backward()
    torch.testing.assert_close(first.grad, 2 * once, atol=1e-4, rtol=1e-3)


def test_random_laws_and_the_systems_take_turns_by_their_share() -> None:
    from physix.training.compact_grpo import tasks_of
    from physix.training.options import GrpoOptions
    from physix.training.profiles import profile_named

    def drawn(share: float) -> list[str]:
        options = GrpoOptions(num_steps=5, prompts_per_step=2, random_laws=share, systems=("a", "b"))
        rows = tasks_of(options, profile_named("smollm2"))
        return [json.loads(row["prompt"])["system_id"][0] for row in rows]

    assert drawn(0.8) == list("assssbssss")
    assert drawn(0.5) == list("asbsasbsas")
    assert drawn(0.0) == list("ababababab")
    assert drawn(1.0) == list("ssssssssss")


def test_a_group_goes_through_the_model_in_the_order_of_play() -> None:
    from types import SimpleNamespace

    class Scored(TurnwiseTrainer):
        def __init__(self) -> None:
            self.model = SimpleNamespace(training=True)
            self.args = SimpleNamespace(steps_per_generation=3)
            self.num_iterations, self._step, self._buffered_inputs = 1, 0, None

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            return {"row": torch.arange(6), "num_items_in_batch": torch.tensor(9)}

    trainer, seen = Scored(), []
    for trainer._step in range(3):
        batch = trainer._prepare_inputs({})
        seen += batch["row"].tolist()
        assert int(batch["num_items_in_batch"]) == 9
    assert seen == [0, 1, 2, 3, 4, 5]


def test_run_files_say_how_a_run_ended(tmp_path: Path) -> None:
    import signal

    from physix.training.manifest import new_manifest
    from physix.training.runs import RunWriter, StoppedError

    def run(name: str) -> RunWriter:
        return RunWriter(
            tmp_path / name,
            new_manifest(run_id=name, kind="sft", profile="p", model="m", seed=0, config={}),
        )

    def told(name: str) -> tuple[str, list[str]]:
        found = json.loads((tmp_path / name / "run.json").read_text())
        return found["status"], found["notes"]

    with pytest.raises(ValueError, match="boom"), run("a").ending():
        raise ValueError("boom")
    assert told("a") == ("failed", ["ended by ValueError: boom"])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(StoppedError), run("b").ending():
        signal.raise_signal(signal.SIGTERM)
    assert told("b") == ("failed", ["ended by StoppedError: SIGTERM"])
    assert signal.getsignal(signal.SIGTERM) is before
    writer = run("c")
    with writer.ending():
        pass
    writer.finish("finished")
    assert told("c") == ("finished", [])


def test_the_rank_of_a_run_is_that_of_the_adapter_it_goes_on_with(adapter: Path, base: Path) -> None:
    assert lora_rank(PEFT, str(adapter), None, 16) == 4
    assert lora_rank(PEFT, str(adapter), 4, 16) == 4
    assert lora_rank(PEFT, str(base), None, 16) == 16
    assert lora_rank(PEFT, str(base), 32, 16) == 32
    assert lora_rank(Backend(name="full", reason="test"), str(base), None, 16) is None
    with pytest.raises(BadInputError, match=r"--lora-rank is 32, but the adapter .* has rank 4"):
        lora_rank(PEFT, str(adapter), 32, 16)


def test_only_what_llama_cpp_can_play_with_is_reinforced(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact_grpo, "missing", lambda _policy: "fetch it first")
    with pytest.raises(BadInputError, match="fetch it first"):
        compact_grpo.check_servable(str(adapter))
    monkeypatch.setattr(compact_grpo, "missing", lambda _policy: None)
    monkeypatch.setattr(compact_grpo, "resolved", lambda model: str(base) if model == "smollm2" else model)
    compact_grpo.check_servable(str(adapter))
    other = json.loads((base / "config.json").read_text()) | {"vocab_size": 300}
    (tmp_path / "config.json").write_text(json.dumps(other))
    with pytest.raises(BadInputError, match="is no SmolLM2"):
        compact_grpo.check_servable(str(tmp_path))


def test_an_episode_that_was_not_played_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHYSIX_MODELS", str(tmp_path))
    rollouts = compact_grpo.Rollouts(
        options=GrpoOptions(profile="smollm2", db="memory://", output_dir=tmp_path),
        config=lesson_config(1),
        folder=tmp_path,
        tokenizer=None,
        on_played=lambda _played, _spent: None,
    )
    prompts = [json.dumps({"system_id": "spring_mass", "seed": seed, "noise": 0.0}) for seed in (1, 2)]
    with pytest.raises(PolicyError, match=r"was not played: .* is not (here yet|installed)"):
        anyio.run(rollouts._play_all, prompts, tmp_path / "adapter.gguf", 0)
