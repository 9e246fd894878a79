"""What a model is told of an episode, and how its replies are read: for loops of one's own.

rLLM, SkyRL, ART and scripts hold the loop themselves. They put `opening` before the model, make an action of
its reply with `read_reply`, step, and answer with `verdict`. All three take observations as they come
over the wire: JSON of `/reset` and `/step`, or what `PhysiXEnv` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier.types import Constants, Hypothesis
from physix.policies.chat.prompt import answer_form
from physix.policies.chat.reply import ParseFailure, parse_completion

NOT_COUNTED = (
    "Not judged: only the first proposal of a message counts. "
    "Read what is said of it before you propose the next."
)
_UNREADABLE = "(unreadable)"

Seen = Mapping[str, Any] | BaseModel


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply proposes. One that holds no law proposes `(unreadable)`, a turn like any other, paid 0."""

    hypothesis: Hypothesis
    unreadable: str | None  # why it holds no law, in words for the model; None if it holds one

    @property
    def action(self) -> dict[str, Any]:
        """The action of a step: `PhysiXAction(**reply.action)`, or the `action` of `POST /step`."""
        proposed = self.hypothesis
        return {
            "equation": proposed.equation,
            "params": dict(proposed.params),
            "rationale": proposed.rationale,
        }


def question(first: Seen) -> str:
    """Return the problem of a reset in words: instructions, hint, variables, the motion as a table.

    For agents that call a tool; `opening` also says how to answer without one.
    """
    seen = _fields(first)
    named = [*seen["variables"], *seen.get("inputs", ())]
    variables = ", ".join(f"{one['name']} [{one['unit'] or '?'}]" for one in named)
    return f"{seen['instructions']}\n\n{seen['hint']}\nVariables: {variables}\n{seen['table']}"


def opening(first: Seen) -> list[dict[str, str]]:
    """Return the chat that asks for the first law: messages with `role` and `content`."""
    seen = _fields(first)
    system = f"{seen['instructions']}\n\n{answer_form(_variables(seen))}"
    asked = question({**seen, "instructions": ""}).lstrip("\n")
    return [{"role": "system", "content": system}, {"role": "user", "content": asked}]


def verdict(seen: Seen, *, done: bool | None = None) -> str:
    """Return what a step brought, as one line for a model.

    Args:
        seen: the step's observation.
        done: whether the episode has ended; None takes it from the observation, which JSON of `/step`
            does not hold.
    """
    told = _fields(seen)
    over = told.get("done", False) if done is None else done
    end = "The episode is over." if over else f"Proposals left: {told['turns_remaining']}."
    reward = told["reward_breakdown"]
    return f"Match {reward['match']:.3f}, score {reward['total']:.3f}. {told['mismatch']} {end}"


def read_reply(text: str, first: Seen) -> Reply:
    """Return what a model's reply proposes, read by the rules that all doors share. Never raises for `text`.

    Args:
        text: an object with `equation` and `params`, a tool call in any common shape, or prose with an
            equation in it; see `parse_completion`.
        first: the reset observation, which names the variables.
    """
    seen = _fields(first)
    inputs = [
        InputVariable(name=one["name"], unit=one["unit"], symbol=one["name"], description=one["description"])
        for one in seen.get("inputs", ())
    ]
    return reply_of(text, _variables(seen), inputs=inputs, constants=seen["constants"])


def _variables(seen: Mapping[str, Any]) -> list[StateVariable]:
    return [
        StateVariable(
            name=one["name"],
            unit=one["unit"],
            symbol=one["name"],
            description=one["description"],
            rate_of=one["rate_of"],
        )
        for one in seen["variables"]
    ]


def reply_of(
    text: str,
    variables: list[StateVariable] | tuple[StateVariable, ...],
    *,
    inputs: list[InputVariable] | tuple[InputVariable, ...] = (),
    constants: Constants = "declared",
) -> Reply:
    """As `read_reply`, where the task is at hand."""
    read = parse_completion(text, variables, constants=constants, inputs=inputs)
    if isinstance(read, ParseFailure):
        why = f"{read.code}: {read.message}"[:1_000]
        return Reply(Hypothesis(equation=_UNREADABLE, rationale=why), read.message)
    return Reply(read, None)


def _fields(seen: Seen) -> Mapping[str, Any]:
    return seen.model_dump() if isinstance(seen, BaseModel) else seen
