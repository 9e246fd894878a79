"""How an observation and a turn become text: English chat for instruct models, the codec for nano."""

from __future__ import annotations

from typing import Protocol

from physix.engine import Turn
from physix.engine.ports import Observation
from physix.errors import BadInputError
from physix.policies import prompting
from physix.policies.nano_codec import CODEC_VERSION, frames, render, write_law
from physix.policies.prompting import PROMPT_VERSION
from physix.verifier.types import Hypothesis

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
        submitted = turn.submitted
        equation = submitted.parse.canonical if canonical else submitted.equation
        params = {**submitted.params, **turn.simulated.simulation.fitted}
        # The rationale of a policy that knows the truth could tell of it; equation and constants suffice.
        hypothesis = Hypothesis(equation=equation or submitted.equation, params=params)
        return [{"role": "assistant", "content": prompting.completion_of(hypothesis)}]


def renderer_named(name: str) -> Renderer:
    """Return a renderer.

    Raises:
        BadInputError: there is none of that name.
    """
    if name == "nano":
        return NanoRenderer()
    if name == "chat":
        return ChatRenderer()
    raise BadInputError(f"Unknown rendering {name[:40]!r}: use chat or nano.")
