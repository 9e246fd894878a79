"""The English residual summary that an agent reads, from a `Mismatch`. Same value, same words."""

from __future__ import annotations

from collections.abc import Sequence

from physix.engine.systems.task import StateVariable
from physix.engine.verifier.mismatch import RUNAWAY
from physix.engine.verifier.types import CurveShape, Finding, Mismatch, Rejection, ShapeKind, Worst

_MORE = 2  # further findings that are named


def describe_rejection(rejection: Rejection) -> str:
    """Return the sentence about a text that is no hypothesis."""
    return f"Did not parse: {rejection.message}."


def describe(mismatch: Mismatch, variables: Sequence[StateVariable], failure: str | None) -> str:
    """Return one to four sentences on what is wrong, where, and what would explain it.

    Args:
        mismatch: what was found.
        variables: of the task, for their units.
        failure: why the simulation ended early; None if it did not.
    """
    parts = []
    if failure is not None:
        parts.append(f"The simulation failed. {failure}")
    elif mismatch.within_noise:
        return "The prediction matches every variable within the noise."
    if mismatch.worst is not None:
        parts.append(_where(mismatch.worst, variables))
        if mismatch.shape is not None:
            parts.append(_shape(mismatch.worst.variable, mismatch.shape, blamed=bool(mismatch.findings)))
    if mismatch.findings:
        parts.append(explain(mismatch.findings[0]))
        parts.append(_further(mismatch.findings[1:]))
    elif mismatch.holds:
        parts.append(
            "Along the data every equation holds within the noise: no term is to blame, and a small error "
            "of the start or of a constant has grown."
        )
    return " ".join(filter(None, parts))


def _where(worst: Worst, variables: Sequence[StateVariable]) -> str:
    declared = next((v.unit for v in variables if v.name == worst.variable), None)
    unit = f" {declared}" if declared and declared != "1" else ""
    r2 = "" if worst.r2 is None else f" (R2 {_number(max(worst.r2, -999.0))})"
    side = "too high" if worst.off > 0 else "too low"
    return (
        f"{worst.variable} fits worst{r2}: at t = {_number(worst.t)} the prediction is "
        f"{_number(abs(worst.off))}{unit} {side}."
    )


def _shape(name: str, shape: CurveShape, *, blamed: bool) -> str:
    """Return the sentence about the curves; it names a cause only where the equations name one too."""
    seen = _seen(name, shape)
    cause = _CAUSES.get(shape.kind)
    return f"{seen}: {cause}." if blamed and cause else f"{seen}."


_CAUSES: dict[ShapeKind, str] = {
    "undamped": "damping is missing or too weak",
    "overdamped": "there is too much damping",
    "phase": "the force may depend on the amplitude (a nonlinear restoring term)",
    "bend": "the sign of a term is wrong",
    "runs on": "wrong asymptote",
    "levels off": "wrong asymptote",
}


def _seen(name: str, shape: CurveShape) -> str:
    value = 0.0 if shape.value is None else shape.value
    side = "above" if value > 0 else "below"
    match shape.kind:
        case "runaway":
            limit = f"past {RUNAWAY:g} times the data's range"
            return f"The predicted {name} runs away: {limit} at t = {_number(value)}"
        case "no swing":
            return f"The observed {name} oscillates but the prediction does not"
        case "period":
            pace = "slowly" if value > 1 else "fast"
            ratio = f"its period is {_number(value)} times the observed one"
            return f"The predicted {name} oscillates too {pace}: {ratio}"
        case "undamped":
            return f"The observed {name} loses amplitude faster than the prediction"
        case "overdamped":
            return f"The predicted {name} dies out too fast"
        case "centre":
            return f"The predicted {name} swings about a centre that is off by {_number(value)}"
        case "amplitude":
            return f"The predicted amplitude of {name} is {_number(value)} times the observed one"
        case "phase":
            return f"The predicted {name} drifts out of phase slowly"
        case "bend":
            return f"The prediction of {name} bends the other way"
        case "runs on":
            return f"The observed {name} levels off, the prediction runs on and ends {side} it"
        case "levels off":
            return f"The predicted {name} levels off too early and ends {side} the data"
        case "growth":
            return _drifts(name, value)


def _drifts(name: str, value: float) -> str:
    # The error at the end has the sign of its slope, as it begins at nothing.
    side = "above" if value > 0 else "below"
    pace = f"the error changes by {_number(value)} per unit of time"
    return f"The prediction of {name} ends {side} the data; {pace}"


def explain(finding: Finding) -> str:
    """Return the sentence about one term to blame."""
    target, term, factor = finding.target, finding.term, finding.factor
    if finding.kind == "missing":
        what = {"damping": "damping", "coupling": "a coupling", "constant": "a constant offset"}.get(
            finding.role
        )
        if what is None:
            return (
                f"In {target} a term like {_product(finding)} is missing and would explain most of the error."
            )
        like = "" if finding.role == "constant" else "a term like "
        return f"In {target} {what} is missing: {like}{_product(finding)} would explain most of the error."
    fitting = (
        "it should not be there" if finding.kind == "superfluous" else f"{_number(factor)} times it would fit"
    )
    if finding.kind == "sign":
        return f"In {target} the term {term} has the wrong sign: {fitting}."
    if finding.role == "damping":
        amount = "too much" if factor < 1 else "too little"
        return f"In {target} there is {amount} damping from the term {term}: {fitting}."
    strength = "strong" if factor < 1 else "weak"
    return f"In {target} the term {term} is too {strength}: {fitting}."


def _further(findings: Sequence[Finding]) -> str:
    """Return the sentence about what is to be mended with it, equation by equation."""
    by_target: dict[str, list[str]] = {}
    for finding in findings[:_MORE]:
        by_target.setdefault(finding.target, []).append(_instruction(finding))
    said = [f"in {target} {' and '.join(instructions)}" for target, instructions in by_target.items()]
    return f"Also {'; '.join(said)}." if said else ""


def _instruction(finding: Finding) -> str:
    if finding.kind == "missing":
        return f"add {_product(finding)}"
    if finding.kind == "superfluous":
        return f"drop {finding.term}"
    return f"take {_number(finding.factor)} times {finding.term}"


def _product(finding: Finding) -> str:
    return _number(finding.factor) if finding.term == "1" else f"{_number(finding.factor)}*{finding.term}"


def _number(value: float) -> str:
    return f"{float(value):.3g}"
