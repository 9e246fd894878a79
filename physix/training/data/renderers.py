"""How an observation and a turn become text: chat or tool calls for instruct models, the codec for nano."""

from __future__ import annotations

from typing import Protocol

from physix.engine import Turn
from physix.engine.ports import Observation
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError
from physix.policies.chat import prompt as prompting
from physix.policies.chat import tool_dialogue
from physix.policies.chat.prompt import PROMPT_VERSION
from physix.policies.chat.reply import completion_of
from physix.policies.nano.codec import CODEC_VERSION, frames, render, write_law

Message = dict[str, str]
Prompt = str | list[Message]


class Renderer(Protocol):
    """One way to write prompts and completions. `version` changes when the words do."""

    @property
    def version(self) -> str:
        """Names the wording."""
        ...

    def prompt(self, observation: Observation) -> Prompt | None:
        """Return what the policy is asked; None if this wording cannot say it."""
        ...

    def completion(self, observation: Observation, turn: Turn, *, canonical: bool) -> Prompt | None:
        """Return the answer to learn; None if this wording cannot say it."""
        ...


class NanoRenderer:
    """The nano codec: one variable, in units of its own."""

    version = CODEC_VERSION

    def prompt(self, observation: Observation) -> Prompt | None:
        """See `Renderer`."""
        found = frames(observation.task)
        return render(observation, found[0]) if len(found) == 1 else None

    def completion(self, observation: Observation, turn: Turn, *, canonical: bool) -> Prompt | None:
        """See `Renderer`. The codec has one spelling, so `canonical` makes no difference."""
        found = frames(observation.task)
        if len(found) != 1:
            return None
        params = {n: v for n, v in turn.submitted.params.items() if v is not None}
        params |= turn.simulated.simulation.fitted
        return write_law(observation.task, found[0], turn.submitted.equation, params)


class ChatRenderer:
    """The shared prompt module's English, as chat messages."""

    version = f"chat-{PROMPT_VERSION}"

    def prompt(self, observation: Observation) -> Prompt | None:
        """See `Renderer`."""
        return prompting.render(observation).as_chat()

    def completion(self, observation: Observation, turn: Turn, *, canonical: bool) -> Prompt | None:
        """See `Renderer`. Written anew in the form that the prompt asks for, constants as they were."""
        content = completion_of(_hypothesis_of(turn, canonical=canonical))
        return [{"role": "assistant", "content": content}]


class ToolRenderer:
    """The conversation with one tool that GRPO plays (`physix.policies.chat.tool_dialogue`).

    Calls and answers are written out as Qwen2.5's chat template writes them: a row stays plain messages.
    """

    version = tool_dialogue.DIALOGUE_VERSION

    def prompt(self, observation: Observation) -> Prompt | None:
        """See `Renderer`."""
        return [{"role": m.role, "content": m.content} for m in tool_dialogue.conversation(observation)]

    def completion(self, observation: Observation, turn: Turn, *, canonical: bool) -> Prompt | None:
        """See `Renderer`."""
        content = tool_dialogue.call_text(_hypothesis_of(turn, canonical=canonical))
        return [{"role": "assistant", "content": content}]


def _hypothesis_of(turn: Turn, *, canonical: bool) -> Hypothesis:
    """Return the law of a turn without its rationale.

    The rationale of a policy that knows the truth could tell of it; equation and constants suffice.
    """
    submitted = turn.submitted
    equation = submitted.parse.canonical if canonical else submitted.equation
    params = {**submitted.params, **turn.simulated.simulation.fitted}
    return Hypothesis(equation=equation or submitted.equation, params=params)


def renderer_named(name: str) -> Renderer:
    """Return a renderer.

    Raises:
        BadInputError: there is none of that name.
    """
    if name == "nano":
        return NanoRenderer()
    if name == "chat":
        return ChatRenderer()
    if name == "tool":
        return ToolRenderer()
    raise BadInputError(f"Unknown rendering {name[:40]!r}: use chat, tool or nano.")
