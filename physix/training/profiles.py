"""The models this pipeline trains, and what each needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

from physix.errors import BadInputError

_N = TypeVar("_N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A model and the settings that suit it.

    Attributes:
        model: Hugging Face id, or "" where the model is made here.
        instruct: whether it chats (whole prompts in English) or speaks the nano codec.
        group: rollouts per task; prompts_per_step tasks make a step.
        small: trained on a CPU with the compact prompt: its weights are read as bfloat16 there, and logits
            are computed for completions alone.
    """

    name: str
    model: str
    instruct: bool
    learning_rate_sft: float
    learning_rate_grpo: float
    group: int
    prompts_per_step: int
    max_turns: int
    max_completion_tokens: int
    lora_rank: int = 16
    small: bool = False


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="qwen2.5-1.5b",
            model="Qwen/Qwen2.5-1.5B-Instruct",
            instruct=True,
            learning_rate_sft=2e-4,
            learning_rate_grpo=5e-6,
            group=8,
            prompts_per_step=4,
            max_turns=8,
            max_completion_tokens=2_048,
        ),
        Profile(
            name="qwen2.5-3b",
            model="Qwen/Qwen2.5-3B-Instruct",
            instruct=True,
            learning_rate_sft=1e-4,
            learning_rate_grpo=3e-6,
            group=8,
            prompts_per_step=4,
            max_turns=8,
            max_completion_tokens=2_048,
        ),
        Profile(
            name="smollm2",
            model="smollm2",  # physix.training.smollm2 unpacks it where `physix models pull` has put it
            instruct=True,
            learning_rate_sft=8e-4,
            learning_rate_grpo=5e-5,
            group=6,
            prompts_per_step=3,
            max_turns=6,
            max_completion_tokens=96,
            lora_rank=8,
            small=True,
        ),
        Profile(
            name="nano",
            model="",
            instruct=False,
            learning_rate_sft=2e-3,
            learning_rate_grpo=3e-4,
            group=16,
            prompts_per_step=8,
            max_turns=4,
            max_completion_tokens=192,
        ),
    )
}


def limited(profile: Profile, lora_rank: int | None, max_completion_tokens: int | None) -> Profile:
    """Return the profile with other limits, where they are given.

    Raises:
        BadInputError: a limit is below 1.
    """
    at_least(("--lora-rank", lora_rank, 1), ("--max-completion-tokens", max_completion_tokens, 1))
    return replace(
        profile,
        lora_rank=or_else(lora_rank, profile.lora_rank),
        max_completion_tokens=or_else(max_completion_tokens, profile.max_completion_tokens),
    )


def or_else(given: _N | None, profiles: _N) -> _N:
    """Return what was given, the profile's value if nothing was; a zero that was given is given."""
    return profiles if given is None else given


def at_least(*numbers: tuple[str, float | None, float]) -> None:
    """Check flags against the least that makes sense of each; None is not checked.

    Raises:
        BadInputError: one is below it, or no number.
    """
    for flag, value, least in numbers:
        if value is not None and not least <= value < math.inf:
            raise BadInputError(f"{flag} is {value:g}; it must be at least {least:g}.")


def above_zero(*numbers: tuple[str, float | None]) -> None:
    """Check that flags are positive; None is not checked.

    Raises:
        BadInputError: one is 0 or below, or no number.
    """
    for flag, value in numbers:
        if value is not None and not 0.0 < value < math.inf:
            raise BadInputError(f"{flag} is {value:g}; it must be above 0.")


def profile_named(name: str) -> Profile:
    """Return a profile.

    Raises:
        BadInputError: there is none of that name.
    """
    found = PROFILES.get(name)
    if found is None:
        raise BadInputError(f"Unknown profile {name[:40]!r}. Known profiles: {', '.join(PROFILES)}.")
    return found
