"""Text to verdict: parse a hypothesis, integrate it, score it, and say in words what is off."""

from physix.engine.verifier.codes import CODES
from physix.engine.verifier.compile import evaluate
from physix.engine.verifier.correctness import correctness, same_structure
from physix.engine.verifier.fit import Fit, Refined, fit_free_params, fit_trajectories, refine
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.simulate import Integration, integrate, simulate
from physix.engine.verifier.tree import ParsedHypothesis
from physix.engine.verifier.units import check_units
from physix.engine.verifier.verify import preview, verify
from physix.engine.verifier.whole import refit_on_all

__all__ = [
    "CODES",
    "Fit",
    "Integration",
    "ParsedHypothesis",
    "Refined",
    "check_units",
    "correctness",
    "evaluate",
    "fit_free_params",
    "fit_trajectories",
    "integrate",
    "parse",
    "preview",
    "refine",
    "refit_on_all",
    "same_structure",
    "simulate",
    "verify",
]
