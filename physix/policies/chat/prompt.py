"""The one place where an observation becomes a prompt and a completion becomes a hypothesis.

Serving, supervised fine-tuning and reinforcement learning all call these two functions, so that
a model is asked in the words it was trained on. Whoever changes a word of a prompt raises
`PROMPT_VERSION`; every turn records which one it was asked with.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from physix.engine.ports import Observation, PastTurn
from physix.engine.systems.task import StateVariable, Task, Trajectory
from physix.engine.verifier.types import Constants, Hypothesis
from physix.errors import BadInputError
from physix.limits import (
    MAX_RECORDED_COMPLETION,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
)
from physix.policies.chat.lenient_json import CUT, find_objects
from physix.policies.chat.notation import ascii_name, tidy

PROMPT_VERSION = "1"
DEFAULT_BUDGET = 2_048
MIN_BUDGET = 1_536
_ROWS = (32, 24, 16, 12, 8)  # samples of all shown trajectories together
_SHOWN_EQUATION = 300  # characters of an earlier equation that are repeated
_SHOWN_WORDS = 400

Role = Literal["system", "user", "assistant"]

_SYSTEM = (
    "You discover equations of motion. You are given measurements of a motion and propose an ordinary "
    "differential equation that reproduces them. Your proposal is integrated numerically from the first "
    "sample and compared with the measurements.\n\n"
    'Grammar: one equation per variable listed, separated by ";". Write d2x/dt2 = ... for a second-order '
    "variable and dx/dt = ... for a first-order one. Allowed: + - * / ** ( ), sin cos tan exp log sqrt "
    "abs, pi, numbers, t, the state variables and the names in params. Write every multiplication as *. "
    "ASCII only.\n\n"
    "Answer with one JSON object and nothing else:\n"
    '{"equation": "d2x/dt2 = -k*x", "params": {"k": 2.5}, "rationale": "one short sentence"}'
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
    """

    messages: tuple[Message, ...]
    version: str
    estimated_tokens: int
    rows: int
    turns: tuple[int, ...]
    sha256: str

    def as_chat(self) -> list[dict[str, str]]:
        """Return the messages as chat APIs and chat templates take them."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a completion holds no hypothesis.

    Codes: `empty`, `too_long`, `unfinished_thought`, `truncated`, `no_hypothesis`,
    `bad_equation`, `bad_params`.
    """

    code: str
    message: str


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


def completion_of(hypothesis: Hypothesis) -> str:
    """Return the reply that a model should have written for this hypothesis."""
    return json.dumps(
        {
            "equation": hypothesis.equation,
            "params": dict(hypothesis.params),
            "rationale": hypothesis.rationale,
        },
        ensure_ascii=False,
    )


def _without_oldest(history: Sequence[PastTurn], count: int) -> list[PastTurn]:
    best = max(history, key=lambda turn: turn.reward.total)
    dropped = [turn for turn in history[:-1] if turn is not best][:count]
    return [turn for turn in history if turn not in dropped]


def _render(observation: Observation, rows: int, turns: Sequence[PastTurn]) -> Prompt:
    rule = _FITTED if observation.constants == "fitted" else _DECLARED
    messages = [Message("system", f"{_SYSTEM}\n{rule}")]
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
    return ", ".join([time, *(_variable(variable) for variable in task.variables)])


def _variable(variable: StateVariable) -> str:
    role = f", rate of {variable.rate_of}" if variable.rate_of else ""
    return f"{variable.name} ({variable.unit or 'no unit given'}{role})"


def _wanted(task: Task) -> str:
    second = {variable.rate_of for variable in task.variables}
    return "; ".join(
        f"d2{v.name}/dt2 = ..." if v.name in second else f"d{v.name}/dt = ..."
        for v in task.variables
        if v.rate_of is None
    )


def _table(task: Task, trajectory: Trajectory, rows: int) -> str:
    kept = np.unique(np.linspace(0, len(trajectory.t) - 1, rows).round().astype(int)).tolist()
    lines = [" ".join(["t", *(variable.name for variable in task.variables)])]
    for i in kept:
        lines.append(" ".join(f"{value:.4g}" for value in (trajectory.t[i], *trajectory.states[i])))
    return "\n".join(lines)


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


# Replies ------------------------------------------------------------------------------------

_EQUATION_KEYS = (
    "equation",
    "equations",
    "ode",
    "odes",
    "eq",
    "law",
    "hypothesis",
    "answer",
    "proposal",
    "result",
)
_PARAM_KEYS = ("params", "parameters", "param", "constants", "parameter", "values")
_RATIONALE_KEYS = ("rationale", "reasoning", "reason", "explanation", "thought", "comment")
_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CONTROL = re.compile(r"<\|[a-z_]+\|>|</s>|<eos>|<end_of_turn>")
_DERIVATIVE = re.compile(
    r"(?:(?<!\w)d\s{0,3}(?:\^|\*\*)?\s{0,3}[2²]\s{0,3}[^\W\d_]\w{0,31}(?:\(t\))?\s*/\s*dt\s*(?:\^|\*\*)?\s*[2²]"
    r"|(?<!\w)d[^\W\d_]\w{0,31}(?:\(t\))?\s*/\s*dt|\\[dt]?frac\s*\{d[^{}]{0,40}(?:\{[^{}]{0,10}\}[^{}]{0,10})?\}"
    r"\s*\{d[^{}]{0,10}(?:\{[^{}]{0,5}\})?\}"
    r"|\\d{1,2}ot\s*\{[^{}]{1,20}\}|(?<!\w)[^\W\d_]\w{0,20}(?:'{1,2}|′{1,2}|’{1,2}|″)(?:\(t\))?|[^\W\d_][\u0307\u0308]|[ẍẋÿẏ])"
    r"\s*=(?!=)"
)
_AFTER_EQUATION = re.compile(
    r"[`\n]|\$\$?(?=\s|$|[.,])|\\\]|\\\)|\s+(?:where|with|and\s+(?:the|with)|which|for|using|because|since|so|\()(?=\s|[A-Za-z])"
    r"|[.,:](?=\s|$)"
)
_ASSIGNMENT = re.compile(
    r"(?<![\w/'])([^\W\d]\w{0,31})\s*(?:=|≈|:|is)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w*/(])"
)
_LEADING_NUMBER = re.compile(
    r"\s*[=≈~]*\s*([+\-−]?(?:\d[\d_]*\.?\d*|\.\d+)(?:\s*[eE][+-]?\d+)?)(?P<rest>.*)", re.DOTALL
)


def parse_completion(
    completion: str, variables: Sequence[StateVariable], *, constants: Constants = "declared"
) -> Hypothesis | ParseFailure:
    """Return the hypothesis that a completion means, or why it holds none. Never raises.

    The last complete object with an equation counts, else an equation in the text. Notation is
    brought into the grammar (see `notation.tidy`); whether the result is a law of this task is
    the verifier's question. With `constants="fitted"`, a name that the equation uses and no
    param declares is left to the verifier to fit.
    """
    if len(completion) > MAX_RECORDED_COMPLETION:
        return ParseFailure("too_long", f"The reply has {len(completion)} characters.")
    text = completion.encode("utf-8", "replace").decode("utf-8")
    text = _CONTROL.sub(" ", _THOUGHT.sub(" ", text))
    closing = re.search(r"</(?:think|thinking|thought|reasoning)>", text, re.IGNORECASE)
    if closing:  # some templates open the thought in the prompt
        text = text[closing.end() :]
    if not text.strip():
        return ParseFailure("empty", "The reply is empty.")
    opened = _OPEN_THOUGHT.search(text)
    if opened:
        return ParseFailure("unfinished_thought", "The reply ended before the thinking did.")
    read = _from_objects(text, variables)
    if read is None:
        read = _from_text(text, variables)
    if isinstance(read, Hypothesis) and constants == "fitted":
        return _with_free_params(read, variables)
    return read


def _from_objects(text: str, variables: Sequence[StateVariable]) -> Hypothesis | ParseFailure | None:
    failure: ParseFailure | None = None
    for found in reversed(find_objects(text)):
        value = _inner(found.value)
        key = next((key for key in _EQUATION_KEYS if key in value), None)
        if key is None:
            pairs = {k: v for k, v in value.items() if _DERIVATIVE.match(f"{k} =")}
            if pairs:
                rest = {k: v for k, v in value.items() if k not in pairs}
                return _hypothesis({**rest, "equation": pairs}, "equation", variables)
            if found.cut and failure is None:
                failure = ParseFailure("truncated", "The reply ended before its equation did.")
            continue
        read = _hypothesis(value, key, variables)
        if isinstance(read, Hypothesis):
            return read
        failure = failure or read
    return failure


def _inner(value: Mapping[str, object]) -> dict[str, object]:
    """Return the object that holds the equation: lower-case keys, a wrapper taken off."""
    lowered = {key.strip().lower(): item for key, item in value.items()}
    for key in ("hypothesis", "answer", "proposal", "result", "response", "arguments", "output"):
        nested = lowered.get(key)
        if isinstance(nested, dict):
            return _inner(nested)
    return lowered


def _hypothesis(
    value: Mapping[str, object], key: str, variables: Sequence[StateVariable]
) -> Hypothesis | ParseFailure:
    written = _equation_text(value[key])
    if isinstance(written, ParseFailure):
        return written
    params = _params(next((value[k] for k in _PARAM_KEYS if k in value), {}))
    if isinstance(params, ParseFailure):
        return params
    rationale = next((value[k] for k in _RATIONALE_KEYS if isinstance(value.get(k), str)), "")
    return Hypothesis(
        equation=tidy(written, variables),
        params=params,
        rationale=str(rationale).strip()[:MAX_RECORDED_RATIONALE],
    )


def _equation_text(value: object) -> str | ParseFailure:
    if value is CUT:
        return ParseFailure("truncated", "The reply ended before its equation did.")
    if isinstance(value, list):
        parts = [_equation_text(item) for item in value]
        broken = next((part for part in parts if isinstance(part, ParseFailure)), None)
        return broken or "; ".join(part for part in parts if isinstance(part, str)) or _no_text(value)
    if isinstance(value, dict):
        lines = [
            item if isinstance(item, str) and "=" in item else f"{left} = {item}"
            for left, item in value.items()
            if isinstance(item, str | float) and not isinstance(item, bool)
        ]
        if any(item is CUT for item in value.values()):
            return ParseFailure("truncated", "The reply ended before its equation did.")
        return "; ".join(lines) or _no_text(value)
    if not isinstance(value, str) or not value.strip():
        return _no_text(value)
    if len(value) > MAX_RECORDED_EQUATION:
        return ParseFailure("too_long", f"The equation has {len(value)} characters.")
    return value


def _no_text(value: object) -> ParseFailure:
    return ParseFailure(
        "bad_equation", f"The equation is {json.dumps(value, default=str)[:60]}; it must be text."
    )


def _params(value: object) -> dict[str, float | None] | ParseFailure:
    if value is None or value is CUT or value == "":
        return {}
    if isinstance(value, str):
        return {ascii_name(name): float(number) for name, number in _ASSIGNMENT.findall(value)}
    if isinstance(value, list):
        value = _listed(value)
    if not isinstance(value, dict):
        return ParseFailure(
            "bad_params", f"The params are {json.dumps(value, default=str)[:60]}; they must be an object."
        )
    if len(value) > MAX_RECORDED_PARAMS:
        return ParseFailure(
            "bad_params", f"{len(value)} params were given; at most {MAX_RECORDED_PARAMS} are allowed."
        )
    params: dict[str, float | None] = {}
    for name, item in value.items():
        if item is CUT:
            continue
        number = _number(item)
        if isinstance(number, str):
            return ParseFailure("bad_params", f"Param {name[:40]!r} is {number}; it must be a number.")
        params[ascii_name(name)] = number
    return params


def _listed(items: Sequence[object]) -> dict[str, object]:
    """Return `[{"name": "g", "value": 9.8}, "k = 2"]` as an object."""
    params: dict[str, object] = {}
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            params[str(item["name"])] = item.get("value")
        elif isinstance(item, dict):
            params.update(item)
        elif isinstance(item, str):
            params.update(_ASSIGNMENT.findall(item))
    return params


def _number(value: object) -> float | str | None:
    """Return the number, None where it is left open, or how to name what it is instead."""
    if isinstance(value, dict) and "value" in value:
        return _number(value["value"])
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str) and value.strip() in ("null", "None", "?"):
        return None
    leading = _LEADING_NUMBER.fullmatch(value) if isinstance(value, str) else None
    if leading is not None and not re.match(r"\s*[\d(*+]|\s*[-/]\s*[\d(]|\s*e\b", leading["rest"]):
        number = float(leading[1].replace("−", "-").replace("_", "").replace(" ", ""))
        if math.isfinite(number):
            return number
    return json.dumps(value, default=str)[:60]


def _from_text(text: str, variables: Sequence[StateVariable]) -> Hypothesis | ParseFailure:
    """Return the last equations written out in a text without any object."""
    found: dict[str, str] = {}
    last_end = 0
    for match in _DERIVATIVE.finditer(text):
        end = _AFTER_EQUATION.search(text, match.end() + 1)
        stop = end.start() if end else len(text)
        right = text[match.end() : min(stop, match.end() + MAX_RECORDED_EQUATION // 4)].strip()
        if not right:
            continue
        found[re.sub(r"\s", "", match[0])] = f"{match[0]} {right}"
        last_end = stop
    if not found:
        excerpt = " ".join(text.split())[:80]
        return ParseFailure("no_hypothesis", f"The reply holds no equation: {excerpt!r}.")
    equation = tidy("; ".join(list(found.values())[-8:]), variables)
    params: dict[str, float | None] = {
        ascii_name(name): float(number)
        for name, number in _ASSIGNMENT.findall(text[last_end:])[:MAX_RECORDED_PARAMS]
    }
    used = set(re.findall(r"[A-Za-z_]\w*", equation))
    return Hypothesis(equation=equation, params={name: v for name, v in params.items() if name in used})


_KNOWN = frozenset("sin cos tan exp log sqrt abs pi t".split())


def _with_free_params(hypothesis: Hypothesis, variables: Sequence[StateVariable]) -> Hypothesis:
    known = _KNOWN | {variable.name for variable in variables} | set(hypothesis.params)
    right = " ".join(part.partition("=")[2] for part in hypothesis.equation.split(";"))
    free = [name for name in dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*", right)) if name not in known]
    params: dict[str, float | None] = {**hypothesis.params, **dict.fromkeys(free[:8])}
    return Hypothesis(equation=hypothesis.equation, params=params, rationale=hypothesis.rationale)
