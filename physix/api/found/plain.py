"""What was found as plain values, for `--json` and for HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from physix.api.found.tables import paragraphs

if TYPE_CHECKING:
    from physix.api.found.result import Result


def plain(result: Result) -> dict[str, Any]:
    """Return a result as JSON can hold it: no curves, which the episode has."""
    found = result.examined
    told = found.verification
    return {
        "episode_id": result.episode_id,
        "outcome": "solved" if result.solved else "fits" if told.passed else "not_solved",
        "sentence": result.sentence,
        "said": paragraphs(result),
        "equation": None if found.law is None else found.law.canonical,
        "latex": told.parse.latex,
        "params": {} if found.law is None else dict(found.law.params),
        "constants": [asdict(one) for one in found.constants],
        "from_all_rows": [asdict(one) for one in found.from_all],
        "undetermined": [list(group) for group in found.undetermined],
        "chi2": found.chi2,
        "samples": found.samples,
        "match": told.reward.match,
        "generalisation": told.generalisation,
        "missing": told.mismatch,
        "findings": None if told.findings is None else asdict(told.findings),
        "residuals": [asdict(one) for one in found.residuals],
        "notes": [asdict(one) for one in result.notes],
        "discovery": None if result.discovery is None else asdict(result.discovery),
    }
