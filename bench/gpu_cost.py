"""What training Qwen2.5 on one GPU would cost: arithmetic from published numbers, nothing measured.

    python -m bench.gpu_cost

Written tokens cost a pass over the weights each (a sequence more or less changes nothing), learnt ones
arithmetic: 2 operations a weight forward, 2 backward (LoRA has no gradients of the weights themselves), 2 for
the forward pass that gradient checkpointing repeats. Half of the memory's bandwidth and a third of the
peak are what such kernels reach. Transformers' own generation waits for launches rather than for memory.

Sources: Qwen2.5's model cards (parameters), NVIDIA's data sheets of A100 80GB SXM and H100 SXM (dense
bfloat16, memory). The 25 ms a token of Transformers are an assumption, as are the two shares.
"""

from __future__ import annotations

from dataclasses import dataclass

from physix.training.profiles import PROFILES, Profile


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: peak operations a second in bfloat16, bytes a second of its memory."""

    name: str
    peak: float
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Run:
    """How much is read, written and learnt; the job's defaults."""

    sft_steps: int = 600
    sft_batch: int = 16
    row_tokens: int = 1_500  # a prompt of up to 900 by the prompt's own count, the tool's 275, some turns
    grpo_steps: int = 300
    prompt_tokens: int = 1_200
    turns: int = 8
    written_tokens: int = 106  # a call, by the prompt's own count, which counts from above
    told_tokens: int = 90  # an answer of the tool
    eval_episodes: int = 160  # two models, two suites, 40 each


GPUS = (Gpu("A100 80GB", 312e12, 2.04e12), Gpu("H100 80GB", 989e12, 3.35e12))
WEIGHTS = {"qwen2.5-1.5b": 1.54e9, "qwen2.5-3b": 3.09e9}
REACHED_OF_PEAK, REACHED_OF_BANDWIDTH = 1 / 3, 1 / 2
LAUNCH_S = 0.025
TURN_S = 0.015  # verifier and log of a turn, one core (`physix bench training`: 6 to 20 ms)


def learning_s(weights: float, tokens: float, gpu: Gpu) -> float:
    """Return the seconds of a forward and backward pass with checkpointing over so many tokens."""
    return 6 * weights * tokens / (gpu.peak * REACHED_OF_PEAK)


def token_s(weights: float, gpu: Gpu, *, vllm: bool) -> float:
    """Return the seconds in which every sequence of a batch grows by one token."""
    read = 2 * weights / (gpu.bandwidth * REACHED_OF_BANDWIDTH)
    return read if vllm else max(read, LAUNCH_S)


def hours(profile: Profile, gpu: Gpu, run: Run, *, vllm: bool) -> dict[str, float]:
    """Return the hours of each stage."""
    weights = WEIGHTS[profile.name]
    rollouts = profile.group * profile.prompts_per_step
    dialogue = run.prompt_tokens + run.turns * (run.written_tokens + run.told_tokens)
    token = token_s(weights, gpu, vllm=vllm)
    step = (
        run.turns * run.written_tokens * token
        + learning_s(weights, rollouts * dialogue, gpu)
        + rollouts * run.turns * TURN_S
    )
    one_by_one = run.turns * run.written_tokens * token_s(weights, gpu, vllm=False)
    return {
        "SFT": run.sft_steps * learning_s(weights, run.sft_batch * run.row_tokens, gpu) / 3_600,
        "GRPO": run.grpo_steps * step / 3_600,
        "evaluation": run.eval_episodes * one_by_one / 3_600,
    }


def main() -> None:
    """Print the table."""
    print("| model | GPU | generation | SFT | GRPO | evaluation | hours |\n|---|---|---|---|---|---|---|")
    for name in WEIGHTS:
        for gpu in GPUS:
            for vllm in (False, True):
                found = hours(PROFILES[name], gpu, Run(), vllm=vllm)
                cells = " | ".join(f"{one:.1f}" for one in [*found.values(), sum(found.values())])
                print(f"| {name} | {gpu.name} | {'vLLM' if vllm else 'Transformers'} | {cells} |")


if __name__ == "__main__":
    main()
