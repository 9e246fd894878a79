"""The arithmetic of a run on a GPU, against cases worked by hand."""

import pytest

from bench.gpu_cost import LAUNCH_S, Gpu, Run, hours, learning_s, token_s
from physix.training.profiles import PROFILES

ROUND = Gpu("round", 3e14, 2e12)  # reaches 1e14 operations and 1e12 bytes a second


def test_a_learnt_token_costs_six_operations_a_weight() -> None:
    assert learning_s(1e9, 1e5, ROUND) == pytest.approx(6.0)


def test_a_written_token_reads_the_weights_once_or_waits_for_its_launches() -> None:
    assert token_s(1e9, ROUND, vllm=True) == pytest.approx(0.002)
    assert token_s(1e9, ROUND, vllm=False) == LAUNCH_S
    assert token_s(2e10, ROUND, vllm=False) == pytest.approx(0.04)


def test_a_step_writes_learns_and_verifies_every_rollout() -> None:
    run = Run(grpo_steps=3_600, sft_steps=3_600, sft_batch=10, row_tokens=1_000, eval_episodes=0)
    found = hours(PROFILES["qwen2.5-1.5b"], ROUND, run, vllm=True)
    # 8 turns of 106 tokens at 3.08 ms; 32 dialogues of 1,200 + 8 * 196 tokens; 256 turns at 15 ms.
    assert found["GRPO"] == pytest.approx(848 * 3.08e-3 + 6 * 1.54e9 * 32 * 2_768 / 1e14 + 256 * 0.015)
    assert found["SFT"] == pytest.approx(6 * 1.54e9 * 10_000 / 1e14)
    assert found["evaluation"] == 0
