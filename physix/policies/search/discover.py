"""From the laws of a search to one value that says what was found, how surely, and what is left open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physix.engine.discovery import Discovery, Effort, Inclusion, Law, Residuals
from physix.engine.examine import constant
from physix.engine.residuals import residuals_of
from physix.engine.systems.targets import targets
from physix.engine.systems.task import Task
from physix.engine.verifier.prepared import prepare
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.types import FunctionSet
from physix.engine.verifier.units import check_units
from physix.engine.verifier.verify import explains
from physix.policies.search.climb import Climb, climb
from physix.policies.search.evidence import Picked, doubt
from physix.policies.search.laws import Written, write
from physix.policies.search.next_measurement import next_measurement
from physix.policies.search.parts import LeftOver
from physix.policies.search.refit import Fitted, leaves_noise

_DIGITS = 7  # of a constant: its rounding stays below what the strict verdict can see
_NEAR = 10.0  # nats by which a rival may be worse
_FRONT, _RIVALS, _TERMS = 12, 5, 40


def discover(task: Task, functions: FunctionSet = "extended") -> Discovery:
    """Return what `search` finds in a task's shown data; no episode, no log, no chance.

    Args:
        task: what is shown is all that is looked at.
        functions: that a law may use.
    """
    return discovery_of(task, climb(task, functions), functions)


def written(task: Task, law: Fitted, functions: FunctionSet) -> Written | None:
    """Return a law as it is told and submitted; None where the grammar cannot hold it."""
    return write(task, targets(task.variables), law.choice, law.ties, functions, digits=_DIGITS)


def discovery_of(task: Task, found: Climb, functions: FunctionSet) -> Discovery:
    """Return the value that a search's laws come to."""
    texts = {law.key: written(task, law, functions) for law in found.laws}
    laws = [law for law in found.laws if texts[law.key] is not None]
    if not laws:
        return _nothing(found)
    why = doubt_of(task, found, functions)
    best, front, rivals = laws[0], _front(laws), _rivals(laws)
    told = {
        law.key: _law(task, law, best, one.parsed)
        for law in (*front, *rivals)
        if (one := texts[law.key]) is not None
    }
    return Discovery(
        chosen=told[best.key],
        explains=told[best.key].explains,
        sentence=" ".join(filter(None, (_sentence(best, told[best.key], rivals), why))),
        doubt=why,
        front=tuple(told[law.key] for law in front),
        rivals=tuple(told[law.key] for law in rivals),
        inclusion=_inclusion(found),
        residuals=_residuals(task, best.left),
        next_measurement=next_measurement(task, best, rivals, [told[law.key] for law in (best, *rivals)]),
        effort=_effort(found),
    )


def doubt_of(task: Task, found: Climb, functions: FunctionSet) -> str | None:
    """Return why the data cannot confirm the best law, though it explains them; see `doubt`."""
    texts = {law.key: written(task, law, functions) for law in found.laws}
    laws = [law for law in found.laws if texts[law.key] is not None]
    told = texts[laws[0].key] if laws else None
    if told is None:
        return None
    rivals = _rivals(laws)
    short = [law for law in rivals if len(law.written.parsed.params) <= len(told.parsed.params)]
    twin = texts[short[0].key] if short else None
    picked = Picked(
        law=told.parsed,
        terms=laws[0].terms,
        curved=_curved(laws[0]),
        left_over=_share_left(task, laws[0]),
        alone=not rivals,
        twin=None if twin is None else twin.parsed.canonical,
        twin_curved=_curved(short[0]) if short else 0,
        ahead=_nats(short[0], laws[0]) if short else np.inf,
    )
    why = doubt(task, picked)
    # Most data can confirm a law: those need no simulation to say so.
    return why if why is not None and explains(task, told.parsed) else None


def _curved(law: Fitted) -> int:
    return sum(not one.term.linear for structure in law.choice for one in structure.chosen)


def _share_left(task: Task, law: Fitted) -> float:
    """Return the root mean square of what a law leaves over, as a share of the spread."""
    scale = prepare(task).scale
    off = np.concatenate(
        [
            (part.residuals / np.where(used, part.weights, 1.0) / scale)[used]
            for part in law.left
            if (used := part.weights > 0.0).any()
        ]
    )
    return float(np.sqrt(np.mean(off**2))) if len(off) else 0.0


def _nothing(found: Climb) -> Discovery:
    return Discovery(
        chosen=None,
        explains=False,
        sentence="No candidate law could be simulated on these data.",
        front=(),
        rivals=(),
        inclusion=(),
        residuals=(),
        next_measurement=None,
        effort=_effort(found),
    )


def _effort(found: Climb) -> Effort:
    return Effort(tier=found.tier, laws=found.tried, evaluations=found.evaluations)


def _law(task: Task, law: Fitted, best: Fitted, parsed: ParsedHypothesis) -> Law:
    units = check_units(parsed, task.time_unit).param_units
    freedom = law.samples - len(parsed.params)
    return Law(
        equation=parsed.canonical,
        params=dict(parsed.params),
        constants=tuple(
            constant(name, value, law.errors.get(name), freedom, units.get(name))
            for name, value in parsed.params.items()
        ),
        complexity=parsed.operators,
        terms=law.terms,
        chi2=law.reduced,
        worse_by=max(0.0, _nats(law, best)),
        explains=explains(task, parsed),
        examined=bool(law.errors),
    )


def _front(laws: Sequence[Fitted]) -> list[Fitted]:
    """Return the laws that no other is both plainer and nearer to the data than, the plainest first.

    The best is among them even where another is both: the price of its terms chose it.
    """
    front: list[Fitted] = []
    nearest = np.inf
    for law in sorted(laws, key=_plainness):
        if law.reduced < nearest:
            front.append(law)
            nearest = law.reduced
    best, kept = laws[0], front[:_FRONT]
    return kept if best in kept else sorted([*kept[: _FRONT - 1], best], key=_plainness)


def _plainness(law: Fitted) -> tuple[int, float]:
    return law.written.parsed.operators, law.reduced


def _rivals(laws: Sequence[Fitted]) -> list[Fitted]:
    """Return the laws that the data hardly tell from the best: not those that only add to it."""
    best = laws[0]
    near = [law for law in laws[1:] if _nats(law, best) <= _NEAR and not _adds_to(best, law)]
    return near[:_RIVALS]


def _nats(law: Fitted, best: Fitted) -> float:
    """Return by how much a law is worse."""
    return 0.5 * (law.score - best.score)


def _adds_to(plain: Fitted, law: Fitted) -> bool:
    return all(one <= other for one, other in zip(plain.key, law.key, strict=True))


def _sentence(best: Fitted, told: Law, rivals: Sequence[Fitted]) -> str:
    if not told.explains:
        over = (
            f"the best leaves over {np.sqrt(told.chi2):.3g} times the noise"
            if best.look == "whole"
            else "the best follows pieces of them that begin anew, but not the whole motion from its start"
        )
        return (
            f"No law was found that explains these data: {over}. Something is missing: a variable that was "
            "not measured, a drive, a delay, or a term that was not tried."
        )
    left = "The chosen law explains the shown data down to the noise"
    if not leaves_noise(best):
        left += ", though what it leaves over resembles its neighbours: a small term may be missing"
    if rivals:
        count = "one other law does" if len(rivals) == 1 else f"{len(rivals)} other laws do"
        return f"{left}, but {count} about as well: these data cannot tell them apart."
    return f"{left}, and no other law that was tried does so with as little."


def _inclusion(found: Climb) -> tuple[Inclusion, ...]:
    told = [
        Inclusion(
            equation=left,
            term=one.term.text.format(*(f"{value:.4g}" for value in one.inner)),
            probability=share,
        )
        for left, terms in found.inclusion
        for one, share in terms
    ]
    return tuple(sorted(told, key=lambda one: -one.probability)[:_TERMS])


def _residuals(task: Task, left: Sequence[LeftOver]) -> tuple[Residuals, ...]:
    found = []
    for d, variable in enumerate(task.variables):
        parts = [
            (one.run, one.t[used], -one.residuals[used, d])
            for one in left
            if (used := one.weights[:, d] > 0.0).any()
        ]
        if parts:
            found.append(residuals_of(variable.name, parts))
    return tuple(found)
