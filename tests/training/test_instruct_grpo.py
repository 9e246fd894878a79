"""GRPO of a model that calls the tool: TRL's own loop, real episodes, feedback that carries no loss."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import get_json_schema
from trl.chat_template_utils import qwen2_5_chat_template

from physix.engine.verifier.types import Hypothesis
from physix.policies.chat.tool_dialogue import DIALOGUE_VERSION, TOOL_SCHEMA, call_text
from physix.store import open_log
from physix.training.backends import Backend
from physix.training.data.files import write_sft
from physix.training.data.mining import MiningRules
from physix.training.instruct import EpisodeTool, instruct_trainer
from physix.training.kept import keep_log
from physix.training.options import GrpoOptions
from physix.training.profiles import profile_named
from physix.training.runs import read_metrics
from physix.training.sft_trainer import read_rows
from physix.training.watch import finish

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend

CALLS = [
    call_text(Hypothesis(equation=equation, params=params))
    for equation, params in (
        ("d2x/dt2 = -a*x", {"a": 9.0}),
        ("d2x/dt2 = -a*x - b*vx", {"a": 20.0, "b": 0.5}),
        ("d2x/dt2 = (", {}),
    )
]


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of toy size whose every turn is one of three calls, each a token of its own.

    Without attention the next token depends on the last one alone: all it must learn is to call after
    the template's opening and to stop after a call.
    """
    folder = tmp_path_factory.mktemp("caller")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = [qwen2_5_chat_template, json.dumps(TOOL_SCHEMA)] * 2
    tokenizer.train_from_iterator(
        words,
        trainers.BpeTrainer(
            vocab_size=700, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer.add_tokens([AddedToken(call, normalized=False) for call in CALLS])
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=qwen2_5_chat_template, **marks)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=64,
        max_position_embeddings=4096,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        tie_word_embeddings=False,
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        model.model.layers[0].self_attn.o_proj.weight.zero_()
    opened = fast("<|im_start|>assistant\n")["input_ids"][-1]
    calls = [fast(call)["input_ids"] for call in CALLS]
    assert all(len(one) == 1 for one in calls)
    ids = torch.tensor([[opened, call[0]] for call in calls])
    wanted = torch.tensor([[call[0], fast.eos_token_id] for call in calls])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    for _ in range(60):
        logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        model.model.layers[0].self_attn.o_proj.weight.grad = None
        optimizer.step()
    model.save_pretrained(folder)
    return folder


def test_a_model_plays_whole_episodes_through_its_tool_and_feedback_carries_no_loss(
    caller: Path, tmp_path: Path
) -> None:
    options = GrpoOptions(
        profile="qwen2.5-1.5b",
        model=str(caller),
        output_dir=tmp_path / "run",
        num_steps=2,
        group=4,
        prompts_per_step=1,
        systems=("spring_mass",),
        db=f"sqlite:///{tmp_path / 'grpo.db'}",
        max_turns=2,
        learning_rate=1e-2,
    )
    backend = Backend(name="full", reason="asked for")
    batches: list[dict[str, Any]] = []
    with keep_log(options.db) as log:
        trainer, run, watch = instruct_trainer(options, profile_named("qwen2.5-1.5b"), backend, log)
        score = trainer._generate_and_score_completions

        def kept(inputs: Any) -> dict[str, Any]:
            batches.append(score(inputs))
            return batches[-1]

        trainer._generate_and_score_completions = kept
        finish(trainer, run, watch)

    tokenizer = AutoTokenizer.from_pretrained(caller)
    several = 0
    for ids, mask, real in zip(
        *(batches[0][name] for name in ("completion_ids", "tool_mask", "completion_mask")), strict=True
    ):
        written = tokenizer.decode(ids[(mask * real).bool()])
        answered = tokenizer.decode(ids[((1 - mask) * real).bool()])
        assert "r_match" not in written
        assert all(call not in answered for call in CALLS)
        several += answered.count("<tool_response>") == 2
        if "<tool_call>" in written:
            assert "<tool_response>" in answered
            assert "2 turns are left" not in answered
    assert several  # an episode of two turns, the second after the first one's feedback

    # The loss does not move with the ratio at feedback tokens, and does with that of written ones.
    batch = batches[0]
    feedback = (1 - batch["tool_mask"]) * batch["completion_mask"]
    written_mask = batch["tool_mask"] * batch["completion_mask"]
    batch["advantages"] = torch.ones_like(batch["advantages"])
    old = -torch.ones(batch["completion_ids"].shape)
    with torch.no_grad():
        plain, told, own = (
            float(trainer._compute_loss(trainer.model, {**batch, "old_per_token_logps": old + shift}))
            for shift in (0.0, 0.3 * feedback, 0.3 * written_mask)
        )
    assert told == plain
    assert own != plain

    lines = read_metrics([tmp_path], "run")
    assert [line["step"] for line in lines] == [1, 2]
    assert {"solved", "turns", "match", "format"} <= set(lines[0])
    rollouts = [json.loads(text) for text in (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()]
    assert len(rollouts) == 8

    async def reasons() -> set[str]:
        async with open_log(options.db) as log:
            events = [(await log.read(one["episode_id"]))[-1].event for one in rollouts]
        return {type(event).__name__ for event in events}

    assert anyio.run(reasons) == {"EpisodeFinished"}


def test_rows_from_the_log_teach_the_dialogue_that_is_played(
    caller: Path, teacher_db: str, tmp_path: Path
) -> None:
    assert get_json_schema(EpisodeTool.submit_hypothesis) == TOOL_SCHEMA
    anyio.run(write_sft, teacher_db, MiningRules(render="tool"), tmp_path)
    rows, _, renderer = read_rows(tmp_path)
    assert renderer == DIALOGUE_VERSION
    assert rows[0]["tools"] == [TOOL_SCHEMA]  # a list: Unsloth hands it to the template as it is
    later = next(row for row in rows if len(row["prompt"]) == 4)
    tokenizer = AutoTokenizer.from_pretrained(caller)
    taught = tokenizer.apply_chat_template(later["prompt"] + later["completion"], tokenize=False)
    # As structured messages, in the form in which TRL hands a conversation over.
    body = later["prompt"][2]["content"].split("\n")[1]
    said = later["prompt"][3]["content"].removeprefix("<tool_response>\n").removesuffix("\n</tool_response>")
    last = json.loads(later["completion"][0]["content"].split("\n")[1])
    played = [
        *later["prompt"][:2],
        {"role": "assistant", "content": "", "tool_calls": [{"function": json.loads(body)}]},
        {"role": "tool", "name": "submit_hypothesis", "content": said},
        {"role": "assistant", "content": "", "tool_calls": [{"function": last}]},
    ]
    assert taught == tokenizer.apply_chat_template(played, tokenize=False)
