"""An episode as a conversation with one tool: the words that SFT teaches and GRPO plays with.

Both use these, so that a model that was taught by rows from the log calls the tool when it is let loose.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from physix.engine.ports import Observation
from physix.engine.verifier.types import Hypothesis
from physix.policies.chat import prompt as prompting
from physix.policies.chat.prompt import PROMPT_VERSION, Message, Prompt, estimate_tokens
from physix.policies.chat.reply import completion_of

TOOL = "submit_hypothesis"
DIALOGUE_VERSION = f"tool-2-{PROMPT_VERSION}"
TOOL_SCHEMA: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": TOOL,
        "description": "Propose a law of motion; it is simulated and compared with the measurements.",
        "parameters": {
            "type": "object",
            "properties": {
                "equation": {"type": "string", "description": "One equation a variable, separated by ;"},
                "params": {
                    "type": "object",
                    "additionalProperties": {"type": "number"},
                    "description": "The number of every constant that the equation names.",
                },
                "rationale": {"type": "string", "description": "One short sentence."},
            },
            "required": ["equation", "params"],
        },
        "return": {
            "type": "string",
            "description": "What is wrong with it and how many turns are left, or that the law fits.",
        },
    },
}


def opening(observation: Observation) -> tuple[str, str]:
    """Return the system's and the user's words before the first turn."""
    count = observation.turns_remaining + len(observation.history)
    fresh = replace(observation, turn=1, turns_remaining=count, history=())
    asked = f"{prompting.question(fresh)}\n\nPropose the law. You have {count} turns."
    return prompting.rules_of_a_tool(fresh, TOOL), asked


def conversation(observation: Observation) -> list[Message]:
    """Return the dialogue up to the next call, as GRPO plays it and SFT teaches it."""
    system, user = opening(observation)
    messages = [Message("system", system), Message("user", user)]
    turns = observation.turns_remaining + len(observation.history)
    for past in observation.history:
        # The rationale of a policy that knows the truth could tell of it, here as in the completion.
        tried = Hypothesis(equation=past.equation, params={**past.params, **past.fitted})
        said = answer(past.mismatch, past.reward.match, turns - past.turn)
        messages.append(Message("assistant", call_text(tried)))
        messages.append(Message("user", answer_text(said)))
    return messages


def render(observation: Observation) -> Prompt:
    """Return the dialogue as a prompt whose template is told of the tool."""
    messages = tuple(conversation(observation))
    text = "".join(f"{message.role}\n{message.content}\n" for message in messages)
    return Prompt(
        messages=messages,
        version=DIALOGUE_VERSION,
        estimated_tokens=estimate_tokens(text) + 4 * len(messages),
        rows=0,
        turns=tuple(past.turn for past in observation.history),
        sha256=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        tools=(TOOL_SCHEMA,),
    )


def call_text(hypothesis: Hypothesis) -> str:
    """Return a call as Qwen2.5's chat template writes it."""
    arguments = json.loads(completion_of(hypothesis))
    body = json.dumps(arguments, ensure_ascii=False)
    return f'<tool_call>\n{{"name": "{TOOL}", "arguments": {body}}}\n</tool_call>'


def answer(told: str, match: float, left: int) -> str:
    """Return what the tool says while the episode goes on."""
    return f"{told} r_match {match:.3f}. {left} turns are left."


def answer_text(said: str) -> str:
    """Return an answer as Qwen2.5's chat template hands it to the model, in the user's place."""
    return f"<tool_response>\n{said}\n</tool_response>"
