"""What a law's constants are by all the data, once it was chosen by some of them."""

from __future__ import annotations

from physix.engine.systems.record import whole_record
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.fit import Fit, fit_trajectories
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.types import Hypothesis, Rejection, VerifierConfig


def refit_on_all(task: Task, truth: Truth, hypothesis: Hypothesis, config: VerifierConfig) -> Fit | None:
    """Return the constants of a hypothesis, with errors, from shown and held-back rows together.

    The verdict stays the one on the held-back rows: these were no test of constants that they helped
    to find. A param's own value plays no part, so a constant that was declared is determined as well.

    Returns:
        None if the text is no hypothesis, or has no params.
    """
    parsed = parse(
        hypothesis.equation,
        dict.fromkeys(hypothesis.params),
        task.variables,
        inputs=task.inputs,
        functions=config.functions,
        fit_nulls=True,
    )
    if isinstance(parsed, Rejection) or not parsed.free:
        return None
    return fit_trajectories(parsed, task, whole_record(task, truth))
