"""The one place where an observation becomes a prompt; `reply` reads what comes back.

Serving, supervised fine-tuning and reinforcement learning all call `render`, so that a model is asked
in the words it was trained on. Whoever changes a word of a prompt raises
`PROMPT_VERSION`; every turn records which one it was asked with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from physix.engine.ports import Observation, PastTurn
from physix.engine.systems.targets import targets
from physix.engine.systems.task import StateVariable, Task, Trajectory
from physix.engine.verifier.functions import allowed
from physix.engine.verifier.types import Hypothesis, Profile
from physix.errors import BadInputError
from physix.policies.chat.reply import completion_of

PROMPT_VERSION = "2"
DEFAULT_BUDGET = 2_048
MIN_BUDGET = 1_536
_ROWS = (32, 24, 16, 12, 8)  # samples of all shown trajectories together
_SHOWN_EQUATION = 300  # characters of an earlier equation that are repeated
_SHOWN_WORDS = 400

Role = Literal["system", "user", "assistant"]

_INTRODUCTION = (
    "You discover equations of motion. You are given measurements of a motion and propose an ordinary "
    "differential equation that reproduces them. Your proposal is integrated numerically from the first "
    "sample and compared with the measurements."
)
_GRAMMAR = (
    'Grammar: one equation per variable listed, separated by ";". Write d2x/dt2 = ... for a second-order '
    "variable and dx/dt = ... for a first-order one. Allowed: + - * / ** ( ), {functions}, pi, numbers, "
    "t, the {columns} and the names in params. Write every multiplication as *. "
    "ASCII only."
)
_FORM = (
    "Answer with one JSON object and nothing else:\n"
    '{"equation": "{wanted}", "params": {"k": 2.5}, "rationale": "one short sentence"}'
)
_DECLARED = "Give every constant a number in params."
_FITTED = "Name every constant in params; write null for a constant that should be fitted for you."


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked.

    Attributes:
        estimated_tokens: upper estimate, see `estimate_tokens`; at most the budget asked for.
        rows: samples shown, of all trajectories together.
        turns: numbers of the earlier turns that are repeated.
        sha256: of the messages.
        tools: schemas that a chat template is told of.
    """

    messages: tuple[Message, ...]
    version: str
    estimated_tokens: int
    rows: int
    turns: tuple[int, ...]
    sha256: str
    tools: tuple[dict[str, Any], ...] = ()

    def as_chat(self) -> list[dict[str, str]]:
        """Return the messages as chat APIs and chat templates take them."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


def estimate_tokens(text: str) -> int:
    """Return an upper estimate of the tokens: one a digit, a sign, or four letters of a word.

    Tokenizers in use split numbers into single digits at worst and words into longer pieces.
    """
    return len(re.findall(r"\d|[^\W\d]{1,4}|[^\w\s]|\n", text))


def render(observation: Observation, *, budget_tokens: int = DEFAULT_BUDGET) -> Prompt:
    """Return the chat that asks for the next hypothesis, within a token budget.

    The trajectory is thinned first, evenly over time with the first and last sample kept; then
    earlier turns are left out, the oldest first, but never the best and the last one.

    Raises:
        BadInputError: the budget is below MIN_BUDGET.
    """
    if budget_tokens < MIN_BUDGET:
        raise BadInputError(f"A prompt budget of {budget_tokens} tokens is below {MIN_BUDGET}.")
    history = list(observation.history)
    plans = [(rows, history) for rows in _ROWS]
    plans += [(_ROWS[-1], _without_oldest(history, left_out)) for left_out in range(1, len(history) - 1)]
    for rows, turns in plans:
        prompt = _render(observation, rows, turns)
        if prompt.estimated_tokens <= budget_tokens:
            return prompt
    # Many long-winded columns: the last resort keeps the question, the best turn, and the ends of the data.
    for rows in (4, 2):
        prompt = _render(observation, rows, history[-1:])
        if prompt.estimated_tokens <= budget_tokens:
            return prompt
    raise BadInputError(f"The task does not fit into {budget_tokens} tokens; raise the budget.")


def briefing(observation: Observation, profile: Profile) -> str:
    """Return what an agent that calls a tool is told first: grammar, when a law counts as found, budget.

    Chat policies are told by `render`; frameworks with tools of their own (TRL, verifiers, Inspect,
    Gymnasium, rLLM, SkyRL, ART) put these words before the problem.
    """
    rule = _FITTED if observation.constants == "fitted" else _DECLARED
    if profile == "strict":
        found = "its residuals are no larger than the noise, on motions that you are not shown as well"
    else:
        found = f"its match is above {observation.solved_threshold:g}"
    return (
        f"{_INTRODUCTION}\n\n{_grammar(observation)}\n{rule}\n"
        f"A law is found when {found}; shorter laws earn a little more. "
        f"You have {observation.turns_remaining} proposals, one in a message; each is answered with its "
        "match and with what is wrong with it."
    )


def _without_oldest(history: Sequence[PastTurn], count: int) -> list[PastTurn]:
    best = max(history, key=lambda turn: turn.reward.total)
    dropped = [turn for turn in history[:-1] if turn is not best][:count]
    return [turn for turn in history if turn not in dropped]


def _render(observation: Observation, rows: int, turns: Sequence[PastTurn]) -> Prompt:
    rule = _FITTED if observation.constants == "fitted" else _DECLARED
    messages = [Message("system", f"{_rules(observation)}\n{rule}")]
    messages.append(Message("user", _question(observation.task, rows)))
    for turn in turns:
        messages.append(Message("assistant", _past_reply(turn)))
        messages.append(Message("user", _verdict(turn)))
    last = messages.pop()
    messages.append(Message("user", f"{last.content}\n\n{_request(observation, turns)}"))
    text = "".join(f"{message.role}\n{message.content}\n" for message in messages)
    return Prompt(
        messages=tuple(messages),
        version=PROMPT_VERSION,
        # A chat template adds about four tokens a message.
        estimated_tokens=estimate_tokens(text) + 4 * len(messages),
        rows=rows,
        turns=tuple(turn.turn for turn in turns),
        sha256=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    )


def _rules(observation: Observation) -> str:
    form = answer_form(observation.task.variables)
    return f"{_INTRODUCTION}\n\n{_grammar(observation)}\n\n{form}"


def answer_form(variables: Sequence[StateVariable]) -> str:
    """Return how a reply is to be written, with an example made from what this task asks for.

    Small models copy an example word for word: one of another task would be an equation of its variables.
    """
    wanted = "; ".join(f"{target.left} = ..." for target in targets(variables))
    return _FORM.replace("{wanted}", wanted)


def rules_of_a_tool(observation: Observation, tool: str) -> str:
    """Return the system's words of a conversation in which laws are proposed by calling a tool."""
    rule = _FITTED if observation.constants == "fitted" else _DECLARED
    return (
        f"{_INTRODUCTION}\n\n{_grammar(observation)}\n{rule}\n\n"
        f"Propose by calling {tool}, once in a message; its answer says what is wrong with the law."
    )


def question(observation: Observation) -> str:
    """Return the problem as the first prompt tells it: hint, variables, what is wanted, samples."""
    return _question(observation.task, _ROWS[0])


def _grammar(observation: Observation) -> str:
    columns = "state variables, the inputs" if observation.task.inputs else "state variables"
    words = {"{functions}": " ".join(allowed(observation.functions)), "{columns}": columns}
    grammar = _GRAMMAR
    for place, word in words.items():
        grammar = grammar.replace(place, word)
    return grammar


def _question(task: Task, rows: int) -> str:
    parts = [
        task.hint or "No hint was given.",
        f"Variables: {_variables(task)}.",
        f"Wanted: {_wanted(task)}.",
    ]
    each = max(2, rows // len(task.shown))
    for number, trajectory in enumerate(task.shown, start=1):
        which = f"Trajectory {number} of {len(task.shown)}" if len(task.shown) > 1 else "Measurements"
        parts.append(f"{which}:\n{_table(task, trajectory, each)}")
    return "\n".join(parts)


def _variables(task: Task) -> str:
    time = f"t ({task.time_unit or 'no unit given'})"
    inputs = (f"{one.name} ({one.unit or 'no unit given'}, input)" for one in task.inputs)
    return ", ".join([time, *(_variable(variable) for variable in task.variables), *inputs])


def _variable(variable: StateVariable) -> str:
    role = f", rate of {variable.rate_of}" if variable.rate_of else ""
    return f"{variable.name} ({variable.unit or 'no unit given'}{role})"


def _wanted(task: Task) -> str:
    return "; ".join(f"{target.left} = ..." for target in targets(task.variables))


def _table(task: Task, trajectory: Trajectory, rows: int) -> str:
    return "\n".join([table_header(task), *table_rows(trajectory, rows)])


def table_header(task: Task) -> str:
    """Return the names of the columns that `table_rows` writes: t, the state variables, the inputs."""
    return " ".join(["t", *(v.name for v in task.variables), *(v.name for v in task.inputs)])


def table_rows(trajectory: Trajectory, count: int) -> list[str]:
    """Return at most `count` samples, evenly over the rows with both ends, four significant digits."""
    kept = np.unique(np.linspace(0, len(trajectory.t) - 1, count).round().astype(int)).tolist()
    inputs = trajectory.inputs or ((),) * len(trajectory.t)
    return [
        " ".join(f"{value:.4g}" for value in (trajectory.t[i], *trajectory.states[i], *inputs[i]))
        for i in kept
    ]


def _past_reply(turn: PastTurn) -> str:
    params = {
        name: None if value is None else _rounded(value) for name, value in list(turn.params.items())[:16]
    }
    return completion_of(
        Hypothesis(
            equation=turn.equation[:_SHOWN_EQUATION],
            params=params,
            rationale=turn.rationale[:_SHOWN_WORDS],
        )
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _verdict(turn: PastTurn) -> str:
    fits = ", ".join(
        f"{name} {max(fit.r2, -9.99):.3f}" for name, fit in turn.fits.items() if fit.r2 is not None
    )
    fitted = ", ".join(f"{name} = {value:.4g}" for name, value in turn.fitted.items())
    lines = [f"Turn {turn.turn}: reward {turn.reward.total:.3f}, match {turn.reward.match:.3f}."]
    if fitted:
        lines.append(f"Fitted constants: {fitted}.")
    if fits:
        lines.append(f"R2: {fits}.")
    lines.append(turn.mismatch[:_SHOWN_WORDS])
    return "\n".join(lines)


def _request(observation: Observation, turns: Sequence[PastTurn]) -> str:
    if not observation.history:
        return f"Propose the law. You have {observation.turns_remaining} turns."
    best = max(observation.history, key=lambda turn: turn.reward.match)
    left = observation.turns_remaining
    return (
        f"Best match so far: {best.reward.match:.3f} at turn {best.turn}. Turns left: {left}. "
        "Propose a better law."
    )
