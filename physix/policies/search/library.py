"""Candidate terms for right-hand sides, in tiers, built from a task's variables and what they do.

A term is text in the verifier's grammar; the verifier's own parser reads it and its own arithmetic
evaluates it, so a term means here what it will mean there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target
from physix.engine.systems.task import InputVariable, StateVariable, Task
from physix.engine.verifier import parse
from physix.engine.verifier.arrays import evaluate_arrays
from physix.engine.verifier.tree import Node, ParsedHypothesis
from physix.engine.verifier.types import FunctionSet

TIERS = 4
_INNER = ("h_1", "h_2")
_SHARES = (0.05, 0.12, 0.3, 0.6, 1.0, 1.8, 4.0)  # of a variable's size, where an inner constant begins
_LIKELY = -2.0  # the same for what most laws hold: constants, and variables as they are
_SINGULAR = 10.0  # nats of prior against what is infinite at 0
_MOST_STATES = 4  # whose products are all tried
QUARTER = float(np.pi / 2.0)
_PER_TURN, _MOST_TEMPI = 3.0, 240  # frequencies tried for each turn that the record may hold, and of a drive
_ANGLES = ("rad", "deg", "°")


@dataclass(frozen=True, slots=True)
class Term:
    """One factor that a coefficient multiplies.

    Attributes:
        text: in the grammar, "1" for a constant; `{0}` and `{1}` stand for inner constants.
        letter: what its coefficient is called.
        tier: 0 to 3, from plain to far-fetched.
        starts: values from which inner constants are searched; () where there are none.
    """

    text: str
    letter: str
    tier: int
    starts: tuple[tuple[float, ...], ...] = ()
    unlikely: float = 0.0  # nats of prior against it beside its tier's
    phased: bool = False  # the second inner constant is a phase, begun at 0 and at a quarter of a turn

    @property
    def inner(self) -> int:
        """How many inner constants it has."""
        return len(self.starts[0]) if self.starts else 0

    @property
    def linear(self) -> bool:
        """A constant or a plain variable."""
        return self.text.isidentifier() or self.text == "1"


@dataclass(frozen=True, slots=True)
class Ranges:
    """What the variables do: their size and whether they stay positive."""

    size: Mapping[str, float]
    positive: frozenset[str]
    one_way: frozenset[str]  # rates that never change their sign
    fastest: float  # angular frequency of the liveliest variable
    slowest: float  # of one turn in the whole record


def library(task: Task, target: Target, ranges: Ranges, *, tier: int, functions: FunctionSet) -> list[Term]:
    """Return the terms of tiers 0 to `tier` worth trying for one equation, each once."""
    builders = (_plain, _curved, _bent, _timed)
    found = [term for build in builders for term in build(task, target, ranges) if term.tier <= tier]
    if functions == "basic":
        found = [term for term in found if "tanh(" not in term.text and "sign(" not in term.text]
    return list({term.text: term for term in reversed(found)}.values())[::-1]


def evaluate(term: Term, inner: Sequence[float], columns: Mapping[str, FloatArray], rows: int) -> FloatArray:
    """Return the term's values along the columns, shape (rows,); undefined where it is NaN or infinite."""
    names = tuple(name for name in columns if name != "t")
    node = _node(term.text.format(*_INNER), names)
    values: dict[str, FloatArray | float] = {**columns, **dict(zip(_INNER, inner, strict=False))}
    with np.errstate(all="ignore"):
        return np.broadcast_to(evaluate_arrays(node, values), (rows,))


@lru_cache(maxsize=4_096)
def _node(text: str, names: tuple[str, ...]) -> Node:
    own = StateVariable(name="q_", unit=None, symbol="", description="")
    given = [InputVariable(name=n, unit=None, symbol="", description="") for n in (*names, *_INNER)]
    parsed = parse(f"dq_/dt = {text}", {}, [own], inputs=given, functions="extended")
    assert isinstance(parsed, ParsedHypothesis), parsed  # noqa: S101  # the library writes the grammar
    return parsed.equations[0].expression


def _states(task: Task) -> list[str]:
    return [variable.name for variable in task.variables]


def _own_first(task: Task, target: Target) -> list[str]:
    return sorted(_states(task), key=lambda name: name not in (target.variable, target.driven))


def _angles(task: Task) -> list[StateVariable]:
    return [v for v in task.variables if v.unit in _ANGLES]


def _phases(task: Task) -> list[StateVariable]:
    """Return what may stand in a sine: angles, and numbers without a unit."""
    return [
        v for v in task.variables if (v.unit in (*_ANGLES, None, "") and v.rate_of is None) or v.unit == "1"
    ]


def _turns(variable: StateVariable, ranges: Ranges) -> int:
    """Return the tier of its sines: where nothing is an angle or ever negative all are rather amounts."""
    return 2 if variable.unit not in _ANGLES and set(ranges.size) <= ranges.positive else 1


def _turned(variable: StateVariable) -> str:
    return f"pi/180*{variable.name}" if variable.unit in ("deg", "°") else variable.name


def _rates(task: Task) -> list[str]:
    return [v.name for v in task.variables if v.rate_of is not None]


def _plain(task: Task, target: Target, ranges: Ranges) -> Iterator[Term]:
    """Yield tier 0: what most laws are made of."""
    yield Term("1", "a", 0, unlikely=_LIKELY)
    rates = _rates(task)
    for name in _own_first(task, target):
        yield Term(name, "b" if name in rates else "k", 0, unlikely=_LIKELY)
    for given in task.inputs:
        yield Term(given.name, "g", 0, unlikely=_LIKELY)
    for angle in _angles(task):
        yield Term(f"sin({_turned(angle)})", "w", 0)
    if target.order == 2:
        yield from _drag(target.driven, rates, ranges)
    else:
        yield from _products(_states(task), 2, 0)


def _curved(task: Task, target: Target, ranges: Ranges) -> Iterator[Term]:
    """Yield tier 1: cubes, couplings, waves, friction, inverse powers."""
    names, rates = _states(task), _rates(task)
    yield from _products(names, 2, 1)
    yield from _products(names, 3, 1)
    for given in task.inputs:
        yield from (Term(f"{given.name}*{name}", "g", 1) for name in names)
    phases = _phases(task)
    for given, phase in product(task.inputs, phases):
        # A force of fixed direction turns with the arm that it acts on.
        yield Term(f"{given.name}*cos({_turned(phase)})", "g", _turns(phase, ranges))
        yield Term(f"{given.name}*sin({_turned(phase)})", "g", _turns(phase, ranges))
    for phase in phases:
        yield Term(f"sin({_turned(phase)})", "w", _turns(phase, ranges))
        yield Term(f"cos({_turned(phase)})", "u", _turns(phase, ranges))
    for name in dict.fromkeys([target.driven, *rates, *names]):
        yield Term(f"{name}*abs({name})", "c", 1)
    if target.order == 2:
        yield Term(f"sign({target.driven})", "f", 1)
    yield from _central(task, target)
    yield from _waves(phases, names, ranges)
    for name in names:
        if name in ranges.positive:
            yield Term(f"sqrt({name})", "s", 1)
            # A force may be infinite at the origin; a population, a charge or a temperature hardly is.
            singular = _SINGULAR if target.order == 1 else 0.0
            yield Term(f"1/{name}", "i", 1, unlikely=singular)
            yield Term(f"1/{name}**2", "i", 1, unlikely=singular)
            others = [other for other in names if other != name]
            yield from (Term(f"{other}/{name}", "i", 1, unlikely=_SINGULAR) for other in others)


def _bent(task: Task, target: Target, ranges: Ranges) -> Iterator[Term]:
    """Yield tier 2: decay, growth, and whatever has a constant inside; amounts saturate in tier 1."""
    names = _states(task)
    if len(names) <= 2:
        yield from (Term(f"{name}**{power}", "d", 2) for name in names for power in (4, 5))
    for name in [n for n in names if n not in _rates(task)] or names:
        sizes = tuple((share * ranges.size[name],) for share in _SHARES)
        others = [other for other in names if other != name]
        amount = 1 if set(ranges.size) <= ranges.positive and target.order == 1 else 2
        if name in ranges.positive:
            yield Term(f"{name}/({{0}} + {name})", "m", amount, sizes)
            yield Term(f"{name}*log({name}/{{0}})", "l", 2, sizes)
            yield Term(f"log({name})", "l", 2)
            yield Term(f"{name}**{{0}}", "p", 2, ((-1.5,), (-0.5,), (0.3,), (0.7,), (1.5,), (2.5,)))
            yield from (Term(f"{name}**{n}/({{0}}**{n} + {name}**{n})", "m", 2, sizes) for n in (3, 4, 5))
            for other in others:
                yield Term(f"{other}*{name}/({{0}} + {name})", "m", amount, sizes)
        signed = tuple((share * sign,) for (share,) in sizes[2:] for sign in (1.0, -1.0))
        yield Term(f"exp(-{name}/{{0}})", "e", 2, signed)
        yield from (Term(f"{other}*exp(-{name}/{{0}})", "e", 2, signed) for other in others)
        yield Term(f"{name}**2/({{0}}**2 + {name}**2)", "m", amount, sizes)
        yield Term(f"{name}/({{0}}**2 + {name}**2)", "m", 2, sizes)
        repressed = 2 if name == target.variable else amount
        yield Term(f"1/({{0}}**2 + {name}**2)", "m", repressed, sizes)
        yield from (Term(f"1/({{0}}**{n} + {name}**{n})", "m", 2, sizes) for n in (3, 4))
        for other in others:
            yield Term(f"{other}*{name}/({{0}}**2 + {name}**2)", "m", 2, sizes)
            yield Term(f"{other}*{name}**2/({{0}}**2 + {name}**2)", "m", amount, sizes)
            yield Term(f"{other}/({{0}}**2 + {name}**2)", "m", 2, sizes)
            yield Term(f"{other}**2/({{0}} + {name})", "m", 2, sizes)
        size = ranges.size[name]
        steps = tuple(
            (centre, slope / size)
            for centre in (-2.0, 0.5, 2.0, 5.0)
            for slope in (-12.0, -5.0, -1.5, 1.5, 5.0, 12.0)
        )
        yield Term(f"1/(1 + exp({{0}} - {{1}}*{name}))", "y", 2, steps)
        waves = tuple((turns / size,) for turns in (1.0, 2.0, 4.0, 7.0))
        yield Term(f"sin({{0}}*{name})", "w", 3, waves)
        yield Term(f"cos({{0}}*{name})", "u", 3, waves)
    for name in _rates(task):
        soft = tuple((share * ranges.size[name],) for share in (0.02, 0.1, 0.4))
        yield Term(f"tanh({name}/{{0}})", "f", 2, soft)


def _timed(task: Task, target: Target, ranges: Ranges) -> Iterator[Term]:
    """Yield tier 3: what drives the motion from outside, in its own time."""
    # Two frequencies are told apart by half a turn over the record.
    count = int(np.clip(_PER_TURN * 1.5 * ranges.fastest / ranges.slowest, 6, _MOST_TEMPI))
    pace = np.linspace(0.5 * ranges.slowest, 1.5 * ranges.fastest, count).tolist()
    starts = tuple((one, phase) for one in pace for phase in (0.0, QUARTER))
    yield Term("cos({0}*t + {1})", "A", 3, starts, phased=True)
    yield Term("t", "r", 3)


def _products(names: Sequence[str], degree: int, tier: int) -> Iterator[Term]:
    if len(names) > _MOST_STATES and degree > 2:
        return
    for chosen in combinations_with_replacement(names, degree):
        counts = {name: chosen.count(name) for name in dict.fromkeys(chosen)}
        text = "*".join(name if n == 1 else f"{name}**{n}" for name, n in counts.items())
        yield Term(text, "p" if degree == 2 else "d", tier)


def _drag(own: str, rates: Sequence[str], ranges: Ranges) -> Iterator[Term]:
    """Yield resistances that grow with the square of the speed.

    One that does not turn with the motion is plain only where the motion never turns.
    """
    if len(rates) == 1:
        yield Term(f"{own}**2", "c", 0 if own in ranges.one_way else 2)
        yield Term(f"{own}*abs({own})", "c", 0)
    else:
        yield Term(f"{own}*sqrt({' + '.join(f'{name}**2' for name in rates)})", "c", 0)


def _central(task: Task, target: Target) -> Iterator[Term]:
    """Yield forces along the line to the origin, and to the other of two bodies."""
    positions = [v.rate_of for v in task.variables if v.rate_of is not None]
    if target.variable not in positions or not 2 <= len(positions) <= _MOST_STATES:
        return
    square = " + ".join(f"{name}**2" for name in positions)
    yield Term(f"{target.variable}/sqrt({square})**3", "M", 1)
    yield Term(f"{target.variable}/({square})", "M", 1)
    yield Term(f"{target.variable}/({square})**2", "M", 1)
    yield Term(f"{target.variable}/sqrt({square})", "M", 1)
    yield Term(f"{target.variable}*({square})", "M", 1)


def _waves(phases: Sequence[StateVariable], names: Sequence[str], ranges: Ranges) -> Iterator[Term]:
    for phase in phases:
        own, tier = _turned(phase), _turns(phase, ranges)
        yield Term(f"sin({own})*cos({own})", "w", tier)
        for name in names:
            if name != phase.name:
                yield Term(f"cos({own})*{name}", "u", tier)
                yield Term(f"sin({own})*{name}", "w", tier)
    for first, second in combinations(phases, 2):
        a, b = _turned(first), _turned(second)
        tier = max(_turns(first, ranges), _turns(second, ranges))
        yield Term(f"sin({a} - {b})", "w", tier)
        yield Term(f"cos({a} - {b})", "u", tier)
        yield Term(f"sin({a})*cos({b})", "w", tier)
        yield Term(f"cos({a})*sin({b})", "w", tier)
        yield Term(f"sin({a})*sin({b})", "w", tier)
        yield Term(f"cos({a})*cos({b})", "w", tier)
        # Angles on a sphere: meridians meet at its poles.
        for c, d in ((a, b), (b, a)):
            yield Term(f"cos({c})/tan({d})", "u", 2)
            yield Term(f"sin({c})/tan({d})", "w", 2)
            yield Term(f"sin({c})*sin({d})**2", "w", 2)
    # Around a circle of fixed radius nothing but the phase turns: waves over another variable.
    for phase in phases:
        for name in names:
            if name != phase.name:
                yield Term(f"cos({_turned(phase)})/{name}", "u", _turns(phase, ranges))
