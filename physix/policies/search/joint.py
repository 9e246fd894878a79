"""Equations as one law: what two of them share, and what one has the mirror of.

What leaves one amount arrives in another (S' = -I'), drag is drag in every direction, bodies pull each other
alike. Such a law has fewer constants than its equations apart, and at equal chi² it is the simpler one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

from physix.engine.systems.targets import Target
from physix.policies.search.laws import Choice, Place, Slot, Ties
from physix.policies.search.library import Term
from physix.policies.search.refit import Fitted
from physix.policies.search.selection import Chosen, Structure

_NEAR = 0.3  # relative difference of two coefficients that may be one constant
_LEADING = re.compile(r"\w+(?P<rest>[*/].*)")  # a name, and what it is multiplied or divided by
_SURE = 3.5  # standard errors that they may differ by, where those are known


def places(choice: Choice) -> Iterator[Place]:
    """Yield every term's place, equation by equation."""
    for i, structure in enumerate(choice):
        for j in range(len(structure.chosen)):
            yield i, j


def _slots(choice: Choice) -> Iterator[Slot]:
    """Yield every constant, a term's coefficient before what is inside of it."""
    for place in places(choice):
        for k in range(_chosen(choice, place).term.inner + 1):
            yield (*place, k)


def alike(law: Fitted, wanted: Sequence[Target]) -> list[tuple[Slot, Slot]]:
    """Return (later, earlier) constants of different equations that may be one.

    Their terms are the same, or have the same role in their equations; inner constants need to saturate
    alike. Where errors are known they agree within them, else within 30 %; the nearest come first.
    """
    found: list[tuple[float, Slot, Slot]] = []
    seen: list[Slot] = []
    for slot in _slots(law.choice):
        if slot in law.ties:
            continue
        for earlier in seen:
            apart = earlier[0] != slot[0] and earlier[2] == slot[2]
            if apart and _roles(law, wanted, earlier) & _roles(law, wanted, slot):
                off, allowed = _apart(law, earlier, slot)
                if off < allowed:
                    found.append((off / allowed, slot, earlier))
        seen.append(slot)
    return [(later, earlier) for _, later, earlier in sorted(found)]


def _apart(law: Fitted, one: Slot, other: Slot) -> tuple[float, float]:
    """Return by how much two constants differ in size, and how much they may."""
    a, b = (abs(_value(law.choice, slot)) for slot in (one, other))
    errors = [law.errors.get(law.written.name(slot)) for slot in (one, other)]
    known = [error for error in errors if error is not None]
    if len(known) == 2:
        return abs(a - b), _SURE * math.hypot(*known)
    return abs(a - b), _NEAR * max(a, b)


def mirrored(
    structures: Sequence[Structure], wanted: Sequence[Target], terms: Sequence[Mapping[str, Term]]
) -> Iterator[tuple[Choice, Ties]]:
    """Yield laws all of whose equations are the mirror of one, alone and with a constant force in another.

    Args:
        structures: one right-hand side per equation.
        wanted: the equations; only those of bodies, of second order, mirror each other.
        terms: of each equation, what may be chosen, by text.
    """
    if len(wanted) < 2 or any(target.order < 2 for target in wanted):
        return
    for i, source in enumerate(structures):
        names = [
            _renamed(source, wanted[i], target, known) for target, known in zip(wanted, terms, strict=True)
        ]
        choice = tuple(one for one in names if one is not None)
        if len(choice) < len(wanted):
            continue
        ties = {(k, j, 0): (0, j, 0) for k in range(1, len(wanted)) for j in range(len(source.chosen))}
        yield choice, ties
        for k, own in enumerate(structures):
            force = [one for one in own.chosen if one.term.text == "1"] or [Chosen(terms[k]["1"], (), 0.0)]
            if all(one.term.text != "1" for one in source.chosen):
                longer = Structure((*choice[k].chosen, *force), choice[k].score, choice[k].chi2)
                yield (*choice[:k], longer, *choice[k + 1 :]), ties


def returned(law: Fitted, wanted: Sequence[Target]) -> Iterator[tuple[Choice, Ties]]:
    """Yield laws in which what one equation loses another gains, where it did not yet.

    One term joins an equation of first order that lacks it, with the opposite sign and the same constants;
    what saturates may be gained by another factor than it is lost.
    """
    for i, j in permutations(range(len(law.choice)), 2):
        if wanted[i].order != 1 or wanted[j].order != 1:
            continue
        held = {one.term.text for one in law.choice[j].chosen}
        for k, one in enumerate(law.choice[i].chosen):
            slots = range(one.term.inner + 1)
            if one.term.text in held or any((i, k, slot) in law.ties for slot in slots):
                continue
            yield _with_term(law, (i, k), j, slots)
            if one.term.inner:
                yield _with_term(law, (i, k), j, slots[1:])


def _with_term(law: Fitted, source: Place, j: int, slots: Sequence[int]) -> tuple[Choice, Ties]:
    """Return a law with one more term in equation j, constants of it tied to the source's or those to it."""
    own, one = law.choice[j], _chosen(law.choice, source)
    longer = Structure((*own.chosen, replace(one, coefficient=-one.coefficient)), own.score, own.chi2)
    choice, ties = (*law.choice[:j], longer, *law.choice[j + 1 :]), dict(law.ties)
    for k in slots:
        there, added = (*source, k), (j, len(own.chosen), k)
        if source[0] < j:
            ties[added] = there
        else:  # a constant is written where it comes first
            ties = {later: (added if first == there else first) for later, first in ties.items()}
            ties[there] = added
    return choice, ties


def without_term(ties: Ties, place: Place) -> Ties:
    """Return the ties of a law that loses one term: what was tied to it is tied to the next that was."""

    def moved(one: Slot) -> Slot:
        i, j, k = one
        return (i, j - 1, k) if i == place[0] and j > place[1] else one

    heirs: dict[Slot, Slot] = {}
    for later, first in sorted(ties.items()):
        heirs.setdefault(first, later)
    found = {}
    for later, first in ties.items():
        source = heirs[first] if first[:2] == place else first
        if later[:2] != place and later != source:
            found[moved(later)] = moved(source)
    return found


def without_equation(ties: Ties, i: int) -> Ties:
    """Return the ties that do not touch an equation."""
    return {later: first for later, first in ties.items() if i not in (later[0], first[0])}


def _chosen(choice: Choice, place: Place) -> Chosen:
    return choice[place[0]].chosen[place[1]]


def _value(choice: Choice, slot: Slot) -> float:
    one, k = _chosen(choice, slot[:2]), slot[2]
    return one.inner[k - 1] if k else one.coefficient


def _roles(law: Fitted, wanted: Sequence[Target], slot: Slot) -> set[str]:
    """Return a term's text, as it stands and with its equation's own variable and rate renamed.

    Drag is drag in every direction. Of an inner constant what counts is the denominator that it stands in.
    """
    text, target = _chosen(law.choice, slot[:2]).term.text, wanted[slot[0]]
    if slot[2]:
        return {text[max(0, text.find("/(")) :]}
    own = re.sub(rf"^{re.escape(target.variable)}(?=[*/]|$)", "own", text)
    return {text, re.sub(rf"^{re.escape(target.driven)}(?=[*/]|$)", "own_rate", own)}


def _renamed(
    structure: Structure, source: Target, target: Target, terms: Mapping[str, Term]
) -> Structure | None:
    """Return a right-hand side with two equations' variables exchanged; None where that is no known term."""
    if source == target:
        return structure
    pairs = ((source.variable, target.variable), (source.driven, target.driven))
    exchanged = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    word = re.compile(r"\b(" + "|".join(map(re.escape, exchanged)) + r")\b")
    chosen = []
    for one in structure.chosen:
        own, rest = _LEADING.fullmatch(one.term.text), ""
        if own is not None and all(_symmetric(own["rest"], pair) for pair in pairs):
            rest = own["rest"]  # a distance, a speed: the same for both
        head = one.term.text.removesuffix(rest) if rest else one.term.text
        term = terms.get(word.sub(lambda found: exchanged[found[0]], head) + rest)
        if term is None or term.inner:
            return None
        chosen.append(Chosen(term, (), one.coefficient))
    return Structure(tuple(chosen), structure.score, structure.chi2)


def _symmetric(text: str, pair: tuple[str, str]) -> bool:
    held = [re.search(rf"\b{re.escape(name)}\b", text) is not None for name in pair]
    return held[0] == held[1]
