"""What goes into a verification and what comes out of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
FitOutcome = Literal["converged", "not_converged", "budget_exhausted", "failed"]

# The rules of the verdict. A change after which the same hypothesis about the same task may earn
# another number takes the next one; what was recorded under an older one is not recomputed.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The simulated counterpart of one shown trajectory; rows end where the simulation failed."""

    states: tuple[tuple[float, ...], ...]


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
