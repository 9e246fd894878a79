"""The one place where a completion becomes a hypothesis, or the reason why it holds none.

Serving, supervised fine-tuning and reinforcement learning all read replies here. A reply may be an
object, a tool call in any of the shapes that chat templates produce, tags, or prose with an equation in
it; `laws` says what its equation means. Nothing is evaluated, and nothing is guessed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from physix.engine.episode import check_recordable
from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier.types import Constants, Hypothesis
from physix.errors import BadInputError
from physix.limits import (
    MAX_RECORDED_COMPLETION,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
    RESERVED_WORDS,
)
from physix.policies.chat.algebra import UnreadableError
from physix.policies.chat.laws import NoLawError, read_law, tidy
from physix.policies.chat.lenient_json import CUT, Found, find_calls, find_objects
from physix.policies.chat.notation import ascii_name

_MAX_PROSE = 8_192  # of the lines that hold an equation, the last ones
_MAX_TAGS = 32
_MAX_FREE = 8
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
_WRAPPERS = (
    "hypothesis",
    "answer",
    "proposal",
    "result",
    "response",
    "function",
    "tool_call",
    "tool_calls",
    "function_call",
    "arguments",
    "args",
    "kwargs",
    "input",
    "parameters",
    "output",
)
_THOUGHT = re.compile(
    r"<(?P<end>/?)(?:think|thinking|thought|thoughts|reasoning|scratchpad|reflection)>|◁(?P<end2>/?)think▷"
    r"|<\|(?P<word>begin|end)_of_thought\|>|\[(?P<end3>/?)THINK\]",
    re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>\s*(?P<name>\w+)\s*(?:<\|constrain\|>\s*\w+\s*)?<\|message\|>")
_CONTROL = re.compile(r"<\|[a-z_]+\|>|</?s>|<eos>|<end_of_turn>|\[/?INST\]")
_LEFT = re.compile(r"\s*\(?\s*(?:d|\\|\w+'|\w+_?d?dot|[^\W\d_][\u0307\u0308]|[ẍẋÿẏ])")
_TAG = re.compile(
    r"<(?:parameter\s*=\s*|parameter\s+name\s*=\s*\"?)?(?P<key>equations?|ode|params|parameters|constants|rationale)\"?>",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    r"(?<![\w/'])([^\W\d]\w{0,31})\s*(?:=|≈|:|is)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w*/(^]|[.,]\d)"
)
_LEADING_NUMBER = re.compile(
    r"\s*[=≈~]*\s*([+\-−]?(?:\d[\d_]*\.?\d*|\.\d+)(?:\s*[eE][+-]?\d+)?)(?P<rest>.*)", re.DOTALL
)
_BOLD = re.compile(r"(?<![\w)*])\*\*(?=\S)([^*\n]{1,80})\*\*(?!\w)")
_FENCE = re.compile(r"`+|\$+|\\[\[\]()]")


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a completion holds no hypothesis.

    Codes: `empty`, `too_long`, `unfinished_thought`, `truncated`, `no_hypothesis`,
    `bad_equation`, `bad_params`.
    """

    code: str
    message: str


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


def parse_completion(
    completion: str,
    variables: Sequence[StateVariable],
    *,
    constants: Constants = "declared",
    inputs: Sequence[InputVariable] = (),
) -> Hypothesis | ParseFailure:
    """Return the hypothesis that a completion means, or why it holds none. Never raises.

    The last complete object, call or set of tags with an equation counts, else the last equation in
    the text. What can be read comes back in the grammar (see `laws.read_law`); an equation of an object
    that cannot comes back as it is written, for the verifier to say what is wrong with it. With
    `constants="fitted"`, a name that the equation uses and no param declares is left to the verifier.
    What comes back can be recorded: an escape may stand for half a character, a name may be endless.
    """
    read = _read(completion, _Reader(tuple(variables), tuple(inputs), fitted=constants == "fitted"))
    if isinstance(read, Hypothesis):
        try:
            check_recordable(read)
        except BadInputError as error:
            return ParseFailure("bad_equation", str(error).encode("utf-8", "replace").decode("utf-8"))
    return read


def _read(completion: str, reader: _Reader) -> Hypothesis | ParseFailure:
    if len(completion) > MAX_RECORDED_COMPLETION:
        return ParseFailure("too_long", f"The reply has {len(completion)} characters.")
    text = completion.encode("utf-8", "replace").decode("utf-8")
    spoken, thinking_from = _spoken(text)
    if thinking_from is not None:
        around = reader.objects(spoken, around=thinking_from)
        unfinished = ParseFailure("unfinished_thought", "The reply ended before the thinking did.")
        return around if isinstance(around, Hypothesis) else unfinished
    spoken = _CONTROL.sub(" ", spoken)
    if not spoken.strip():
        return ParseFailure("empty", "The reply is empty.")
    read = reader.objects(spoken)
    if read is None and '\\"' in spoken:  # an object quoted as text
        read = reader.objects(spoken.replace("\\\\", "\\").replace('\\"', '"'))
    return read or reader.prose(spoken)


def _spoken(text: str) -> tuple[str, int | None]:
    """Return a reply without what its writer thought aloud, and where a thought begins that never ends."""
    channels = list(_FINAL.finditer(text))
    if channels:
        text = text[channels[-1].end() :]
        if channels[-1]["name"] not in ("final", "commentary"):
            return text, 0
    kept: list[str] = []
    at, opened = 0, -1
    for mark in _THOUGHT.finditer(text):
        ends = bool(mark["end"] or mark["end2"] or mark["end3"] or mark["word"] == "end")
        if not ends and opened < 0:
            opened = mark.start()
        elif ends:
            # A mark that ends what never began: some templates open the thought in the prompt.
            kept = [*kept, text[at:opened], " "] if opened >= 0 else []
            at, opened = mark.end(), -1
    before = "".join(kept)
    return before + text[at:], len(before) + opened - at if opened >= 0 else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads replies about one task."""

    variables: tuple[StateVariable, ...]
    inputs: tuple[InputVariable, ...]
    fitted: bool

    def objects(self, text: str, *, around: int | None = None) -> Hypothesis | ParseFailure | None:
        """Return what the last object with an equation says; None if there is none.

        `around` asks for an object that holds this place: a mark in an answer's own text begins no thought.
        """
        failure: ParseFailure | None = None
        for found in reversed(_found(text)):
            if around is not None and not found.start < around < found.end:
                continue
            value = _inner(found.value)
            key = next((key for key in _EQUATION_KEYS if key in value), None)
            if key is None:
                pairs = {k: v for k, v in value.items() if _is_left_side(k)}
                if pairs:
                    rest = {k: v for k, v in value.items() if k not in pairs}
                    value, key = {**rest, "equation": pairs}, "equation"
            if key is None:
                if found.cut and failure is None:
                    failure = ParseFailure("truncated", "The reply ended before its equation did.")
                continue
            read = self._hypothesis(value, key, text[: found.start] + " " + text[found.end :])
            if isinstance(read, Hypothesis):
                return read
            failure = failure or read
        return failure

    def _hypothesis(self, value: Mapping[str, object], key: str, around: str) -> Hypothesis | ParseFailure:
        written = _equation_text(value[key])
        if isinstance(written, ParseFailure):
            return written
        params = _params(next((value[k] for k in _PARAM_KEYS if k in value), {}))
        if isinstance(params, ParseFailure):
            return params
        beside = {ascii_name(k): v for k, v in value.items() if isinstance(v, float) and math.isfinite(v)}
        beside = _assignments(around) | beside
        rationale = next((value[k] for k in _RATIONALE_KEYS if isinstance(value.get(k), str)), "")
        said = Hypothesis(
            equation="", params=params, rationale=str(rationale).strip()[:MAX_RECORDED_RATIONALE]
        )
        try:
            law = read_law(written, self.variables, inputs=self.inputs, params={**beside, **params})
        except UnreadableError:
            return replace(said, equation=tidy(written, self.variables, inputs=self.inputs, params=params))
        return self._completed(replace(said, equation=law.equation), {**beside, **law.numbers})

    def prose(self, text: str) -> Hypothesis | ParseFailure:
        """Return what the last equations in a text without any object say."""
        beside = _assignments(text)
        lines = [
            line
            for line in _FENCE.sub(" , ", _BOLD.sub(r"\1", text)).split("\n")
            if re.search("[=≈]|^\\s*[-+]", line)
        ]
        try:
            law = read_law(
                "\n".join(lines)[-_MAX_PROSE:], self.variables, inputs=self.inputs, params=beside, prose=True
            )
        except NoLawError:
            excerpt = " ".join(text.split())[:80]
            return ParseFailure("no_hypothesis", f"The reply holds no equation: {excerpt!r}.")
        except UnreadableError as problem:
            return ParseFailure("bad_equation", f"The equation cannot be read: {problem}.")
        return self._completed(Hypothesis(equation=law.equation), {**beside, **law.numbers})

    def _completed(self, said: Hypothesis, beside: Mapping[str, float]) -> Hypothesis:
        """Give the names that no param declares the numbers that stand beside the equation."""
        right = " ".join(part.partition("=")[2] for part in said.equation.split(";"))
        known = RESERVED_WORDS | {v.name for v in self.variables} | {v.name for v in self.inputs}
        names = dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*", right, re.ASCII))
        loose = [name for name in names if name not in known and name not in said.params]
        params: dict[str, float | None] = {name: beside[name] for name in loose if name in beside}
        if self.fitted:
            params |= dict.fromkeys([name for name in loose if name not in beside][:_MAX_FREE])
        return replace(said, params={**said.params, **params})


def _assignments(text: str) -> dict[str, float]:
    """Return the constants that a text gives numbers to, the last number of each."""
    clean = re.sub(r"[`$]|\*\*", "", text)
    found = [(ascii_name(name), float(number)) for name, number in _ASSIGNMENT.findall(clean)]
    return {name: number for name, number in found[-MAX_RECORDED_PARAMS:] if math.isfinite(number)}


def _found(text: str) -> list[Found]:
    """Return the objects, calls and tags of a text in the order in which they stand there."""
    places = [*find_objects(text), *find_calls(text), *_tags(text)]
    return sorted(places, key=lambda found: (found.start, -found.end))


def _tags(text: str) -> Iterator[Found]:
    """Yield `<equation>...</equation><params>...</params>` as one object."""
    value: dict[str, object] = {}
    start = end = 0
    for count, tag in enumerate(_TAG.finditer(text)):
        close = text.find("</", tag.end())
        if close < 0 or count >= _MAX_TAGS:
            break
        start = start if value else tag.start()
        end = close
        value[tag["key"].lower()] = _tagged(text[tag.end() : close].strip())
    if value:
        yield Found(value, start, end, False)


def _tagged(inner: str) -> object:
    objects = find_objects(inner) if inner.startswith("{") else []
    return objects[0].value if objects else inner


def _is_left_side(key: str) -> bool:
    return _LEFT.match(key) is not None and (
        "/" in key or "\\" in key or "'" in key or "dot" in key or not key.isascii()
    )


def _inner(value: Mapping[str, object], depth: int = 0) -> dict[str, object]:
    """Return the object that holds the equation: lower-case keys, wrappers taken off."""
    lowered = {key.strip().lower(): item for key, item in value.items()}
    if depth > 4 or any(key in lowered for key in ("equation", "equations", "ode", "odes")):
        return lowered
    for key in _WRAPPERS:
        nested = lowered.get(key)
        if isinstance(nested, list) and nested:
            nested = nested[-1]
        if isinstance(nested, str) and "{" in nested:
            inside = find_objects(nested, limit=4)
            nested = inside[-1].value if inside else nested
        if isinstance(nested, dict):
            inner = _inner(nested, depth + 1)
            # `parameters` may be the constants beside an equation under another key.
            if key != "parameters" or any(k in inner for k in _EQUATION_KEYS):
                return inner
    return lowered


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
        return dict(_assignments(value))
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
