"""The search itself: tier by tier, from candidate terms to laws that stand up to simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.targets import Target, targets
from physix.engine.systems.task import Task
from physix.engine.verifier.noise import least_noise
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.types import Finding, FunctionSet
from physix.policies.search.design import Design
from physix.policies.search.joint import alike, mirrored, places, returned, without_equation, without_term
from physix.policies.search.laws import Choice, Place, Ties
from physix.policies.search.library import TIERS, Term, library
from physix.policies.search.mending import mended
from physix.policies.search.ranges import ranges_of
from physix.policies.search.refit import Fitted, Fitter, leaves_noise
from physix.policies.search.selection import Chosen, Selection, Structure
from physix.policies.search.smoothing import smoothed_runs
from physix.policies.search.stability import inclusion

_MOST_TERMS = 6
_ALONE, _JOINT = 16, 6  # structures tried by simulation: of a single equation, and of one among several
_SWEEPS = 2
_DROPS = 3  # terms, the least certain first, that elimination tries to do without at one step
_CLEAN = 0.5  # chi² per sample below which there is hardly noise, and longer laws explain arithmetic
_DRIFT = 0.3  # autocorrelation of a regression's residuals from which its pieces are too long
_CLOSE = 3.0  # chi² per sample below which a law's own motion is better than smoothed data
_PARTED = 10.0  # chi² per sample above which a motion may have parted from the data by chance alone
_BETTER = 0.1  # share of it that short parts must bring it down to
_HOPELESS = 30.0  # how much worse a law may score and still be worth a look at every row
_EXAMINED = 3  # laws whose constants are fitted to every row
_HIDDEN = 0.1  # chi² per sample below which what is left over would be no fault of the measurement
_A_TURN, _ALL_TURNS = 300_000, 600_000  # evaluations for what a verifier found, in one turn and in all
_MANY = 3  # equations
_JOINED = 6  # ties, and returned gains, that are tried on one law
_FEW = 3  # terms of one equation, on average: a law of more may hide a plainer one


Sureness = tuple[tuple[str, tuple[tuple[Chosen, float], ...]], ...]  # by left side: how sure terms are


@dataclass(frozen=True, slots=True)
class Climb:
    """What a search found: laws by score, the best first, and the tier that it ended in.

    `plainest` is the best law of one linear term an equation; None if none could be simulated.
    """

    laws: tuple[Fitted, ...]
    plainest: Fitted | None
    tier: int
    tried: int = 0  # laws simulated and fitted
    evaluations: int = 0
    inclusion: Sureness = ()

    @property
    def stands(self) -> bool:
        """The best law explains the data down to the noise."""
        return bool(self.laws) and leaves_noise(self.laws[0])


def climb(task: Task, functions: FunctionSet) -> Climb:
    """Return the laws that explain a task's shown data best, from terms as plain as will do.

    Tiers of terms are opened while chi² stands above the noise, or while what explains it takes many
    terms. Every bound is a count: of structures, of fits, and of evaluations.
    """
    return Search(task, functions).run()


class Search:
    """What has been tried on one task; it can be told what a verifier found, and go on."""

    def __init__(self, task: Task, functions: FunctionSet) -> None:
        self.task, self.functions = task, functions
        self.wanted = targets(task.variables)
        self.floor = least_noise(prepare(task).scale, driven=bool(task.inputs))
        self.runs = smoothed_runs(task, self.floor)
        self.ranges = ranges_of(task, self.runs)
        self.designs = [Design(task, target, self.runs, self.floor) for target in self.wanted]
        self.fitter = Fitter(task, self.wanted, self.floor, functions, self.runs)
        self.tier = 0
        self.for_turns = _ALL_TURNS
        self.explained = True  # by some law; else scores are practical
        self.plainest: Fitted | None = None
        self.laws: dict[tuple[frozenset[str], ...], Fitted] = {}
        self.looked: list[tuple[Design, list[Structure], int]] = []  # of each equation, the last regression
        self.inclusion: Sureness = ()  # once, by `run`: no later law changes the regressions

    def run(self) -> Climb:
        """Return the laws that explain the data best; call it once."""
        self._begin()
        for tier in range(TIERS):
            self.tier = tier
            self._open(tier)
            best = self.best
            if best is not None and leaves_noise(best) and self._is_plain(best, tier):
                break
            if self.fitter.exhausted:
                break
        self._finish()
        self.inclusion = tuple(
            (target.left, tuple(inclusion(*looked)))
            for target, looked in zip(self.wanted, self.looked, strict=False)
        )
        return self.found()

    def take(self, law: Fitted, findings: Sequence[Finding]) -> Climb:
        """Try a law with the terms that a verifier misses in it, and return what is found by now."""
        choice = tuple(
            mended(law, i, [one for one in findings if one.target == target.left], self._known_terms(target))
            for i, target in enumerate(self.wanted)
        )
        if not self.for_turns or choice == law.choice or not all(one.chosen for one in choice):
            return self.found()
        self.fitter.allow(min(_A_TURN, self.for_turns))
        spent = self.fitter.spent
        tried = self._fitted(choice, near=None)
        if tried is not None and tried.score < self.laws[law.key].score:
            self._eliminate(tried)
            best = self.best
            examined = None if best is None or best.look != "thinned" else self._examined(best)
            if best is not None and examined is not None:
                self.laws[best.key] = replace(self._tied(examined), score=best.score)
        self.for_turns = max(0, self.for_turns - (self.fitter.spent - spent))
        return self.found()

    def _known_terms(self, target: Target) -> dict[str, Term]:
        """Return the library's terms by their text: what a finding names costs what it costs there."""
        terms = library(self.task, target, self.ranges, tier=TIERS - 1, functions=self.functions)
        return {term.text: term for term in terms}

    def found(self) -> Climb:
        """Return what is found by now."""
        return Climb(
            laws=tuple(sorted(self.laws.values(), key=lambda law: law.score)),
            plainest=self.plainest,
            tier=self.tier,
            tried=self.fitter.tried,
            evaluations=self.fitter.spent,
            inclusion=self.inclusion,
        )

    def _is_plain(self, law: Fitted, tier: int) -> bool:
        """Tell whether no further tier could hold a plainer law."""
        if len(self.wanted) == 1 and not law.exact:
            # A curve of one variable has many good descriptions; the next tier may have the shortest.
            return tier > (1 if self.wanted[0].order == 1 else 0)
        # What three and more equations do, a few products of two explain by no accident.
        return (tier > 0 or len(self.wanted) >= _MANY) and law.terms <= _FEW * len(self.wanted)

    @property
    def best(self) -> Fitted | None:
        """The law with the best score by now."""
        return min(self.laws.values(), key=lambda law: law.score, default=None)

    def _begin(self) -> None:
        """Fit the plainest law: of each equation the linear term that explains most."""
        choice = []
        for target, design in zip(self.wanted, self.designs, strict=True):
            terms = library(self.task, target, self.ranges, tier=0, functions=self.functions)
            structures = Selection(design, [term for term in terms if term.linear]).best(1)
            choice += structures[:1]
        if len(choice) == len(self.wanted):
            self.plainest = self._try(tuple(choice))

    def _open(self, tier: int) -> None:
        """Search with the terms of all tiers up to this one, and again along the motion of what was found."""
        self._look(self.designs, tier)
        best = self.best
        if best is not None and not best.exact and best.reduced < _CLOSE:
            designs = self._along(best)
            if designs:
                self._look(designs, tier)

    def _along(self, law: Fitted) -> list[Design]:
        """Return the equations' regressions with terms evaluated along a law's own motion.

        It holds less noise than any smoothing of the data, once the law is nearly right.
        """
        motions = self.fitter.motions(law)
        if motions is None:
            return []
        names = [variable.name for variable in self.task.variables]
        runs = []
        for run, motion in zip(self.runs, motions, strict=True):
            states = motion[run.rows]
            runs.append(replace(run, columns={**run.columns, **dict(zip(names, states.T, strict=True))}))
        return [Design(self.task, target, runs, self.floor) for target in self.wanted]

    def _look(self, designs: Sequence[Design], tier: int) -> None:
        shortlists = []
        self.looked = []
        for target, design in zip(self.wanted, designs, strict=True):
            terms = library(self.task, target, self.ranges, tier=tier, functions=self.functions)
            shortlists.append(self._listed(design, terms))
        if not all(shortlists):
            return
        if len(shortlists) == 1:
            for structure in shortlists[0]:
                if not self.fitter.tired(tier):
                    self._try((structure,))
        else:
            self._sweep(shortlists)
        best = self.best
        if best is not None:
            self._eliminate(best)
        best = self.best
        if best is not None and not best.exact and len(self.wanted) > 1:
            self._join(best)

    def _join(self, law: Fitted) -> None:
        """Try equations as one law: constants that they share, and gains that are others' losses."""
        tried = set()
        for _ in range(_JOINED):
            pair = next((pair for pair in alike(law, self.wanted) if pair not in tried), None)
            if pair is None or self.fitter.tired(self.tier):
                break
            tried.add(pair)
            joined = self._fitted(law.choice, near=law.starts, ties={**law.ties, pair[0]: pair[1]})
            if joined is not None and joined.score < law.score:
                law = joined
        for choice, ties in islice(returned(law, self.wanted), _JOINED):
            if not law.exact and not self.fitter.tired(self.tier):
                joined = self._fitted(choice, near=law.starts, ties=ties)
                if joined is not None and joined.score < law.score:
                    self._eliminate(joined)
                    return

    def _listed(self, design: Design, terms: Sequence[Term]) -> list[Structure]:
        """Return one equation's right-hand sides worth a simulation, told from pieces as long as will do."""
        count = _ALONE if len(self.wanted) == 1 else _JOINT
        selection = Selection(design, terms)
        structures = selection.best(_MOST_TERMS)
        listed = _shortlist(structures, count)
        shorter = design.shorter() if structures and selection.memory(structures[0]) > _DRIFT else None
        if shorter is not None:
            selection = Selection(shorter, terms)
            structures = selection.best(_MOST_TERMS)
            memory = selection.memory(structures[0]) if structures else 0.0
            if memory > _DRIFT:
                structures = selection.remembering(structures, memory)
            found = _shortlist(structures, count)
            listed = _merged(listed, found) if len(self.wanted) == 1 else found
        self.looked.append((selection.design, structures, selection.count))
        return listed

    def _try(self, choice: Choice, ties: Ties | None = None) -> Fitted | None:
        best = self.best
        longer = 0 if best is None else _size(choice) - best.terms
        if best is not None and ((best.exact and longer >= 0) or (best.reduced < _CLEAN and longer > 0)):
            return None
        # A law that is far off has dragged the starts along: those of the smoothed data are better.
        near = best.starts if best is not None and best.reduced < _CLOSE else None
        return self._fitted(choice, near=near, ties=ties)

    def _fitted(self, choice: Choice, near: FloatArray | None, ties: Ties | None = None) -> Fitted | None:
        fitted = self.fitter.fit(choice, ties, near=near)
        if fitted is not None:
            if not self.explained and not leaves_noise(fitted):
                fitted = replace(fitted, score=self.fitter.practical(fitted))
            known = self.laws.get(fitted.key)
            if known is None or fitted.score < known.score:
                self.laws[fitted.key] = fitted
        return fitted

    def _sweep(self, shortlists: Sequence[Sequence[Structure]]) -> None:
        """Vary one equation at a time about the best law so far."""
        plain = tuple(shortlist[0] for shortlist in shortlists)
        here = self._try(plain)
        best = self.best
        if self.fitter.divisible and (best is None or best.reduced > _PARTED):
            here = self._shorter(plain, here)
        for size in range(1, _MOST_TERMS):
            # Bodies that attract each other move right only if all their equations are.
            long = [_of_size(shortlist, size) for shortlist in shortlists]
            found = self._try(tuple(s for s in long if s is not None)) if all(long) else None
            if found is not None and leaves_noise(found):
                break
        for other in range(1, 4):
            if here is None and self.best in (None, self.plainest):
                here = self._try(tuple(shortlist[min(other, len(shortlist) - 1)] for shortlist in shortlists))
        self._mirror(shortlists)
        best = self.best
        if best is None:
            return
        for _ in range(_SWEEPS):
            before = best.score
            for i, shortlist in enumerate(shortlists):
                for structure in shortlist:
                    if not self.fitter.tired(self.tier) and structure.key != best.choice[i].key:
                        ties = without_equation(best.ties, i)
                        found = self._try((*best.choice[:i], structure, *best.choice[i + 1 :]), ties)
                        if found is not None and found.score < best.score:
                            best = found
            if best.score >= before:
                break

    def _mirror(self, shortlists: Sequence[Sequence[Structure]]) -> None:
        """Try what one equation says in all of them: what pulls and drags one way does so every way."""
        terms = [self._known_terms(target) for target in self.wanted]
        for structures in zip_longest(*(shortlist[:_JOINT] for shortlist in shortlists)):
            own = [one or shortlist[0] for one, shortlist in zip(structures, shortlists, strict=True)]
            for choice, ties in mirrored(own, self.wanted, terms):
                best = self.best
                if not self.fitter.tired(self.tier) and (best is None or not best.exact):
                    self._fitted(choice, near=None, ties=ties)

    def _shorter(self, choice: Choice, long: Fitted | None) -> Fitted | None:
        """Follow shorter parts of the motion if what the regression found fits those far better."""
        self.fitter.follow(short=True)
        short = self.fitter.fit(choice)
        if short is None or (long is not None and short.reduced > _BETTER * long.reduced):
            self.fitter.follow(short=False)
            return long
        self.laws = {short.key: short}
        return short

    def _eliminate(self, law: Fitted) -> None:
        """Take terms away from a law, the least certain first, while the score improves."""
        while law.terms > 1:
            ranked = sorted(places(law.choice), key=lambda place: self._weight(law, place))
            better = None
            for i, j in ranked[:_DROPS]:
                structure = law.choice[i]
                if len(structure.chosen) < 2:
                    continue
                fewer = replace(structure, chosen=structure.chosen[:j] + structure.chosen[j + 1 :])
                ties = without_term(law.ties, (i, j))
                found = self._try((*law.choice[:i], fewer, *law.choice[i + 1 :]), ties)
                if found is not None and found.score < law.score:
                    better = found
                    break
            if better is None:
                return
            law = better

    def _weight(self, law: Fitted, place: Place) -> float:
        """Return about how much of its equation a term makes up along the data."""
        one = law.choice[place[0]].chosen[place[1]]
        column = self.designs[place[0]].column(one.term, one.inner)
        return 0.0 if column is None else abs(one.coefficient) * float(np.linalg.norm(column))

    def _finish(self) -> None:
        """Fit the best laws to every row, and let equal coefficients be one constant."""
        best = self.best
        if best is not None and not leaves_noise(best) and _HIDDEN < best.reduced < self.fitter.tolerable:
            self.explained = False
            self.laws = {
                key: replace(law, score=self.fitter.practical(law)) for key, law in self.laws.items()
            }
        ranked = sorted(self.laws.values(), key=lambda law: law.score)[:_EXAMINED]
        for law in ranked:
            if law.score > ranked[0].score + _HOPELESS:
                break
            whole = self._examined(law)
            if whole is not None:
                tied = self._tied(whole)
                # Scores of all rows and of some are not comparable: what is kept is the order, but for
                # constants that turned out to be one.
                self.laws[law.key] = replace(tied, score=law.score - self.fitter.saved(law, tied))

    def _examined(self, law: Fitted) -> Fitted | None:
        """Return the law fitted to whole runs; in parts where a motion so long cannot be followed."""
        whole = self.fitter.fit(law.choice, law.ties, look="whole", near=law.starts)
        if whole is not None and whole.reduced <= max(_CLOSE, 2.0 * law.reduced):
            return whole
        return self.fitter.fit(law.choice, law.ties, look="parts", near=law.starts)

    def _tied(self, law: Fitted) -> Fitted:
        """Return the law with one constant where coefficients agree within their errors."""
        ties = dict(law.ties)
        for later, earlier in alike(law, self.wanted):
            if later not in ties and earlier not in ties:
                ties[later] = earlier
        if ties == law.ties:
            return law
        tied = self.fitter.fit(law.choice, ties, look=law.look, near=law.starts)
        return tied if tied is not None and tied.score < law.score else law


def _shortlist(structures: Sequence[Structure], count: int) -> list[Structure]:
    """Return the best structures and the best of each kind: how many terms it takes simulation decides."""
    chosen = list(structures[:count])
    kinds: dict[tuple[int, int], int] = {}
    for structure in structures:
        kind = (len(structure.chosen), sum(bool(one.inner) for one in structure.chosen))
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= (2 if count == _ALONE else 1) and kind[1] < 2 and structure not in chosen:
            chosen.append(structure)
    return chosen


def _merged(first: Sequence[Structure], second: Sequence[Structure]) -> list[Structure]:
    known = {one.key for one in second}
    return [*second, *(one for one in first if one.key not in known)]


def _size(choice: Choice) -> int:
    return sum(len(structure.chosen) for structure in choice)


def _of_size(structures: Sequence[Structure], size: int) -> Structure | None:
    return next((one for one in structures if len(one.chosen) == size), None)
