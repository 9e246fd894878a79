"""Random laws of motion with data and a hint: what the skill of discovery is taught on.

Six systems are six laws to be learnt by heart. Here every task has a law of its own, drawn term by term
and structurally distinct from all eight systems, so that what carries over to them is the skill: read
the hint and the table, propose, read the findings, repair. Nothing of the held-out tier occurs: neither
its two laws nor drag by the speed in a plane (`vx*sqrt(vx**2 + vy**2)`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import targets
from physix.engine.systems.task import InputVariable, StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import parse
from physix.engine.verifier.arrays import evaluate_arrays
from physix.engine.verifier.correctness import same_structure
from physix.engine.verifier.prepared import interpolation
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import Node, ParsedHypothesis, summands
from physix.limits import TIME
from physix.training.data.hints import hint_for
from physix.training.data.law import Law, law_of

SYNTHETIC = "synthetic"  # the system id of a task whose law was drawn at random
_SAMPLES = 100
_RUNAWAY = 30.0  # times its scale that no variable may reach
_MATTERS = 0.08  # of an equation's RMS that each term must contribute
_TRIES = 60

_LINES = (
    ("x", "vx", "m"), ("z", "vz", "m"), ("s", "vs", "m"), ("h", "vh", "m"), ("y", "vy", "m"),
    ("r", "vr", "m"), ("theta", "dtheta", "rad"), ("phi", "dphi", "rad"), ("alpha", "dalpha", "rad"),
    ("q", "vq", "C"), ("u", "vu", "V"),
)  # fmt: skip
_PLANES = (
    (("x", "vx", "m"), ("y", "vy", "m")), (("x", "vx", "m"), ("z", "vz", "m")),
    (("p", "vp", "m"), ("q", "vq", "m")), (("u", "vu", "m"), ("w", "vw", "m")),
    (("r", "vr", "m"), ("s", "vs", "m")), (("x1", "v1", "m"), ("x2", "v2", "m")),
    (("a", "va", "m"), ("b", "vb", "m")), (("theta", "dtheta", "rad"), ("phi", "dphi", "rad")),
)  # fmt: skip
_FIRST = (("T", "K"), ("n", "1"), ("c", "mol/m^3"), ("v", "m/s"), ("h", "m"), ("p", "Pa"))
_FIRST_PAIRS = ((("n", "1"), ("m", "1")), (("A", "mol"), ("B", "mol")), (("T1", "K"), ("T2", "K")))
_INPUTS = (("F", "N"), ("push", "N"), ("drive", "1"), ("wind", "m/s"), ("motor", "V"))

# The eight systems, one tuple an equation: {q} the place, {v} its rate, {o} the other axis's rate.
KNOWN_STRUCTURES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("",),),
    (("", "{v}*abs({v})"),),
    (("", "{v}**2"),),
    (("sin({q})",),),
    (("sin({q})", "{v}"),),
    (("{q}",),),
    (("{q}", "{v}"),),
    (("{v}*sqrt({v}**2 + {o}**2)",), ("", "{v}*sqrt({v}**2 + {o}**2)")),
    (("{o}",), ("{o}",)),
)

Choice = tuple[bool, str]  # negative, and what the term depends on


@dataclass(frozen=True, slots=True)
class _Axis:
    """One coordinate: position and rate, or a first-order variable alone."""

    place: str
    rate: str
    unit: str

    @property
    def driven(self) -> str:
        return self.rate or self.place


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A task with its truth, and the law as terms."""

    task: Task
    truth: Truth
    law: Law


def draw(seed: int, *, hint: str = "mostly") -> Synthetic:
    """Return the task of a seed.

    Args:
        hint: "given", "removed", or "mostly": 15 % removed, 10 % that of another law.
    """
    for attempt in range(_TRIES * 10):
        rng = Generator(PCG64(SeedSequence([seed, attempt, 1_818])))
        drawn = _attempt(rng, seed, hint)
        if drawn is not None:
            return drawn
    raise ValueError(f"no law was found for seed {seed}")


def _attempt(rng: Generator, seed: int, hint: str) -> Synthetic | None:
    axes, inputs = _axes(rng)
    variables = _variables(axes)
    rests = _rests(rng, axes, inputs)
    taken = {v.name for v in variables} | {i.name for i in inputs}
    law = law_of(rests, taken)
    if not law.complexity():
        return None
    scale = _Scale.draw(rng, axes, law)
    unscaled = parse(law.text(), dict.fromkeys(law.constants(), 1.0), variables, inputs=inputs)
    if not isinstance(unscaled, ParsedHypothesis):
        return None
    params = scale.params(rng, law, unscaled, axes)
    if params is None:
        return None
    parsed = parse(law.text(), params, variables, inputs=inputs)
    if not isinstance(parsed, ParsedHypothesis):
        return None
    motions = []
    for number in range(3):
        motion = scale.motion(rng, parsed, axes, inputs, wide=1.0 if number == 0 else 1.5)
        if motion is None:
            return None
        motions.append(motion)
    if not _every_term_matters(parsed, motions[0]):
        return None
    noise = round(float(rng.uniform(0.0, 0.05)), 4)
    said = hint_for(law, [(a.place, a.rate, a.unit) for a in axes], [i.name for i in inputs], rng)
    task = Task(
        task_id=f"{SYNTHETIC}/{seed}",
        system_id=SYNTHETIC,
        title=f"Synthetic law {seed}",
        tier=None,
        seed=seed,
        variables=variables,
        time_unit="s",
        shown=(_blurred(motions[0], noise, rng),),
        noise=noise,
        hint=_hint(said, seed, hint, rng),
        inputs=inputs,
    )
    truth = Truth(equation=law.text(), params=params, hidden=tuple(motions[1:]))
    return None if _is_known(task, truth) else Synthetic(task, truth, law)


def _axes(rng: Generator) -> tuple[tuple[_Axis, ...], tuple[InputVariable, ...]]:
    kind = rng.random()
    axes: tuple[_Axis, ...]
    if kind < 0.25:
        axes = (_Axis(*_LINES[int(rng.integers(len(_LINES)))]),)
    elif kind < 0.9:
        axes = tuple(_Axis(*one) for one in _PLANES[int(rng.integers(len(_PLANES)))])
    elif kind < 0.97:
        name, unit = _FIRST[int(rng.integers(len(_FIRST)))]
        axes = (_Axis(name, "", unit),)
    else:
        pair = _FIRST_PAIRS[int(rng.integers(len(_FIRST_PAIRS)))]
        axes = tuple(_Axis(name, "", unit) for name, unit in pair)
    inputs: tuple[InputVariable, ...] = ()
    if len(axes) == 1 and rng.random() < 0.12:
        name, unit = _INPUTS[int(rng.integers(len(_INPUTS)))]
        inputs = (InputVariable(name=name, unit=unit, symbol=name, description="what drives it"),)
    return axes, inputs


def _variables(axes: Sequence[_Axis]) -> tuple[StateVariable, ...]:
    places = [StateVariable(name=a.place, unit=a.unit, symbol=a.place, description="") for a in axes]
    rates = [
        StateVariable(name=a.rate, unit=f"{a.unit}/s", symbol=a.rate, description="", rate_of=a.place)
        for a in axes
        if a.rate
    ]
    return (*places, *rates)


def _rests(
    rng: Generator, axes: Sequence[_Axis], inputs: Sequence[InputVariable]
) -> list[tuple[str, list[Choice]]]:
    lefts = [f"d2{a.place}/dt2" if a.rate else f"d{a.place}/dt" for a in axes]
    if not axes[0].rate:
        chosen = [_first_order(rng, a, axes) for a in axes]
    elif len(axes) == 1:
        chosen = [_line(rng, axes[0])]
    else:
        chosen = _plane(rng, axes)
    if inputs:
        chosen[0].append((False, inputs[0].name))
    return list(zip(lefts, chosen, strict=True))


def _pick(rng: Generator, choices: Sequence[tuple[float, str]], count: int) -> list[str]:
    weights = np.array([weight for weight, _ in choices])
    found = rng.choice(len(choices), size=min(count, len(choices)), replace=False, p=weights / weights.sum())
    return [choices[i][1] for i in sorted(found.tolist())]


def _signed(rng: Generator, rest: str, *, gains: float) -> Choice:
    return bool(rng.random() >= gains), rest


def _line(rng: Generator, a: _Axis) -> list[Choice]:
    q, v = a.place, a.rate
    main = f"sin({q})" if a.unit == "rad" and rng.random() < 0.75 else q
    terms: list[Choice] = []
    if rng.random() < 0.75:
        terms.append(_signed(rng, main, gains=0.06))
    extra = [
        (3.0, ""), (2.5, v), (2.5, f"{v}*abs({v})"), (1.8, f"{q}**3"), (1.0, f"{q}**2"), (0.7, f"{v}**3"),
        (0.5, f"{q}**2*{v}"), (0.4, "t"), (0.5, f"{v}**2"), (0.8, q if main != q else f"sin({q})"),
    ]  # fmt: skip
    for rest in _pick(rng, extra, int(rng.choice([1, 2, 2, 3]))):
        terms.append(_signed(rng, rest, gains=0.5 if rest in ("", "t") else 0.1))
    return terms


def _plane(rng: Generator, axes: Sequence[_Axis]) -> list[list[Choice]]:
    """Return the terms of two equations: alike along both axes, joined, drawn to a centre, or at random."""
    kind = rng.random()
    (a, b) = axes
    own = [(2.5, "{q}"), (2.5, "{v}"), (2.0, "{v}*abs({v})"), (0.8, "{q}**3"), (0.4, "{v}**3")]
    both: list[list[Choice]] = [[], []]
    if kind < 0.45:
        shapes = _pick(rng, own, int(rng.choice([0, 1, 1, 2])))
        for shape in shapes:
            negative = bool(rng.random() < 0.93)
            for terms, axis in zip(both, axes, strict=True):
                terms.append((negative, shape.format(q=axis.place, v=axis.rate)))
        if rng.random() < 0.65:
            both[int(rng.random() < 0.85)].append((bool(rng.random() < 0.75), ""))
        if rng.random() < 0.25:
            sign = bool(rng.random() < 0.5)
            both[0].append((sign, b.rate))
            both[1].append((not sign, a.rate))
    elif kind < 0.7:
        for terms, axis, other in zip(both, axes, reversed(axes), strict=True):
            if rng.random() < 0.7:
                terms.append((True, _own_place(rng, axis)))
            joined = [(2.0, f"({a.place} - {b.place})"), (1.2, other.place), (0.8, other.rate)]
            if axis.unit == "rad":
                joined.append((0.8, f"sin({a.place} - {b.place})"))
            negative = axis is a
            terms += [(negative, rest) for rest in _pick(rng, joined, 1)]
            if rng.random() < 0.4:
                terms.append((True, axis.rate))
    elif kind < 0.8 and a.unit != "rad":
        for terms, axis in zip(both, axes, strict=True):
            terms.append((True, f"{axis.place}/({a.place}**2 + {b.place}**2)**1.5"))
            if rng.random() < 0.3:
                terms.append((True, axis.rate))
    else:
        for terms, axis, other in zip(both, axes, reversed(axes), strict=True):
            pool = [
                (3.0, axis.place), (2.5, axis.rate), (2.0, ""), (1.5, f"{axis.rate}*abs({axis.rate})"),
                (1.5, other.place), (1.5, other.rate), (0.6, f"{axis.place}*{other.place}"),
                (0.6, f"{axis.place}**3"), (0.4, f"{axis.place}**2"),
            ]  # fmt: skip
            for rest in _pick(rng, pool, int(rng.choice([0, 1, 1, 2, 2]))):
                terms.append(
                    _signed(rng, rest, gains=0.15 if axis.place in rest or axis.rate in rest else 0.5)
                )
    return both


def _own_place(rng: Generator, axis: _Axis) -> str:
    return f"sin({axis.place})" if axis.unit == "rad" and rng.random() < 0.6 else axis.place


def _first_order(rng: Generator, a: _Axis, axes: Sequence[_Axis]) -> list[Choice]:
    q = a.place
    pool = [(3.0, q), (2.0, ""), (1.2, f"{q}**2"), (0.6, f"{q}**3"), (0.6, f"sqrt({q})")]
    terms = [(rest != "" and bool(rng.random() < 0.8), rest) for rest in _pick(rng, pool, 2)]
    for other in axes:
        if other is not a and rng.random() < 0.85:
            joined = [
                (1.0, f"{q}*{other.place}"),
                (1.0, other.place),
                (0.7, f"({axes[0].place} - {axes[1].place})"),
            ]
            terms += [(bool(rng.random() < 0.5), rest) for rest in _pick(rng, joined, 1)]
    return terms


@dataclass(frozen=True, slots=True)
class _Scale:
    """How large and how fast a motion is: what makes its constants and starts sensible."""

    size: float
    rate: float  # rad/s
    duration_s: float

    @classmethod
    def draw(cls, rng: Generator, axes: Sequence[_Axis], law: Law) -> _Scale:
        angular = axes[0].unit == "rad"
        size = (
            float(rng.uniform(0.5, 1.6)) if angular else math.exp(rng.uniform(math.log(0.2), math.log(6.0)))
        )
        rate = math.exp(rng.uniform(math.log(0.5), math.log(6.0)))
        swings = any(
            term.negative and (term.rest == a.place or term.rest == f"sin({a.place})" or "/" in term.rest)
            for (_, terms), a in zip(law.equations, axes, strict=True)
            for term in terms
        )
        turns = rng.uniform(1.5, 4.0) if swings and axes[0].rate else rng.uniform(0.35, 0.8)
        return cls(size, rate, float(f"{turns * 2.0 * math.pi / rate:.4g}"))

    def params(
        self, rng: Generator, law: Law, unscaled: ParsedHypothesis, axes: Sequence[_Axis]
    ) -> dict[str, float] | None:
        """Return constants with which every term matters for a motion of this scale.

        Args:
            unscaled: the same law with all constants 1.
        """
        order = 2 if axes[0].rate else 1
        typical = {a.place: self.size for a in axes} | {a.rate: self.size * self.rate for a in axes if a.rate}
        typical |= {one.name: 1.0 for one in unscaled.inputs} | {TIME: self.duration_s / 2.0}
        params: dict[str, float] = {}
        for (_, terms), equation, axis in zip(law.equations, unscaled.equations, axes, strict=True):
            # An equation without terms is `= 0`, whose one summand belongs to none.
            for term, (_, node) in zip(terms, summands(equation.expression), strict=bool(terms)):
                size = _magnitude(term.rest, node, typical | unscaled.params)
                if size == 0.0:
                    return None
                share = rng.uniform(*_share(term.rest, axis))
                params[term.constant] = float(f"{share * self.size * self.rate**order / size:.4g}")
        return params

    def motion(
        self,
        rng: Generator,
        parsed: ParsedHypothesis,
        axes: Sequence[_Axis],
        inputs: Sequence[InputVariable],
        *,
        wide: float,
    ) -> Trajectory | None:
        """Return one motion without noise, or None if it runs away or hardly moves."""
        first = not axes[0].rate
        places = [
            float(rng.uniform(0.4, 1.2) * (1.0 if first else rng.choice([-1, 1])) * self.size * wide)
            for _ in axes
        ]
        rates = [float(rng.uniform(-1.0, 1.0) * self.size * self.rate * wide) for a in axes if a.rate]
        t = np.linspace(0.0, self.duration_s, _SAMPLES)
        given: tuple[tuple[float, ...], ...] = ()
        if inputs:
            phase, pace = rng.uniform(0, 6.28, 2), self.rate * rng.uniform(0.3, 1.7, 2)
            wave = np.sin(pace[0] * t + phase[0]) + 0.6 * np.sin(pace[1] * t + phase[1])
            given = tuple((round(float(one), 4),) for one in wave)
        run = integrate(parsed, t, [*places, *rates], inputs=interpolation(t, given) if given else None)
        if run.outcome != "ok":
            return None
        states = np.array(run.states)
        limit = np.array([self.size] * len(axes) + [self.size * self.rate] * len(rates)) * _RUNAWAY
        if (
            not np.isfinite(states).all()
            or (np.abs(states) > limit).any()
            or (states.std(axis=0) < limit / 600).any()
        ):
            return None
        return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())), inputs=given)


def _share(rest: str, axis: _Axis) -> tuple[float, float]:
    if rest in (axis.place, f"sin({axis.place})") or "/" in rest:
        return 0.6, 1.3
    if rest == axis.rate or (axis.rate and axis.rate in rest and "*" in rest):
        return 0.06, 0.35
    return 0.2, 0.8


def _magnitude(rest: str, node: Node, typical: dict[str, float]) -> float:
    """Return how large a term is at the typical state; differences count as large as what they are of.

    Args:
        rest: what the term depends on.
        node: the term, its constant being 1.
    """
    if rest.startswith("sin(") and " - " in rest:
        return 1.0
    if rest.startswith("(") and " - " in rest:
        return typical[rest[1:].split(" ")[0]]
    with np.errstate(all="ignore"):
        return abs(float(evaluate_arrays(node, typical)))


def _every_term_matters(parsed: ParsedHypothesis, motion: Trajectory) -> bool:
    columns = dict(zip((v.name for v in parsed.variables), np.array(motion.states).T, strict=True))
    columns |= dict(zip((one.name for one in parsed.inputs), np.array(motion.inputs).T, strict=True))
    values = {**parsed.params, **columns, TIME: np.array(motion.t)}
    for equation in parsed.equations:
        with np.errstate(all="ignore"):
            parts = [
                (-1.0 if negative else 1.0) * evaluate_arrays(node, values)
                for negative, node in summands(equation.expression)
            ]
            total = _rms(sum(parts))
        if any(_rms(part) < _MATTERS * total for part in parts):
            return False
    return True


def _rms(values: FloatArray | float) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _blurred(clean: Trajectory, level: float, rng: Generator) -> Trajectory:
    states = np.array(clean.states)
    blur = rng.standard_normal(states.shape)
    blur[0] = 0.0  # as in the systems: whoever set up the experiment knows how it began
    noisy = states + level * states.std(axis=0) * blur
    return replace(clean, states=tuple(map(tuple, noisy.tolist())))


def _hint(said: str, seed: int, mode: str, rng: Generator) -> str:
    chance = rng.random()
    if mode == "removed" or (mode == "mostly" and chance < 0.15):
        return ""
    if mode == "mostly" and chance < 0.25:
        for attempt in range(20):
            other = Generator(PCG64(SeedSequence([seed + 7_919, attempt, 3])))
            axes, inputs = _axes(other)
            taken = {a.place for a in axes} | {a.rate for a in axes}
            law = law_of(_rests(other, axes, inputs), taken)
            if law.complexity():
                return hint_for(
                    law, [(a.place, a.rate, a.unit) for a in axes], [i.name for i in inputs], other
                )
    return said


def _is_known(task: Task, truth: Truth) -> bool:
    """Tell whether the law is one of the eight systems' in structure, whatever its variables are called."""
    wanted = targets(task.variables)
    rates = {v.rate_of: v.name for v in task.variables if v.rate_of is not None}
    if not rates:
        return False  # the eight are all of second order
    for known in KNOWN_STRUCTURES:
        for order in permutations(wanted) if len(known) == len(wanted) else ():
            rests = []
            for shapes, one, other in zip(known, order, reversed(order), strict=True):
                names = {"q": one.variable, "v": one.driven, "o": other.driven}
                rests.append((one.left, [(False, shape.format(**names)) for shape in shapes]))
            law = law_of(rests, [*(v.name for v in task.variables), *(i.name for i in task.inputs)])
            by_left = dict(law.equations)
            law = Law(tuple((target.left, by_left[target.left]) for target in wanted))
            parsed = parse(
                law.text(), dict.fromkeys(law.constants(), 1.0), task.variables, inputs=task.inputs
            )
            if isinstance(parsed, ParsedHypothesis) and same_structure(parsed, task, truth) is not False:
                return True
    return False
