"""GRPO of a model that calls the tool: TRL's own loop, real episodes, feedback that carries no loss."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from transformers import AutoTokenizer
from transformers.utils import get_json_schema

from physix.policies.chat.tool_dialogue import DIALOGUE_VERSION, TOOL_SCHEMA
from physix.store import open_log
from physix.training.backends import Backend, load
from physix.training.continuing import begin_run
from physix.training.data.files import write_sft
from physix.training.data.mining import MiningRules
from physix.training.instruct import EpisodeTool, instruct_trainer
from physix.training.kept import keep_log
from physix.training.options import GrpoOptions, grpo_manifest
from physix.training.profiles import profile_named
from physix.training.runs import read_metrics
from physix.training.sft_trainer import read_rows
from physix.training.toy import Law, make_toy, toy_call
from physix.training.watch import finish

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend

LAWS: list[Law] = [
    ("d2x/dt2 = -a*x", {"a": 9.0}),
    ("d2x/dt2 = -a*x - b*vx", {"a": 20.0, "b": 0.5}),
    ("d2x/dt2 = (", {}),
]
CALLS = [toy_call(equation, params) for equation, params in LAWS]


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose every turn is one of three calls, each a token of its own."""
    folder = make_toy(tmp_path_factory.mktemp("caller"), LAWS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert all(len(tokenizer(call)["input_ids"]) == 1 for call in CALLS)
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
        loaded = load(backend, str(caller), lora_rank=1, context=64, seed=0)
        run = begin_run(options.output_dir, grpo_manifest(options, str(caller), backend))
        trainer, watch = instruct_trainer(options, profile_named("qwen2.5-1.5b"), loaded, log, run)
        score = trainer._generate_and_score_completions

        def kept(inputs: Any) -> dict[str, Any]:
            batches.append(score(inputs))
            return batches[-1]

        trainer._generate_and_score_completions = kept
        finish(trainer, run, watch, lambda: None)

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
