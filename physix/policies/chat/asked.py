"""What a model was asked for a turn, written anew from the log: prompts are not stored, their hashes are."""

from __future__ import annotations

from dataclasses import dataclass

from physix.engine import Provenance
from physix.engine.ports import Observation
from physix.policies.chat import compact
from physix.policies.chat import prompt as prompting
from physix.policies.chat.compact import COMPACT_VERSION
from physix.policies.chat.prompt import PROMPT_VERSION, Message
from physix.policies.nano.codec import CODEC_VERSION, frames
from physix.policies.nano.policy import asked_of, prompt_sha256, shipped_nano


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt as today's code writes it.

    Attributes:
        exact: its hash is the recorded one: it is word for word what the model read.
    """

    messages: tuple[Message, ...]
    version: str
    exact: bool


def asked(observation: Observation, provenance: Provenance, *, budget_tokens: int) -> Asked | None:
    """Return the prompt of a turn; None if its policy was asked nothing that can be written anew.

    Args:
        observation: what the policy saw, before the turn.
        provenance: of the turn's hypothesis.
        budget_tokens: of chat prompts. A turn that was asked with another budget comes out not exact.
    """
    if provenance.prompt_sha256 is None:
        return None
    if provenance.prompt_version == PROMPT_VERSION:
        prompt = prompting.render(observation, budget_tokens=budget_tokens)
        return Asked(prompt.messages, PROMPT_VERSION, prompt.sha256 == provenance.prompt_sha256)
    if provenance.prompt_version == COMPACT_VERSION:
        prompt = compact.render(observation)
        return Asked(prompt.messages, COMPACT_VERSION, prompt.sha256 == provenance.prompt_sha256)
    if provenance.prompt_version == CODEC_VERSION:
        model = shipped_nano()
        texts = asked_of(observation, frames(observation.task), model.tokenizer)
        exact = prompt_sha256(texts, model) == provenance.prompt_sha256
        return Asked(tuple(Message("user", text) for text in texts), CODEC_VERSION, exact)
    return None
