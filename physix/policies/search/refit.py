"""Laws judged as they will be: simulated, all equations at once, constants and starts where they fit best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target
from physix.engine.systems.task import Task
from physix.engine.verifier.compile import program
from physix.engine.verifier.noise import levelled
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.shooting import Point, Record, Shooting
from physix.engine.verifier.simulate import integrate_program
from physix.engine.verifier.types import FunctionSet
from physix.engine.verifier.uncertainty import kinds_of, uncertainty
from physix.policies.search.laws import Choice, Ties, Written, write
from physix.policies.search.parts import LeftOver, Part, left_over_of, parts_of, thinned, whiteness
from physix.policies.search.selection import badness, price, prior
from physix.policies.search.smoothing import Run

_ROUNDS, _FEW_ROUNDS = 10, 5
_PROMISING = 0.01  # of its chi² is left after few steps: a law worth more of them
_EVALUATIONS = 100_000  # of the right-hand side, for one law while structures are compared
_ALL_EVALUATIONS = 400_000
_TOTAL = 2_000_000  # for all laws of one task
_GOOD_ENOUGH, _FINE = 0.1, 1e-3  # of chi² that a step must promise: to compare laws, and to tell constants
_SWEPT = (0.2, 0.4, 0.6, 0.7)  # of the total, for trying structures by the end of each tier
_TIE = 2.0  # what it costs that one constant stands for two: which two
_CHOICES = 30  # terms that a law's are taken to be chosen from, so that prices compare between tiers

# Share of the spread to which laws that leave something over are compared: nearer is no nearer to the truth.
_NEAR = 2e-4
_PRACTICAL = 1.5e-2  # the same where no law explains the data
_LONG_PARTS = (4, 24)  # swings through the mean, and samples at least, of one part of a long run
_SHORT_PARTS = (1, 12)  # the same where motions part sooner than that
_TOLERATED, _COARSEST = 1e-5, 1000.0  # noise from which a solver need not be so exact, and how much less
_INDEPENDENT = 30  # residuals of an equation that count as independent where they resemble each other
_UNEXPLAINED = 40.0  # nats against a law that leaves something over
_SURE = 4.0  # standard deviations of chi² that a right law may be off
_EXACT = 10.0  # times what arithmetic leaves over: nothing is left to explain


Look = Literal["thinned", "parts", "whole"]


class _SpentError(Exception):
    """The evaluations allowed for one law are used up; never leaves this module."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A law with its best constants. `score` is chi² with a price for every term: smaller is better."""

    choice: Choice
    ties: Ties
    written: Written
    starts: FloatArray  # shape (runs, D)
    chi2: float
    samples: int
    score: float
    white: float  # lag-1 autocorrelation of the residuals, the largest of all variables
    floor: float  # chi² per sample that arithmetic alone leaves over
    errors: dict[str, float | None] = field(default_factory=dict)
    left: tuple[LeftOver, ...] = ()
    look: Look = "thinned"

    @property
    def reduced(self) -> float:
        """Chi² per sample."""
        return self.chi2 / max(1, self.samples)

    @property
    def exact(self) -> bool:
        """Nothing is left that arithmetic would not leave over."""
        return self.reduced <= _EXACT * self.floor

    @property
    def terms(self) -> int:
        """How many terms all equations have."""
        return sum(len(structure.chosen) for structure in self.choice)

    @property
    def key(self) -> tuple[frozenset[str], ...]:
        """The terms of each equation, whatever their constants."""
        return tuple(structure.key for structure in self.choice)


def leaves_noise(law: Fitted) -> bool:
    """Tell whether what a law leaves over is what noise makes, and nothing is left to find.

    It is no larger, and without memory: estimated noise may be too large, above all where there is none, and
    a missing term shows as residuals that resemble their neighbours. That is more than the verdict asks,
    which alone says whether a law explains the data (`verify.explains`).
    """
    small = law.reduced <= 1.0 + _SURE * float(np.sqrt(6.0 / max(1, law.samples)))
    return law.exact or (small and law.white <= _SURE)


class Fitter:
    """Fits laws to one task, and counts what that takes."""

    def __init__(
        self,
        task: Task,
        wanted: Sequence[Target],
        floor: FloatArray,
        functions: FunctionSet,
        runs: Sequence[Run],
    ) -> None:
        self._task, self._wanted, self._functions = task, wanted, functions
        prepared = prepare(task)
        self._told = all(trajectory.sigma for trajectory in task.shown)
        self._free = np.array([task.measured or variable.estimated for variable in task.variables])
        self._records = [
            Record(s.t, s.states, s.weight / np.hypot(levelled(s.sigma), floor), s.inputs)
            for s in prepared.shown
        ]
        size = np.hypot(prepared.rms_sigma, floor)
        shares = ((prepared.scale / size) ** 2)[prepared.scored]
        # The latter is chi² per sample that a measurement's own faults may leave over.
        self._near, self.tolerable = (share**2 * float(np.mean(shares)) for share in (_NEAR, _PRACTICAL))
        self._early = prepared.early
        share = float(np.min(np.where(prepared.scored, prepared.rms_sigma / prepared.scale, np.inf)))
        self._coarser = float(np.clip(share / _TOLERATED, 1.0, _COARSEST))
        used = np.concatenate([(record.weights * floor).ravel() for record in self._records])
        self._floor = float(np.mean(used[used > 0.0] ** 2)) if used.any() else 1.0
        names = [variable.name for variable in task.variables]
        smooth = [np.stack([run.columns[name] for name in names], axis=1) for run in runs]
        self.spent, self._total = 0, _TOTAL
        self.tried = 0  # laws
        self._known: dict[object, Fitted | None] = {}
        self._ways = [self._divided(runs, smooth, *size) for size in (_LONG_PARTS, _SHORT_PARTS)]
        self.short = False
        self._follow(self._ways[0])

    def _divided(
        self, runs: Sequence[Run], smooth: Sequence[FloatArray], swings: int, rows: int
    ) -> list[Part]:
        return [
            part
            for i, (record, run, states) in enumerate(zip(self._records, runs, smooth, strict=True))
            for part in parts_of(i, record, run, states, self._free, swings, rows)
        ]

    def _follow(self, parts: list[Part]) -> None:
        self._parts = parts
        total = sum(len(record.t) for record in self._records)
        self._thin = [thinned(self._cut(part), total) for part in self._parts]
        self._begins = np.array([part.start for part in self._parts])
        self._firsts = [k for k, part in enumerate(self._parts) if part.begin == 0]
        self._known.clear()

    @property
    def divisible(self) -> bool:
        """Shorter parts may be followed than are now."""
        return not self.short and len(self._ways[1]) > len(self._ways[0])

    def follow(self, *, short: bool) -> None:
        """Follow short parts of the motion or long ones; fits to the one do not compare to the other's."""
        self.short = short
        self._follow(self._ways[short])

    def allow(self, more: int) -> None:
        """Let that many evaluations more be spent."""
        self._total = max(self._total, self.spent) + more

    def tired(self, tier: int) -> bool:
        """Tell whether what is left is for further tiers, and for taking terms away."""
        return self.spent >= _SWEPT[tier] * self._total

    @property
    def exhausted(self) -> bool:
        """Nothing more may be fitted."""
        return self.spent >= self._total

    def fit(
        self,
        choice: Choice,
        ties: Ties | None = None,
        *,
        near: FloatArray | None = None,
        look: Look = "thinned",
    ) -> Fitted | None:
        """Return the law with constants that minimise chi²; None where it cannot be written or simulated.

        Args:
            choice: its terms, with constants to begin with.
            ties: coefficients that are one constant.
            near: shape (runs, D), starts of a law that this one differs little from: few steps will do.
                None: those of the smoothed data.
            look: at most at 400 rows in parts of the motion; or at every row, in parts or as whole runs, and
                then find how well the constants are known.
        """
        written = write(self._task, self._wanted, choice, ties or {}, self._functions)
        if written is None or (self.exhausted and look == "thinned"):
            return None
        begun = tuple(f"{value:.1e}" for value in written.parsed.params.values())
        key = (written.parsed.canonical, begun, look, near is None)
        if key not in self._known:
            self.tried += 1
            self._known[key] = self._fit(written, choice, ties or {}, near, look)
        return self._known[key]

    def _fit(
        self,
        written: Written,
        choice: Choice,
        ties: Ties,
        near: FloatArray | None,
        look: Look,
    ) -> Fitted | None:
        rounds = _ROUNDS if near is None and not self._known else _FEW_ROUNDS
        whole, thinned = look == "whole", look == "thinned"
        records = self._records if whole else self._thin if thinned else [self._cut(p) for p in self._parts]
        left = _EVALUATIONS if thinned else _ALL_EVALUATIONS

        def spend(evaluations: int) -> None:
            nonlocal left
            self.spent += evaluations
            left -= evaluations
            if left < 0:
                raise _SpentError

        compiled = program(written.parsed)
        names = [name for name in written.parsed.params if name in compiled.params]
        shooting = Shooting(
            compiled,
            [compiled.params[n] for n in names],
            records,
            self._free,
            spend,
            self._early,
            self._coarser if thinned else 1.0,
            _GOOD_ENOUGH if thinned else _FINE,
        )
        point: Point | None = None
        known: dict[str, float | None] = {}
        try:
            if near is not None and len(near) != len(records):
                near = near[self._firsts] if whole else None
            constants = np.array([written.parsed.params[n] for n in names])
            if near is None:
                near = self._begins[self._firsts] if whole else self._begins
            begun = shooting.at(constants, near, shooting.full)
            if whole or not begun.complete:
                point = shooting.fit(begun, _ROUNDS)
            else:
                point = shooting.descend(begun, rounds, shooting.full)
                if not point.converged and point.chi2 < _PROMISING * begun.chi2:
                    point = shooting.descend(point, _ROUNDS, shooting.full)
            if not thinned:
                left = shooting.most_for_slopes()
                kinds = kinds_of([record.weights for record in records])
                slopes = shooting.slopes(point, shooting.full, central=True)
                errors = uncertainty(slopes, point.residuals, kinds, point.constants)
                known = dict(zip(names, errors.errors, strict=True))
        except _SpentError:
            point = point or shooting.best
        if point is None or not point.complete or not np.isfinite(point.chi2):
            return None
        values = dict(written.parsed.params) | dict(zip(names, point.constants.tolist(), strict=True))
        chosen = written.read(choice, values)
        again = write(self._task, self._wanted, chosen, ties, self._functions)
        if again is None:
            return None
        samples = sum(int(np.count_nonzero(record.weights)) for record in records)
        runs = range(len(records)) if whole else [part.run for part in self._parts]
        left_over = left_over_of(point.residuals, records, runs)
        found = Fitted(
            choice=chosen,
            ties=ties,
            written=again,
            starts=point.starts,
            chi2=point.chi2,
            samples=samples,
            white=whiteness(left_over),
            floor=self._floor,
            score=self._price(chosen, ties, samples),
            errors=known,
            left=left_over,
            look=look,
        )
        return replace(found, score=found.score + self._badness(found))

    def _badness(self, law: Fitted) -> float:
        """Return what a law's residuals cost.

        While something is left over that is no noise, neighbouring residuals say the same: they count as
        few, or every further term would look certain.
        """
        if self._told and law.reduced < 1.0 and not law.exact:
            # Of known noise chi² itself is the likelihood; none is gained by less than there should be.
            return law.samples * (law.reduced - 1.0)
        if leaves_noise(law):
            nothing = _EXACT * law.floor * law.samples
            cost = badness(max(law.chi2, nothing), law.samples, law.floor)
            # Where arithmetic is all that is left over it costs nothing, however many the samples: what a
            # wrong law leaves over counts as few.
            return cost - max(0.0, badness(nothing, law.samples, law.floor))
        return _UNEXPLAINED + self._few(law) * float(np.log(law.reduced + self._near))

    def _few(self, law: Fitted) -> int:
        return min(law.samples, _INDEPENDENT * len(self._wanted))

    def practical(self, law: Fitted) -> float:
        """Return a score for laws none of which explains the data: smaller is better.

        What the best of them leaves over is then the fault of the measurement (a camera's lens, a clock, an
        input between its samples) or of a law that nobody tried. A hundredth or two of the spread
        say nothing.
        """
        price = self._price(law.choice, law.ties, law.samples)
        return price + _UNEXPLAINED + self._few(law) * float(np.log(law.reduced + self.tolerable))

    def saved(self, law: Fitted, tied: Fitted) -> float:
        """Return what a law's constants cost more than those of the same law with more ties."""
        return self._price(law.choice, law.ties, law.samples) - self._price(
            tied.choice, tied.ties, law.samples
        )

    def motions(self, law: Fitted) -> list[FloatArray] | None:
        """Return the law's own motion at every row of every run, shape (T, D); None where it ends early."""
        compiled = program(law.written.parsed)
        found: list[list[FloatArray]] = [[] for _ in self._records]
        for part, start in zip(self._parts, law.starts, strict=True):
            record = self._cut(part)
            run = integrate_program(
                compiled,
                record.t,
                start.tolist(),
                max_evaluations=_EVALUATIONS,
                rtol=1e-8,
                atol=1e-10 * self._early,
                inputs=record.inputs,
            )
            self.spent += run.evaluations
            if len(run.states) < len(record.t):
                return None
            found[part.run].append(run.states)
        return [np.concatenate(states) for states in found]

    def _cut(self, part: Part) -> Record:
        record, rows = self._records[part.run], slice(part.begin, part.end)
        return Record(record.t[rows], record.states[rows], record.weights[rows], record.inputs)

    def _price(self, choice: Choice, ties: Ties, samples: int) -> float:
        terms = [one.term for structure in choice for one in structure.chosen]
        tied = [choice[i].chosen[j].term for i, j, k in ties if not k]
        saved = len(ties) * (float(np.log(samples)) - _TIE) + sum(prior(term, _CHOICES) for term in tied)
        return sum(price(term, samples, _CHOICES) for term in terms) - saved
