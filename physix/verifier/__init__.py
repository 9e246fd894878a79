"""Text to verdict: parse a hypothesis, integrate it, score it, and say in words what is off."""

from physix.verifier.codes import CODES
from physix.verifier.compile import evaluate
from physix.verifier.correctness import correctness, same_structure
from physix.verifier.fit import Refined, fit_free_params, refine
from physix.verifier.grammar import expected_targets, parse
from physix.verifier.simulate import Integration, integrate, simulate
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.units import check_units
from physix.verifier.verify import preview, verify

__all__ = [
    "CODES",
    "Integration",
    "ParsedHypothesis",
    "Refined",
    "check_units",
    "correctness",
    "evaluate",
    "expected_targets",
    "fit_free_params",
    "integrate",
    "parse",
    "preview",
    "refine",
    "same_structure",
    "simulate",
    "verify",
]
