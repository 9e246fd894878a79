"""What goes into a verification and what comes out of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from physix.engine.floats import FloatArray, table_of

Outcome = Literal[
    "ok",
    "not_parsed",
    "domain_error",
    "overflow",
    "division_by_zero",
    "diverged",
    "budget_exhausted",
    "solver_failed",
    "fit_failed",
]
Profile = Literal["classic", "strict"]
UnitsVerdict = Literal["ok", "literals", "inconsistent", "undeclared"]
Constants = Literal["declared", "fitted"]
FunctionSet = Literal["basic", "extended"]
Recovery = Literal["exact", "recovered", "different"]
FindingKind = Literal["strength", "sign", "superfluous", "missing"]
Role = Literal["damping", "driving", "restoring", "constant", "coupling", "other"]
ShapeKind = Literal[
    "runaway",
    "no swing",
    "period",
    "undamped",
    "overdamped",
    "centre",
    "amplitude",
    "phase",
    "bend",
    "runs on",
    "levels off",
    "growth",
]
FitOutcome = Literal["converged", "not_converged", "budget_exhausted", "failed"]

# The rules of the verdict. A change after which the same hypothesis about the same task may earn
# another number takes the next one; what was recorded under an older one is not recomputed. Changes between
# two releases share a number: no log of a release holds what was judged in between.
RULES = 2

INTEGRATED = "The hypothesis was integrated over all observed times."
CONSISTENT = "Units are consistent."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """An equation of motion, as proposed: untrusted text and numbers.

    A param that is None is left to the verifier, where the config says `constants="fitted"`.
    """

    equation: str
    params: Mapping[str, float | None] = field(default_factory=dict)
    rationale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a text is no hypothesis. `column` is 1-based into the equation text; 0: not in the text."""

    code: str  # from the enumerated vocabulary in physix.engine.verifier.codes
    message: str  # what was found, where, and what is allowed
    column: int
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One summand of a right-hand side, for typesetting and for the diff between turns."""

    target: str  # the derivative it belongs to: "d2y/dt2"
    source: str  # canonical text without the leading sign
    latex: str
    negative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseReport:
    """What the parser made of the text. `rejection` is None exactly when it parsed."""

    rejection: Rejection | None = None
    canonical: str | None
    latex: str | None
    terms: tuple[Term, ...]
    operators: int  # operators and functions, the complexity that r_simplicity counts
    units: UnitsVerdict | None
    units_message: str | None = CONSISTENT
    param_units: dict[str, str]


class _Table:
    """Room for the array beside a value made of it: no field, so no part of what is compared or written."""

    __slots__ = ("_table",)
    _table: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction(_Table):
    """The simulated counterpart of one shown trajectory; rows end where the simulation failed."""

    states: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, table: FloatArray) -> Prediction:
        """Return the states of an array of shape (K, D), which it keeps: nobody may write to it any more."""
        # By columns: half as many objects as a list of rows.
        made = cls(states=tuple(zip(*table.T.tolist(), strict=True)))
        if made.states:
            object.__setattr__(made, "_table", table)
        return made

    @property
    def table(self) -> FloatArray:
        """The states as an array of shape (K, D), for reading only; (0, 0) where there are none."""
        try:
            return self._table
        except AttributeError:  # it was read from a log, or came from another process
            return table_of(self.states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The hypothesis integrated over the shown trajectories."""

    outcome: Outcome
    message: str = INTEGRATED
    t_reached: float | None  # last time with a trustworthy state; None if nothing ran
    evaluations: int  # right-hand-side evaluations, all shown trajectories together
    predictions: tuple[Prediction, ...] = ()
    fitted: dict[str, float] = field(default_factory=dict)  # params that the verifier determined
    fit_evaluations: int = 0  # right-hand-side evaluations spent on determining them and the starts
    starts: tuple[tuple[float, ...], ...] = ()  # fitted, one state per shown trajectory; (): as sampled
    errors: dict[str, float] = field(default_factory=dict)  # standard errors of `fitted`
    undetermined: tuple[tuple[str, ...], ...] = ()  # groups of params that the data cannot tell apart
    fit: FitOutcome | None = None  # how determining them went; None: nothing was left open


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """The four components in [0, 1] and their weighted total."""

    match: float
    progress: float
    simplicity: float
    format: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableFit:
    """Fit of one state variable over the shown trajectories; never rewarded by itself.

    The numbers are None where nothing could be simulated.
    """

    r2: float | None  # unclipped, in (-inf, 1]
    nrmse: float | None  # RMSE / standard deviation of the observations
    valid_time: float | None  # time until |residual| first exceeds 10 % of the spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Correctness:
    """How close the hypothesis is to the true law as a field; for evaluation, never for an agent."""

    field_error: float | None  # relative, RMS over seeded points; None: not defined at one of them
    verdict: Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One change of one equation that would explain what the noise does not.

    A missing term is mended by adding `factor*(term)` to the equation's right-hand side; one of the
    law's own by adding `(factor - 1)*(term)`, as `factor` is what it should be multiplied by.
    """

    kind: FindingKind
    target: str  # the derivative whose equation is to blame: "d2y/dt2"
    term: str  # source in the grammar, an own one with its sign and the law's own params
    factor: float
    error: float  # standard error of `factor`
    size: float  # what the change takes off chi², in units of the noise's variance
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The variable that fits worst, and where in the first shown trajectory it is furthest off."""

    variable: str
    t: float
    off: float  # predicted minus observed there, in the variable's own unit
    r2: float | None  # as in VariableFit


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveShape:
    """What the predicted curve of the worst variable looks like beside the observed one."""

    kind: ShapeKind
    value: float | None = None  # a ratio to the observed one, an offset, a time or a rate, as the kind says


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What the verifier found wrong with one hypothesis, from the shown data alone."""

    within_noise: bool  # the prediction matches every variable
    holds: bool  # along the data the equations hold within the noise, wherever the prediction went
    worst: Worst | None = None  # None: nothing was simulated to the end, or all is well
    shape: CurveShape | None = None
    findings: tuple[Finding, ...] = ()  # to be mended together, the largest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Everything one hypothesis earns. A pure function of task, truth, history and hypothesis."""

    parse: ParseReport
    simulation: Simulation
    reward: Reward
    fits: dict[str, VariableFit]  # by state variable, in task order
    generalisation: float | None  # R² on hidden trajectories, in [0, 1]; None: the task has none
    match_dense: float  # sqrt(r_match): a steeper signal far from the truth
    correctness: Correctness | None  # None: the task has no ground truth
    mismatch: str
    solved: bool
    passed: bool = False  # on what is shown; nothing is held back that could confirm it
    findings: Mismatch | None = None  # what `mismatch` says, as a value; None: the text did not parse


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierConfig:
    """The constants of the contract; recorded with every episode."""

    profile: Profile = "classic"
    constants: Constants = "declared"
    functions: FunctionSet = "basic"  # see limits: "extended" adds tanh, sign, min, max, ...
    weight_match: float = 0.5
    weight_progress: float = 0.2
    weight_simplicity: float = 0.2
    weight_format: float = 0.1
    solved_threshold: float = 0.93
    max_evaluations: int = 10_000
    rtol: float = 1e-6  # of the solver
    atol: float = 1e-6  # of the solver, as a share of each variable's spread
