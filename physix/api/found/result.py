"""What `physix.discover` and `physix.fit` return: laws to read, to compute with and to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from physix.api.found import tables
from physix.engine.discovery import Constant, Discovery
from physix.engine.events import RecordedEvent
from physix.engine.examine import Examined
from physix.engine.floats import FloatArray
from physix.engine.systems.measured import Problem
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.grammar import parse
from physix.engine.verifier.latex import latex
from physix.engine.verifier.prepared import interpolation, prepare
from physix.engine.verifier.simulate import integrate
from physix.engine.verifier.tree import ParsedHypothesis
from physix.errors import BadInputError, PhysixError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_EVALUATIONS = 2_000_000  # of one simulation
_POINTS = 201


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FoundLaw:
    """A law with its constants, ready to compute with.

    Attributes:
        constants: with standard errors, 95 % intervals and units where the data tell them.
        chi2: per sample of the shown rows, 1 for a law that leaves over what the noise makes.
    """

    task: Task
    law: ParsedHypothesis
    constants: tuple[Constant, ...]
    chi2: float | None
    explains: bool
    start: tuple[float, ...]  # fitted, of the first run

    @property
    def equation(self) -> str:
        """The law as text, constants by name."""
        return self.law.canonical

    @property
    def params(self) -> dict[str, float]:
        """The value of every constant."""
        return dict(self.law.params)

    @property
    def variables(self) -> list[str]:
        """The state, in the order of the columns that `predict` returns."""
        return [variable.name for variable in self.task.variables]

    def latex(self) -> str:
        """Return the law in LaTeX, without dollar signs; several equations in a `gathered` block."""
        return latex(self.law)

    def sympy(self, *, values: bool = False) -> Any:
        """Return a SymPy equation `Eq(Derivative(x(t), (t, 2)), ...)`, or a list where there are several.

        Args:
            values: put the constants' values in; else they stay symbols.
        """
        from physix.api.found.algebra import equations

        found = equations(self.law, values=values)
        return found[0] if len(found) == 1 else found

    def predict(
        self,
        t: Sequence[float] | FloatArray,
        start: Mapping[str, float] | Sequence[float] | None = None,
        inputs: Mapping[str, Sequence[float] | FloatArray] | None = None,
    ) -> FloatArray:
        """Return the states over the times `t`, shape (T, D), columns as in `variables`.

        Args:
            t: increasing; the motion is at `start` at `t[0]`.
            start: by name or in the order of `variables`; None: the fitted start of the first run.
            inputs: of a driven law, the input's values at `t`; None: as in the first run.

        Raises:
            BadInputError: a start or an input that does not fit, or times that do not increase.
            PhysixError: the law cannot be followed that far; the message says how far.
        """
        times = np.asarray(t, dtype=float)
        if times.ndim != 1 or len(times) < 2 or not np.all(np.diff(times) > 0.0):
            raise BadInputError("t must hold two times at least, increasing.")
        prepared = prepare(self.task)
        run = integrate(
            self.law,
            times,
            self._start(start),
            max_evaluations=_EVALUATIONS,
            rtol=1e-9,
            atol=1e-10 * prepared.early,
            inputs=self._inputs(times, inputs),
        )
        if run.outcome != "ok":
            far = times[max(0, len(run.states) - 1)]
            raise PhysixError(f"The law cannot be followed beyond t = {far:.6g}: {run.outcome}.")
        return run.states

    def simulate(
        self,
        start: Mapping[str, float] | Sequence[float] | None = None,
        until: float = 10.0,
        *,
        points: int = _POINTS,
    ) -> dict[str, FloatArray]:
        """Return a motion from t = 0 as columns: `t` and every state, as a data frame takes them.

        Raises:
            BadInputError, PhysixError: as `predict`.
        """
        if not until > 0.0 or not 2 <= points <= 1_000_000:
            raise BadInputError("until must be above 0, and points from 2 to 1,000,000.")
        t = np.linspace(0.0, until, points)
        states = self.predict(t, start)
        return {"t": t, **dict(zip(self.variables, states.T, strict=True))}

    def __repr__(self) -> str:
        return f"{self.equation}  [{', '.join(tables.constant(one) for one in self.constants)}]"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def _start(self, start: Mapping[str, float] | Sequence[float] | None) -> list[float]:
        if start is None:
            return list(self.start)
        names = self.variables
        if isinstance(start, Mapping):
            if missing := [name for name in names if name not in start]:
                raise BadInputError(f"start lacks {', '.join(missing)}; give {', '.join(names)}.")
            if unknown := [str(name) for name in start if name not in names]:
                raise BadInputError(f"start has {', '.join(unknown)}; the state is {', '.join(names)}.")
            return [float(start[name]) for name in names]
        values = [float(value) for value in np.atleast_1d(np.asarray(start, dtype=float))]
        if len(values) != len(names) or not np.isfinite(values).all():
            raise BadInputError(f"start must hold {len(names)} numbers: {', '.join(names)}.")
        return values

    def _inputs(self, t: FloatArray, inputs: Mapping[str, Sequence[float] | FloatArray] | None) -> Any:
        if not self.task.inputs:
            return None
        if inputs is None:
            first = self.task.shown[0]
            return interpolation(np.array(first.t), first.inputs)
        columns = []
        for one in self.task.inputs:
            values = np.asarray(inputs.get(one.name, ()), dtype=float)
            if values.shape != t.shape:
                raise BadInputError(f"Input {one.name} must have one value for each of the {len(t)} times.")
            columns.append(values)
        return interpolation(t, np.stack(columns, axis=1).tolist())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """Data, a law, and all that is to be said of both.

    Attributes:
        task: the shown data, as they were read.
        notes: what reading them had to say.
        examined: the law held against the data.
        episode_id: of the episode that it is recorded as.
    """

    task: Task
    truth: Truth
    notes: tuple[Problem, ...]
    examined: Examined
    episode_id: str
    events: tuple[RecordedEvent, ...]
    discovery: Discovery | None = None

    @property
    def best(self) -> FoundLaw:
        """The law.

        Raises:
            PhysixError: there is none.
        """
        found = self._best
        if found is None:
            raise PhysixError(self.sentence)
        return found

    @property
    def solved(self) -> bool:
        """It explains the shown data, the held-back data are where it leads, and it is not doubted."""
        return self.examined.verification.solved and self.doubt is None

    @property
    def doubt(self) -> str | None:
        """Why the data cannot confirm the law that they picked; None where they can, or it was stated."""
        told, law = self.discovery, self.examined.law
        if told is None or told.chosen is None or law is None or law.canonical != told.chosen.equation:
            return None
        return told.doubt

    @property
    def generalisation(self) -> float | None:
        """R² on the held-back data, in [0, 1]; None if nothing was held back."""
        return self.examined.verification.generalisation

    @property
    def sentence(self) -> str:
        """What is claimed, and what is not."""
        told, verdict = self.discovery, self.examined.verification
        if self.doubt is not None and told is not None:
            return told.sentence
        if told is None or told.chosen is None or not (told.explains and (verdict.solved or verdict.passed)):
            return " ".join([*([] if told is None else [told.sentence]), self.examined.verdict])
        if verdict.solved:
            return f"{told.sentence} The held-back data are where it leads."
        return f"{told.sentence} Nothing was held back that could confirm it."

    @property
    def missing(self) -> str:
        """What the verifier finds wanting, in words: the term that is missing, if one is."""
        return self.examined.verification.mismatch

    def report(self, path: str | Path = "report.html") -> Path:
        """Write one self-contained file: data, fit, residuals, constants, rivals, what to measure next.

        Raises:
            BadInputError: it cannot be written.
        """
        from physix.api.found.report import report_html

        target = Path(path)
        try:
            target.write_text(report_html(self), encoding="utf-8")
        except OSError as error:
            raise BadInputError(f"Cannot write {target}: {error.strerror}.") from error
        return target

    def save(self, log: str) -> str:
        """Append the episode to a log, so that the page can open it there; return its id.

        Raises:
            BadInputError: the URL names no log.
            StorageError: it cannot be written.
        """
        from physix.api.found.running import run_anywhere
        from physix.store import open_log

        async def append() -> str:
            async with open_log(log) as opened:
                have = len(await opened.read(self.episode_id))
                if new := [one.event for one in self.events[have:]]:
                    await opened.append(self.episode_id, new, expected_version=have)
            return self.episode_id

        return run_anywhere(append)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found as plain values, as `--json` prints it."""
        from physix.api.found.plain import plain

        return plain(self)

    @cached_property
    def _best(self) -> FoundLaw | None:
        found = self.examined
        if found.law is None or not found.curves:
            return None
        starts = found.verification.simulation.starts
        return FoundLaw(
            task=self.task,
            law=found.law,
            constants=found.constants,
            chi2=found.chi2,
            explains=found.verification.findings is not None and found.verification.findings.within_noise,
            start=starts[0] if starts else self.task.shown[0].states[0],
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from tables.renderables(self)

    def __repr__(self) -> str:
        return tables.as_text(self)

    def _repr_html_(self) -> str:
        return tables.as_html(self)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Found(Result):
    """What a search found: `Result`, with the laws that it weighed against each other."""

    @cached_property
    def front(self) -> list[FoundLaw]:
        """Of no two of these is one both plainer and nearer to the data; the plainest first."""
        return [] if self.discovery is None else self._laws(self.discovery.front)

    @cached_property
    def rivals(self) -> list[FoundLaw]:
        """Other laws that the data hardly tell from the best, the nearest first."""
        return [] if self.discovery is None else self._laws(self.discovery.rivals)

    def _laws(self, laws: Sequence[Any]) -> list[FoundLaw]:
        found = []
        for law in laws:
            parsed = parse(
                law.equation, law.params, self.task.variables, inputs=self.task.inputs, functions="extended"
            )
            if isinstance(parsed, ParsedHypothesis):
                found.append(
                    FoundLaw(
                        task=self.task,
                        law=parsed,
                        constants=law.constants,
                        chi2=law.chi2,
                        explains=law.explains,
                        start=self._best.start if self._best else self.task.shown[0].states[0],
                    )
                )
        return found
