"""What a search found in data, as one value: the front, the chosen law, its rivals, and what to measure next.

It is recorded with the turn that first proposes from it, and page, report and notebook read only this. It
is made of the shown data alone: it holds no truth, and nothing of what is held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DISCOVERY_VERSION = 1
MeasurementKind = Literal["later", "start"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant of a law, as well as the data know it.

    `error` is a standard error, `low` and `high` bound the 95 % interval; all None where the data do not
    determine it, or its law was not `examined`. `unit` is None where the data declare no units, or the law
    leaves it open.
    """

    name: str
    value: float
    error: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A law with the constants that fit best."""

    equation: str  # in the grammar
    params: dict[str, float]
    constants: tuple[Constant, ...]
    complexity: int  # operators and functions, as simplicity counts them
    terms: int  # over all equations
    chi2: float  # sum of squared residuals in units of the noise, per sample
    worse_by: float  # than the chosen law, in nats of the criterion that chose it; 0 for that law
    explains: bool  # the verdict: what it leaves over of the shown data is no more than the noise
    examined: bool  # it was fitted to every row, and asked how well its constants are known


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """In which share of resampled data the best right-hand side holds a term."""

    equation: str  # the left side: "d2y/dt2"
    term: str  # in the grammar, "1" for a constant; inner constants with their values
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """What the chosen law leaves over of one variable, in units of the noise of each sample.

    A residual is observed minus predicted. `autocorrelation` is at lags 1, 2, ...; `quantiles` at the
    probabilities (i - 1/2) / n. White noise as told has a `chi2` of 1, autocorrelations about 0 and the
    quantiles of the normal distribution.
    """

    variable: str
    samples: int
    chi2: float  # per sample
    autocorrelation: tuple[float, ...]
    quantiles: tuple[float, ...]
    worst: float  # the largest residual, with its sign
    worst_t: float
    worst_run: int  # of the shown trajectories, from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextMeasurement:
    """What would tell the chosen law from a rival: `variable`, `t` after the motion began at `start`."""

    sentence: str
    rival: int  # index into the rivals
    kind: MeasurementKind  # go on for longer, or begin elsewhere
    start: dict[str, float]  # by state variable
    variable: str
    t: float  # in the task's unit of time, from the start
    sigmas: float  # by how many standard deviations of one sample the two laws differ there
    chosen_value: float
    rival_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What the search took. Counts, never a clock."""

    tier: int  # of terms that it had to open: 0 plain, 1 curved, 2 with constants inside, 3 driven by time
    laws: int  # simulated and fitted
    evaluations: int  # of right-hand sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All that a search has to say about one task.

    Attributes:
        chosen: the law it stands by; None where no law could be simulated.
        explains: `chosen` does, by the verdict that the episode's turns are held to in `strict`.
        sentence: what is claimed, and what is not; it ends with the doubt.
        doubt: why such data cannot confirm `chosen`, though it explains them: it is a description then, and
            not claimed as the law. None where they could.
        front: of no two laws is one both plainer and nearer to the data; the plainest first. The chosen law
            is among them, even if another is both: what chose it weighs more than length and distance.
        rivals: other laws that the data hardly tell from the chosen one, the best first.
        inclusion: of every term that resampled data ask for at least now and then, the surest first.
        residuals: of the chosen law, one entry for every measured variable.
        next_measurement: None where there is no rival, or nothing that may be simulated tells them apart.
    """

    version: int = DISCOVERY_VERSION
    chosen: Law | None
    explains: bool
    sentence: str
    doubt: str | None = None
    front: tuple[Law, ...]
    rivals: tuple[Law, ...]
    inclusion: tuple[Inclusion, ...]
    residuals: tuple[Residuals, ...]
    next_measurement: NextMeasurement | None
    effort: Effort
