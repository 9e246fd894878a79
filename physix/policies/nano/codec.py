"""What the nano models read and write: a motion in its own units, as a hundred short tokens.

A million parameters cannot do arithmetic over seven orders of magnitude. So the codec writes
every motion in units of its own: distance in the largest excursion (angles stay in radians, because
a sine is not scale-free), time in radians of its swing, or in durations where nothing swings. A law
comes back in the same units and is turned into SI here. Mining, supervised training, GRPO and the
NumPy policy all use this file.

One prompt is about one second-order variable `q` with its rate `v`; a task with several is
asked one by one and answered with all equations together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.ports import Observation, PastTurn
from physix.engine.systems.targets import left_side
from physix.engine.systems.task import StateVariable, Task
from physix.engine.verifier import ParsedHypothesis, parse
from physix.engine.verifier.tree import Binary, Call, Name, Negate, Node, Number, summands
from physix.engine.verifier.types import Hypothesis, Mismatch, Rejection, ShapeKind

CODEC_VERSION = "nano-1"
SAMPLES = 25
REMEMBERED_TURNS = 3
MAX_HINT_CHARACTERS = 160
_LEVELS = 999
_LETTERS = "abcdefgh"
_LEFT = "d2q/dt2 ="

# A law of the codec: signed terms, each a three-digit number times powers of q and v.
_FACTOR = r"(?:sin\(q\)|cos\(q\)|abs\([qv]\)|[qv](?:\*\*[234])?)"
_TERM = re.compile(rf" ?(?P<sign>[-+])(?P<number>[0-9]{{3}}e-?[0-9])(?P<factors>(?:\*{_FACTOR})*)")
_COMPLETION = re.compile(rf"d2q/dt2 =(?: ?[-+][0-9]{{3}}e-?[0-9](?:\*{_FACTOR})*)+")


@dataclass(frozen=True, slots=True)
class Frame:
    """The units of one second-order variable of one task."""

    variable: str
    rate: str
    angle: bool
    length: float  # the largest |q|, in the variable's own unit
    speed: float  # the largest |v|
    duration: float
    half_period: float | None  # mean time between reversals of the speed; None below three of them

    @property
    def unit_time(self) -> float:
        """The time that a law's constants are measured in: of a swing, what makes its frequency 1."""
        return self.duration if self.half_period is None else self.half_period / math.pi

    @property
    def unit_length(self) -> float:
        """The length that a law's constants are measured in: 1 for an angle."""
        return 1.0 if self.angle else self.length


@dataclass(frozen=True, slots=True)
class _Term:
    """`coefficient * product of factors`, in whatever units."""

    coefficient: float
    factors: tuple[str, ...]  # "q", "v", "q**2", "sin(q)", "abs(v)"

    @property
    def powers(self) -> tuple[int, int]:
        """Return the powers of length and of speed that the factors carry."""
        lengths = sum(_power(f) for f in self.factors if "q" in f and not f.startswith(("sin", "cos")))
        return lengths, sum(_power(f) for f in self.factors if "v" in f)


def _power(factor: str) -> int:
    return int(factor[-1]) if "**" in factor else 1


def frames(task: Task) -> tuple[Frame, ...]:
    """Return one frame per second-order variable; () if the task has others, which nano cannot read."""
    rates = {v.rate_of: v for v in task.variables if v.rate_of is not None}
    positions = [v for v in task.variables if v.rate_of is None]
    if any(v.name not in rates for v in positions):
        return ()
    return tuple(_frame(task, v, rates[v.name]) for v in positions)


def _frame(task: Task, variable: StateVariable, rate: StateVariable) -> Frame:
    first = task.shown[0]
    names = [v.name for v in task.variables]
    states = np.asarray(first.states)
    crossings = _crossings(np.asarray(first.t), states[:, names.index(rate.name)])
    half = None
    if len(crossings) >= 3:
        half = float(np.polyfit(np.arange(len(crossings)), crossings, 1)[0])
    return Frame(
        variable=variable.name,
        rate=rate.name,
        angle=variable.unit in ("rad", "deg"),
        length=_largest(states[:, names.index(variable.name)]),
        speed=_largest(states[:, names.index(rate.name)]),
        duration=first.t[-1] - first.t[0],
        half_period=half,
    )


def _largest(values: FloatArray) -> float:
    largest = float(np.abs(values).max())
    return largest if 1e-9 < largest < 1e9 else 1.0


def render(observation: Observation, frame: Frame) -> str:
    """Return the prompt: the motion, the hint, and the latest turns with what was wrong with them."""
    task = observation.task
    ratio = frame.speed * frame.unit_time / frame.length
    head = f"angle {number(frame.length)}" if frame.angle else "length"
    hint = " ".join(task.hint.split())[:MAX_HINT_CHARACTERS] or "none"
    lines = [
        f"{head} r {number(ratio)} {_rhythm(task, frame)} hint {hint}",
        f"qv {_samples(task, frame)}",
    ]
    lines += [_past(task, frame, past) for past in observation.history[-REMEMBERED_TURNS:]]
    return "\n".join(lines) + "\n"


def _rhythm(task: Task, frame: Frame) -> str:
    """Return half a period, in durations, and how much of the speed's spread is left in the second half.

    The verifier speaks of both when they are wrong; three digits of 25 samples would not show either
    sharply enough. `none` where the speed does not change its sign at least three times.
    """
    at = [v.name for v in task.variables].index(frame.rate)
    speeds = np.asarray(task.shown[0].states)[:, at]
    middle = len(speeds) // 2
    early, late = float(speeds[:middle].std()), float(speeds[middle:].std())
    decay = _share(late / early / 2.0 if early > 0 else 0.5)
    if frame.half_period is None:
        return f"half none decay {decay}"
    return f"half {number(frame.half_period / frame.duration)} decay {decay}"


def _crossings(t: FloatArray, values: FloatArray) -> FloatArray:
    """Return the times at which a series changes sign for more than a tenth of its spread."""
    threshold = 0.1 * float(values.std())
    signs = np.where(values > threshold, 1, np.where(values < -threshold, -1, 0))
    marked = np.flatnonzero(signs)
    turns = np.flatnonzero(np.diff(signs[marked]) != 0)
    before, after = marked[turns], marked[turns + 1]
    times: FloatArray = t[before] - values[before] * (t[after] - t[before]) / (values[after] - values[before])
    return times


def _samples(task: Task, frame: Frame) -> str:
    """Return q and v in turn at even times, each as three digits: 000 is the lowest, 999 the highest."""
    first = task.shown[0]
    times = np.linspace(first.t[0], first.t[-1], SAMPLES)
    names = [v.name for v in task.variables]
    levels = []
    for name, scale in ((frame.variable, frame.length), (frame.rate, frame.speed)):
        column = [row[names.index(name)] for row in first.states]
        share = (np.interp(times, first.t, column) / scale + 1.0) / 2.0
        levels.append(np.clip(np.rint(share * _LEVELS), 0, _LEVELS).astype(int).tolist())
    return "".join(f"{q:03d}{v:03d}" for q, v in zip(*levels, strict=True))


def number(value: float) -> str:
    """Return a number as three digits and a power of ten: 0.0234 is `234e-4`. Out of range saturates."""
    value = abs(value)
    if not value > 1e-7:
        return "100e-9"
    exponent = math.floor(math.log10(value)) - 2
    digits = round(value / 10.0**exponent)
    if digits == 1000:
        digits, exponent = 100, exponent + 1
    if exponent > 9:
        return "999e9"
    return f"{digits:03d}e{exponent}"


def feedback(observation: Observation, frame: Frame) -> str:
    """Return what follows the latest law and its ` >` in the prompt of the next turn."""
    past = observation.history[-1]
    return f" {_feedback(observation.task, frame, past, _known(past))}\n"


def _known(past: PastTurn) -> dict[str, float]:
    known = {name: value for name, value in past.params.items() if value is not None}
    return known | dict(past.fitted or {})


def _past(task: Task, frame: Frame, past: PastTurn) -> str:
    known = _known(past)
    law = write_law(task, frame, past.equation, known) or "?"
    return f"{law} > {_feedback(task, frame, past, known)}"


# What the curves look like, as the verifier names it, and the word that it becomes here.
_SHAPES: dict[ShapeKind, str] = {
    "runaway": "runaway",
    "no swing": "still",
    "period": "period",
    "undamped": "undamped",
    "overdamped": "overdamped",
    "centre": "centre",
    "amplitude": "amplitude",
    "phase": "phase",
    "bend": "bend",
    "runs on": "asymptote",
    "levels off": "asymptote",
    "growth": "growth",
}
_WITH_NUMBER = frozenset({"period", "amplitude"})


def _feedback(task: Task, frame: Frame, past: PastTurn, params: Mapping[str, float]) -> str:
    """Return the mismatch in a few tokens: fits, where, how much, what it looks like, which term."""
    if past.outcome == "not_parsed":
        return "unparsed"
    found = past.findings or Mismatch(within_noise=False, holds=False)
    blame = _blame(task, frame, found, params)
    if past.outcome != "ok":
        return f"failed{blame}"
    fits = "".join(_share(past.fits[name].r2) for name in (frame.variable, frame.rate) if name in past.fits)
    worst = found.worst
    if worst is None or worst.variable not in (frame.variable, frame.rate):
        return f"{fits} {'fine' if found.within_noise else 'elsewhere'}{blame}"
    letter, scale = ("q", frame.length) if worst.variable == frame.variable else ("v", frame.speed)
    at = _share(_said(worst.t) / frame.duration)
    side = "high" if worst.off > 0 else "low"
    size = _share(_said(abs(worst.off)) / scale / 2.0)
    return f"{fits} {letter} {at} {side} {size}{_shape(found)}{blame}"


def _said(value: float) -> float:
    """Return a number to the three digits of the verifier's sentence: what the models learned from."""
    return float(f"{value:.3g}")


def _shape(found: Mismatch) -> str:
    if found.shape is None:
        return ""
    word = _SHAPES[found.shape.kind]
    if word in _WITH_NUMBER and found.shape.value is not None:
        return f" {word} {number(_said(found.shape.value))}"
    return f" {word}"


def _blame(task: Task, frame: Frame, found: Mismatch, params: Mapping[str, float]) -> str:
    """Return ` drop v`, ` fit sin(q) 112e-2` (times which it would fit) or ` add -234e-2*v`; "" if unsaid."""
    target = left_side(frame.variable, 2)
    finding = next((f for f in found.findings if f.target == target), None)
    if finding is None:
        return ""
    variables = _own_variables(task, frame)
    if finding.kind == "missing":
        added = parse(f"{target} = {_said(finding.factor)!r}*{finding.term}", {}, variables)
        law = _write(added, frame)
        return "" if law is None else f" add{law.removeprefix(_LEFT)}"
    parsed = parse(f"{target} = {finding.term}", params, variables)
    terms = None if isinstance(parsed, Rejection) else _terms(parsed, frame)
    if not terms:
        return ""
    name = "*".join(terms[0].factors) or "1"
    if finding.kind == "superfluous":
        return f" drop {name}"
    return f" fit {name} {'-' if finding.factor < 0 else ''}{number(_said(finding.factor))}"


def _share(value: float | None) -> str:
    return f"{round(min(1.0, max(0.0, value or 0.0)) * _LEVELS):03d}"


def write_law(task: Task, frame: Frame, equation: str, params: Mapping[str, float]) -> str | None:
    """Return `d2q/dt2 = ...` in the frame's units; None if the law is not a sum of the codec's terms."""
    return _write(parse(equation, params, task.variables), frame)


def _own_variables(task: Task, frame: Frame) -> list[StateVariable]:
    return [v for v in task.variables if v.name in (frame.variable, frame.rate)]


def _write(parsed: ParsedHypothesis | Rejection, frame: Frame) -> str | None:
    if isinstance(parsed, Rejection):
        return None
    terms = _terms(parsed, frame)
    if not terms or any(not math.isfinite(t.coefficient) for t in terms):
        return None
    parts = []
    for term in terms:
        i, j = term.powers
        scaled = term.coefficient * _per_unit(frame, i, j)
        sign = "-" if scaled < 0 else "+"
        parts.append(f" {sign}{number(scaled)}" + "".join(f"*{f}" for f in term.factors))
    return _LEFT + "".join(parts)


def _per_unit(frame: Frame, i: int, j: int) -> float:
    """Return what one SI unit of a coefficient of q**i v**j is in the frame's units."""
    length, time = frame.unit_length, frame.unit_time
    return length ** (i + j - 1) * time ** (2 - j)


def _terms(parsed: ParsedHypothesis, frame: Frame) -> list[_Term] | None:
    expression = next((e.expression for e in parsed.equations if e.variable == frame.variable), None)
    if expression is None:
        return None
    terms = []
    for negative, node in summands(expression):
        factors: list[str] = []
        coefficient = _product(node, parsed.params, frame, factors)
        if coefficient is None:
            return None
        terms.append(_Term(-coefficient if negative else coefficient, tuple(factors)))
    return terms


def _product(node: Node, params: Mapping[str, float], frame: Frame, factors: list[str]) -> float | None:
    """Collect a product's state factors into `factors` and return its constant; None if it is no product."""
    letters = {frame.variable: "q", frame.rate: "v"}
    match node:
        case Number(value):
            return value
        case Name(name) if name in params:
            return params[name]
        case Name(name) if name in letters:
            factors.append(letters[name])
            return 1.0
        case Negate(operand):
            inner = _product(operand, params, frame, factors)
            return None if inner is None else -inner
        case Call("sin" | "cos" as function, Name(name)) if name == frame.variable:
            factors.append(f"{function}(q)")
            return 1.0
        case Call("abs", Name(name)) if name in letters:
            factors.append(f"abs({letters[name]})")
            return 1.0
        case Binary("**", Name(name), Number(power)) if name in letters and power in (2.0, 3.0, 4.0):
            factors.append(f"{letters[name]}**{power:.0f}")
            return 1.0
        case Binary("*", left, right):
            one = _product(left, params, frame, factors)
            other = _product(right, params, frame, factors)
            return None if one is None or other is None else one * other
        case Binary("/", left, right):
            below: list[str] = []
            one = _product(left, params, frame, factors)
            other = _product(right, params, frame, below)
            return None if one is None or not other or below else one / other
        case _:
            return None


def read_law(text: str, frame: Frame, letters: str = _LETTERS) -> tuple[str, dict[str, float]] | None:
    """Return the equation in the task's names and its params in SI; None if the text is no law."""
    text = text.strip()
    if len(text) > 200 or _COMPLETION.fullmatch(text) is None:
        return None
    found = list(_TERM.finditer(text, len(_LEFT)))
    if len(found) > len(letters):
        return None
    equation, params = f"{left_side(frame.variable, 2)} =", {}
    for letter, one in zip(letters, found, strict=False):
        factors = tuple(re.findall(_FACTOR, one["factors"]))
        i, j = _Term(0.0, factors).powers
        params[letter] = float(f"{float(one['number']) / _per_unit(frame, i, j):.6g}")
        equation += f" {one['sign']} {letter}" + "".join(f"*{_named(f, frame)}" for f in factors)
    equation = equation.replace("= + ", "= ", 1).replace("= - ", "= -", 1)
    return equation, params


def _named(factor: str, frame: Frame) -> str:
    names = {"q": frame.variable, "v": frame.rate}
    return re.sub(r"\b[qv]\b", lambda found: names[found[0]], factor)


def hypothesis_of(completions: Sequence[str], task_frames: Sequence[Frame], task: Task) -> Hypothesis:
    """Return the hypothesis that completions, one per frame, stand for.

    Text that is no law of the codec is handed to the verifier as it is: it says what is wrong.
    """
    taken = {v.name for v in task.variables} | {"t"}
    letters = [c for c in "abcdefghijklmnopqrsuvwxyz" if c not in taken]
    equations, params = [], {}
    for text, frame in zip(completions, task_frames, strict=True):
        free = "".join(c for c in letters if c not in params)
        law = read_law(text, frame, free)
        if law is None:
            return Hypothesis(equation="; ".join(c.strip() for c in completions)[:1024] or "(nothing)")
        equations.append(law[0])
        params.update(law[1])
    return Hypothesis(equation="; ".join(equations), params=params)
