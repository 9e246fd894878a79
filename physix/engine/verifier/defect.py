"""What the equations lack, read off the data without solving anything.

The defect of an equation is what its left side, measured, differs from the integral of its right side
along the data (see `along`); the term that it is proportional to is too strong, too weak, of the
wrong sign or missing (see `choice`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.task import Task
from physix.engine.verifier.along import Motion, Response, motion_of, response_of
from physix.engine.verifier.arrays import evaluate_arrays
from physix.engine.verifier.choice import Choice, Chosen, Problem, choose, explained, favouring, precision
from physix.engine.verifier.drive import Drive, find_drive
from physix.engine.verifier.tree import (
    Binary,
    Equation,
    Name,
    Negate,
    Node,
    ParsedHypothesis,
    show,
    summands,
    walk,
)
from physix.engine.verifier.types import Finding, FindingKind, Role

_PART = 0.5  # what a part of a summand must explain beyond the whole
_MISSING = 6.0  # what a missing term must beyond one of the law's own: there are more to choose from
_CROSS = 0.1  # of the largest finding, below which those in other equations wait for the next turn
_SHARE = 0.02  # of what the whole change takes off chi², below which a part of it waits for the next turn
_MATTERS = 16.0  # what a change among several must take off chi² to be named
_NOTHING = 0.05  # a factor below in size: the term should go
_SIGN_ERROR = -0.3  # a factor below: the term should point the other way
_SURELY = 2.0  # standard errors
MAX_PARTS = 24  # of an equation's right-hand side multiplied out
_CLEAR = 1_000.0  # times its price: no noise does that
_SAME = 0.9999  # cosine from which two terms are one
_SURE = 4.0  # standard deviations of chi² within which an equation holds
_DIGITS = 5  # of what is told: the last bits differ between machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Defects:
    """What is wrong with the equations along the data."""

    holds: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """A term of the law, its values along the data with sign and constants."""

    node: Node  # with its sign
    values: FloatArray

    @property
    def term(self) -> str:
        """Source text."""
        return show(self.node)

    @property
    def names(self) -> frozenset[str]:
        """What it depends on, params included."""
        return frozenset(n.name for n in walk(self.node) if isinstance(n, Name))


def find_defects(parsed: ParsedHypothesis, task: Task) -> Defects:
    """Return the changes that explain what the noise does not, the largest first."""
    motion = motion_of(task)
    with np.errstate(all="ignore"):
        looks = [_look(e, parsed, motion, response_of(task, e.variable)) for e in parsed.equations]
        each = [Defects(holds=False, findings=()) if look is None else _judge(look, parsed) for look in looks]
        for at, twins in _twins(each, parsed):
            look = looks[at]
            alike = None if look is None else _alike(look, twins)
            if alike is not None:
                each[at] = _judge(alike, parsed)
    found = [finding for one in each for finding in one.findings]
    found.sort(key=lambda finding: -finding.size)
    largest = found[0].size if found else 0.0
    return Defects(
        holds=all(one.holds for one in each),
        findings=tuple(f for f in found if f.size > _CROSS * largest or f.target == found[0].target),
    )


def _twins(each: Sequence[Defects], parsed: ParsedHypothesis) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield each equation of a plane with the terms that the other one lacks, in its own axis's names."""
    axes = [(v.rate_of, v.name, v.unit) for v in parsed.variables if v.rate_of is not None]
    if len(axes) != 2 or len(parsed.variables) != 4 or axes[0][2] != axes[1][2]:
        return
    (x, vx, _), (y, vy, _) = axes
    turned = {x: y, y: x, vx: vy, vy: vx}
    for one, other in ((0, 1), (1, 0)):
        lacking = [finding for finding in each[other].findings if finding.kind == "missing"]
        twins = {_ordered(_renamed(f.term, turned)): f.factor for f in lacking if f.term != "1"}
        if twins and each[one].findings:
            yield one, twins


def _renamed(text: str, names: Mapping[str, str]) -> str:
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), text)


@lru_cache(maxsize=1024)
def _ordered(text: str) -> str:
    """Return a term with the summands inside its brackets in one order."""
    return re.sub(r"\(([^()]*)\)", lambda found: f"({' + '.join(sorted(found[1].split(' + ')))})", text)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One equation set against the data, and the change that explains best what is left over."""

    equation: Equation
    motion: Motion
    response: Response
    own: Sequence[_Own]  # summands, and then their parts
    smooth: FloatArray  # the right-hand side along the data, shape (N,)
    defect: FloatArray  # shape (R,)
    problem: Problem
    chosen: Chosen


def _look(equation: Equation, parsed: ParsedHypothesis, motion: Motion, response: Response) -> _Look | None:
    """Return what an equation leaves over and what explains it; None where its numbers are beyond floats."""
    whole = [_own(negative, node, motion, parsed) for negative, node in summands(equation.expression)]
    finer = _finer(equation, motion, parsed)
    own = whole + [part for _, part in finer]
    values = np.empty((len(motion.columns["t"]), len(own)))
    for at, term in enumerate(own):
        values[:, at] = term.values
    if not np.isfinite(values).all():
        return None
    rows = response.weighted(values)
    free = parsed.free
    open_ = [at for at, term in enumerate(whole) if not term.names.isdisjoint(free)] if free else []
    if open_:
        strengths = _at_best(rows[:, : len(whole)], open_, response.measured)
        scale = np.concatenate([strengths, strengths[[at for at, _ in finer]]])
        rows = rows * scale
    defect = response.measured - rows[:, : len(whole)].sum(axis=1)
    problem = _problem(rows, defect, len(whole), response)
    if not math.isfinite(problem.before):
        return None
    smooth = values[:, : len(whole)].sum(axis=1)
    return _Look(equation, motion, response, own, smooth, defect, problem, choose(problem))


def _alike(look: _Look, twins: Mapping[str, float]) -> _Look | None:
    """Return the look with the choice that treats both axes alike; None where that is the one it has."""
    listed = ((len(look.own) + at, _ordered(one.term)) for at, one in enumerate(look.response.library))
    chosen = favouring(look.problem, look.chosen, [(at, twins[term]) for at, term in listed if term in twins])
    return None if chosen is look.chosen else replace(look, chosen=chosen)


def _judge(look: _Look, parsed: ParsedHypothesis) -> Defects:
    equation, response, problem, chosen = look.equation, look.response, look.problem, look.chosen
    left = problem.before if chosen.choice is None else chosen.choice.chi2
    if left > explained(problem.degrees) or (chosen.choice is not None and len(chosen.choice.columns) > 1):
        drive = find_drive(look.defect, response, look.motion, left, chosen)
        if drive is not None:
            return Defects(holds=False, findings=(_drive_finding(drive, equation),))
    if chosen.choice is None:
        within = problem.degrees + _SURE * math.sqrt(2.0 * problem.degrees)
        return Defects(holds=problem.before <= within, findings=())
    worth = (problem.before - chosen.choice.chi2) / (chosen.noise * chosen.choice.price)
    if worth < _CLEAR and worth < _felt(look, parsed):
        return Defects(holds=True, findings=())
    findings = _findings(chosen.choice, problem, chosen.noise, equation, look.own, response)
    return Defects(holds=False, findings=tuple(findings))


def _at_best(rows: FloatArray, open_: Sequence[int], measured: FloatArray) -> FloatArray:
    """Return what to multiply each summand by: 1, and what fits best where a constant was left open.

    Simulated constants make up for what another equation lacks, which is then not seen here. Along the data
    each equation stands for itself.
    """
    strengths = np.ones(rows.shape[1])
    norms = np.sqrt(np.maximum((rows[:, open_] ** 2).sum(axis=0), 1e-300))
    left = measured - np.delete(rows, open_, axis=1).sum(axis=1)
    found = np.linalg.lstsq(rows[:, open_] / norms, left, rcond=1e-8)[0] / norms
    if np.isfinite(found).all() and (found != 0.0).all():
        strengths[open_] = found
    return strengths


def _felt(look: _Look, parsed: ParsedHypothesis) -> float:
    """Return how many times more the law makes of the noise in its states than was taken for granted.

    What fluctuates about a slow motion may be pulled back fast: how fast, only a law can tell.
    """
    off = evaluate_arrays(look.equation.expression, {**look.motion.shaken, **parsed.params}) - look.smooth
    felt = float(np.mean((off / look.response.rate_noise) ** 2))
    return max(1.0, felt) if math.isfinite(felt) else 1.0


def _drive_finding(drive: Drive, equation: Equation) -> Finding:
    phase = f" {'-' if drive.phase < 0.0 else '+'} {abs(drive.phase):.4g}"
    return Finding(
        kind="missing",
        target=equation.target,
        term=f"cos({drive.frequency:.5g}*t{phase})",
        factor=_rounded(drive.amplitude),
        error=_rounded(drive.error),
        size=_rounded(drive.size),
        role="other",
    )


def _problem(rows: FloatArray, defect: FloatArray, whole: int, response: Response) -> Problem:
    own = rows.shape[1]
    products = rows.T @ rows
    cross = rows.T @ response.rows
    gram = np.empty((own + cross.shape[1],) * 2)
    gram[:own, :own], gram[:own, own:], gram[own:, :own], gram[own:, own:] = (
        products,
        cross,
        cross.T,
        response.gram,
    )
    onto = np.concatenate([rows.T @ defect, response.rows.T @ defect])
    left = np.concatenate([rows.T @ response.measured, response.onto])
    diagonal = gram.diagonal()
    # Squares that leave the range of floats say nothing of a column.
    known = np.isfinite(diagonal) & np.isfinite(onto) & np.isfinite(left)
    if not known.all():
        gram[~known, :] = gram[:, ~known] = 0.0
        onto[~known] = left[~known] = 0.0
    sizes = np.maximum(diagonal, 1e-300)
    before = float(defect @ defect)
    doubts = np.concatenate([np.zeros(whole), np.full(own - whole, _PART), _MISSING + response.doubts])
    cosines = gram[:own, own:] ** 2 / np.multiply.outer(sizes[:own], sizes[own:])
    # What cannot be told from a term of the law's own is that term.
    doubts[own:][(cosines > _SAME**2).any(axis=0)] = math.inf
    doubts[(sizes < 1e-18 * before) | (sizes <= 1e-300)] = math.inf
    return Problem(
        gram=gram,
        sizes=sizes,
        onto=onto,
        doubts=doubts,
        response=left,
        energy=response.energy,
        own=own,
        whole=whole,
        before=before,
        degrees=response.degrees,
        blur=response.blur,
    )


def _findings(
    choice: Choice,
    problem: Problem,
    noise: float,
    equation: Equation,
    own: Sequence[_Own],
    response: Response,
) -> list[Finding]:
    found = []
    total = (problem.before - choice.chi2) / noise
    for column, change, weight in zip(
        choice.columns, choice.changes, precision(problem, choice).tolist(), strict=True
    ):
        size = change**2 * weight / noise
        if len(choice.columns) + len(choice.dropped) > 1 and size < max(_MATTERS, _SHARE * total):
            continue
        error = math.sqrt(noise / weight)
        if column < len(own):
            term = own[column]
            kind, factor = _kind(1.0 + change, error)
            role = _role(term.names, _work(term, response), equation, response)
            text = term.term
        else:
            listed = response.library[column - len(own)]
            kind, factor, text = "missing", change, listed.term
            role = _role(listed.names, change * listed.work, equation, response)
        found.append(
            Finding(
                kind=kind,
                target=equation.target,
                term=text,
                factor=_rounded(factor),
                error=_rounded(error),
                size=_rounded(size),
                role=role,
            )
        )
    for column in choice.dropped:
        term = own[column]
        role = _role(term.names, _work(term, response), equation, response)
        found.append(
            Finding(
                kind="superfluous",
                target=equation.target,
                term=term.term,
                factor=0.0,
                error=0.0,
                size=_rounded(total),
                role=role,
            )
        )
    return sorted(found, key=lambda finding: -finding.size)


def _kind(factor: float, error: float) -> tuple[FindingKind, float]:
    """Return what is wrong with an own term that should be multiplied by `factor`, and by what."""
    if abs(factor) < max(_NOTHING, min(_SURELY * error, -_SIGN_ERROR)):
        return "superfluous", 0.0
    return ("sign" if factor < _SIGN_ERROR else "strength"), factor


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _own(negative: bool, node: Node, motion: Motion, parsed: ParsedHypothesis) -> _Own:
    signed = Negate(node) if negative else node
    values = evaluate_arrays(signed, {**motion.columns, **parsed.params})
    if isinstance(values, np.ndarray) and values.ndim:
        return _Own(signed, values)
    return _Own(signed, np.broadcast_to(values, motion.columns["t"].shape))


def _finer(equation: Equation, motion: Motion, parsed: ParsedHypothesis) -> list[tuple[int, _Own]]:
    """Return the parts of summands that are products of sums: `-k*T` and `k*A` of `-k*(T - A)`.

    Each comes with the number of its summand.
    """
    parts: list[tuple[int, _Own]] = []
    for at, (negative, node) in enumerate(summands(equation.expression)):
        count = _count(node)
        if count > 1 and len(parts) + count <= MAX_PARTS:
            parts += [
                (at, _own(sign, part, motion, parsed)) for sign, part in expanded(node, negative=negative)
            ]
    return parts


def _count(node: Node) -> int:
    """Return how many summands multiplying out would give: it doubles with every factor that is a sum."""
    if isinstance(node, Negate):
        return _count(node.operand)
    if not isinstance(node, Binary) or node.operator == "**":
        return 1
    left = _count(node.left)
    if node.operator == "/":
        return left
    return left * _count(node.right) if node.operator == "*" else left + _count(node.right)


def expanded(node: Node, *, negative: bool = False) -> Iterator[tuple[bool, Node]]:
    """Yield (negative, term) for each summand, products and quotients of sums multiplied out.

    An expression that would give more than MAX_PARTS is only split into its summands.
    """
    if _count(node) > MAX_PARTS:
        yield from summands(node, negative=negative)
        return
    for sign, part in summands(node, negative=negative):
        match part:
            case Binary("*", left, right):
                rights = list(expanded(right))
                for first, a in expanded(left):
                    for second, b in rights:
                        yield sign ^ first ^ second, Binary("*", a, b)
            case Binary("/", left, right):
                for first, a in expanded(left):
                    yield sign ^ first, Binary("/", a, right)
            case _:
                yield sign, part


def _work(term: _Own, response: Response) -> float:
    return float(term.values @ response.driven_values)


def _role(names: frozenset[str], work: float, equation: Equation, response: Response) -> Role:
    if response.driven != equation.variable and response.driven in names:
        return "damping" if work < 0.0 else "driving"
    if names & response.states - {response.driven, equation.variable}:
        return "coupling"
    if names & response.states:
        return "restoring"
    return "other" if names & response.given else "constant"
