"""A law with what a verifier found lacking in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from physix.engine.verifier.types import Finding
from physix.policies.search.library import Term
from physix.policies.search.refit import Fitted
from physix.policies.search.selection import Chosen, Structure


def mended(law: Fitted, i: int, findings: Sequence[Finding], library_terms: Mapping[str, Term]) -> Structure:
    """Return a law's i-th right-hand side with its terms multiplied, dropped and added as findings say."""
    structure, chosen = law.choice[i], []
    for j, one in enumerate(structure.chosen):
        name = law.written.coefficients[i, j][0]
        own = (f for f in findings if f.kind != "missing" and re.search(rf"\b{name}\b", f.term))
        factor = next((f.factor for f in own), 1.0)
        if factor != 0.0:
            chosen.append(replace(one, coefficient=factor * one.coefficient))
    known = {one.term.text for one in chosen}
    chosen += [
        Chosen(library_terms.get(one.term) or Term(one.term, "q", 2), (), one.factor)
        for one in findings
        if one.kind == "missing" and one.term not in known
    ]
    return replace(structure, chosen=tuple(chosen))
