"""The prompt for small models: at most 350 tokens at turn 1, about 120 afterwards.

A model of 135 million parameters reads a table and a sentence, but it cannot carry a chat of eight
turns and does no arithmetic. So the numbers are shown once, as integers; later turns repeat only the
best law so far and what the verifier found wrong with it; and the reply is the equations alone, their
constants named and left to the verifier. A law that did not help is not shown: a small model would copy
it. Once one did not, the model is told of one thing at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.ports import Observation, PastTurn
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task, Trajectory
from physix.engine.verifier.types import Finding
from physix.policies.chat.prompt import Message, Prompt, estimate_tokens

COMPACT_VERSION = "compact-2"
MAX_FIRST_TOKENS = 350
_ROWS = (10, 8, 6, 4)
_LARGEST = 999  # of a column: three digits
_EVEN = 0.15  # of a step that steps may differ by: thinned rows of an even record are a row apart
_FINDINGS = 4
_WORDS = 160  # of a sentence that no finding says
_SHOWN_LAW = 240

_SYSTEM = "You find equations of motion."
_FITTED = "constants as names"
_DECLARED = "constants as numbers"


def render(observation: Observation) -> Prompt:
    """Return the chat that asks a small model for the next law; see the module's words."""
    user, rows, turns = _first(observation) if not observation.history else _later(observation)
    messages = (Message("system", _SYSTEM), Message("user", user))
    text = "".join(f"{message.role}\n{message.content}\n" for message in messages)
    return Prompt(
        messages=messages,
        version=COMPACT_VERSION,
        estimated_tokens=estimate_tokens(text) + 4 * len(messages),
        rows=rows,
        turns=turns,
        sha256=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    )


def reply_of(equation: str) -> str:
    """Return the reply that a model should have written for these equations."""
    return equation


def _first(observation: Observation) -> tuple[str, int, tuple[int, ...]]:
    task = observation.task
    for rows in _ROWS:
        parts = [_hint(task), _table(task, rows), _request(observation, "Law")]
        text = "\n".join(parts)
        if estimate_tokens(text) + estimate_tokens(_SYSTEM) + 8 <= MAX_FIRST_TOKENS:
            break
    return text, rows, ()


def _later(observation: Observation) -> tuple[str, int, tuple[int, ...]]:
    task, best = observation.task, shown(observation)
    names = [*(v.name for v in task.variables), *(i.name for i in task.inputs)]
    parts = [
        _hint(task),
        f"Variables: {', '.join(names)}",
        f"Law: {best.equation[:_SHOWN_LAW]}",
        f"Found: {_found(observation)}",
        _request(observation, "Better law"),
    ]
    return "\n".join(parts), 0, (best.turn,)


def shown(observation: Observation) -> PastTurn:
    """Return the turn whose law is shown after turn 1: the best so far, of equals the latest.

    A law of which nothing is found, though it is not the right one, leads nowhere: others are shown instead.
    """
    leading = [turn for turn in observation.history if _findings(turn)]
    return max(leading or observation.history, key=lambda turn: (turn.reward.match, turn.turn))


def told(observation: Observation) -> list[Finding]:
    """Return the findings that are told of the law that is shown, in the order of the telling.

    The first time they are told together. If what was then tried did not help, the weightiest is told alone.
    """
    best, last = shown(observation), observation.history[-1]
    first_shown = next(turn.turn for turn in observation.history if turn.equation == best.equation)
    telling = _findings(best)[: _FINDINGS if last.turn == first_shown else 1]
    # Equation by equation, as the law is written: a small model edits from left to right.
    return sorted(telling, key=lambda one: one.target)


def _findings(turn: PastTurn) -> Sequence[Finding]:
    said = () if turn.findings is None else turn.findings.findings
    # Where a term is to be added or dropped, the strengths of the others are fitted anew anyway.
    return [one for one in said if one.kind != "strength"] or said


def _found(observation: Observation) -> str:
    """Return what the verifier found wrong with the law that is shown, in few words."""
    best = shown(observation)
    if telling := told(observation):
        return "; ".join(map(_said, telling)) + "."
    if best.findings is not None and best.findings.within_noise:
        return "it fits what is shown, but not other motions of the kind."
    return best.mismatch[:_WORDS]


def _said(finding: Finding) -> str:
    term = bare(finding.term)
    match finding.kind:
        case "missing":
            what = f"{abs(finding.factor):.2g}" + ("" if term == "1" else f"*{term}")
            return f"in {finding.target} {'-' if finding.factor < 0 else '+'} {what} is missing"
        case "superfluous":
            return f"in {finding.target} {term} should not be there"
        case "sign":
            return f"in {finding.target} {term} has the wrong sign"
        case "strength":
            return f"in {finding.target} {term} should be {finding.factor:.2g} times as strong"


def bare(term: str) -> str:
    """Return a finding's term without its sign: `-(c*vx)` is `c*vx`, while `(x - y)` stays as it is."""
    if term.startswith("-(") and term.endswith(")"):
        return term[2:-1]
    return term.removeprefix("-")


def _hint(task: Task) -> str:
    return task.hint or "No hint was given."


def _request(observation: Observation, name: str) -> str:
    rule = _FITTED if observation.constants == "fitted" else _DECLARED
    wanted = "; ".join(f"{target.left} = ..." for target in targets(observation.task.variables))
    return f"{name} ({rule}): {wanted}"


def _table(task: Task, rows: int) -> str:
    """Return one line a column: its name, its largest magnitude with its unit, its samples in 999ths."""
    trajectory = task.shown[0]
    kept = np.unique(np.linspace(0, len(trajectory.t) - 1, rows).round().astype(int))
    t = np.array(trajectory.t)
    lines = [f"t: {t[0]:.3g} to {t[-1]:.3g} {task.time_unit or ''}".rstrip()]
    if not _even(t[kept]):
        lines.append(_column("t", task.time_unit, t[kept] - t[0]))
    columns = _columns(task, trajectory)
    lines += [_column(name, unit, values[kept]) for name, unit, values in columns]
    places = [v.rate_of is None for v in task.variables]
    lines += [
        _statistics(name, values) for place, (name, _, values) in zip(places, columns, strict=False) if place
    ]
    return "\n".join(line for line in lines if line)


def _columns(task: Task, trajectory: Trajectory) -> list[tuple[str, str | None, FloatArray]]:
    states = np.array(trajectory.states)
    found_columns = [(v.name, v.unit, states[:, i]) for i, v in enumerate(task.variables)]
    if task.inputs:
        given = np.array(trajectory.inputs)
        found_columns += [(one.name, one.unit, given[:, i]) for i, one in enumerate(task.inputs)]
    return found_columns


def _even(t: FloatArray) -> bool:
    steps = np.diff(t)
    return len(steps) < 2 or bool(np.ptp(steps) <= _EVEN * steps.mean())


def _column(name: str, unit: str | None, values: FloatArray) -> str:
    largest = float(np.abs(values).max())
    scaled = np.zeros(len(values)) if largest == 0.0 else values * (_LARGEST / largest)
    numbers = " ".join(str(int(one)) for one in scaled.round())
    return f"{name} ({largest:.3g} {unit or ''}".rstrip() + f"): {numbers}"


def _statistics(name: str, values: FloatArray) -> str:
    """Return a variable's mean in the table's unit, how often it is crossed, and how its swing lasts."""
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return ""
    mean, half = float(values.mean()), len(values) // 2
    centred = values - mean
    marked = np.sign(np.where(np.abs(centred) > 0.1 * centred.std(), centred, 0.0))
    crossings = int((np.diff(marked[marked != 0.0]) != 0.0).sum())
    early = float(values[:half].std())
    lasting = float(values[half:].std()) / early if early > 0.0 else 1.0
    return (
        f"{name}: mean {mean * _LARGEST / largest:.0f}, {crossings} crossings, lasts {min(lasting, 99.0):.2f}"
    )
