"""Text to verdict: parse a hypothesis, integrate it, score it, and say in words what is off."""

from physix.verifier.codes import CODES
from physix.verifier.compile import evaluate
from physix.verifier.grammar import expected_targets, parse
from physix.verifier.simulate import Integration, integrate, simulate
from physix.verifier.tree import ParsedHypothesis
from physix.verifier.units import check_units
from physix.verifier.verify import verify

__all__ = [
    "CODES",
    "Integration",
    "ParsedHypothesis",
    "check_units",
    "evaluate",
    "expected_targets",
    "integrate",
    "parse",
    "simulate",
    "verify",
]
