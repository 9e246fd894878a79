"""Columns with roles become runs of samples in consistent units; whatever is doubtful is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.systems.measured.agree import (
    Run,
    check_angles,
    check_rates,
    epoch,
    error,
    match_rates,
    match_sigmas,
    note,
    radians,
    stated,
    warning,
)
from physix.engine.systems.measured.clock import average_equal, from_zero, on_grid, runs_of
from physix.engine.systems.measured.table import Column, Problem, Roles
from physix.engine.systems.measured.thin import thinned
from physix.limits import (
    MAX_INPUTS,
    MAX_MAGNITUDE,
    MAX_ROWS,
    MAX_RUNS,
    MAX_STATES,
    MIN_ROWS,
    MIN_RUN_ROWS,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Measured data ready to become a task.

    Attributes:
        states: columns in the order of the file, positions and rates among them, units settled.
        orders: by state: 1, or 2 where its velocity is to be estimated; a state with a rate has neither.
        rates: rate column to position.
        sigmas: state to the column with its standard deviation.
        problems: what was found and done; an error among them means that no task can come of it.
    """

    runs: tuple[Run, ...]
    time_unit: str | None
    states: tuple[Column, ...]
    inputs: tuple[Column, ...]
    orders: Mapping[str, int]
    rates: Mapping[str, str]
    sigmas: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        """Return what keeps these data from becoming a task."""
        return [problem for problem in self.problems if problem.severity == "error"]


def prepare_runs(columns: Sequence[Column], roles: Roles) -> Prepared:
    """Return the runs that these roles make of the columns, and all there is to say about them."""
    said: list[Problem] = []
    _check_roles(columns, roles, said)
    chosen = {
        name: [c for c in columns if roles[c.name].kind == name] for name in ("time", "run", "input", "sigma")
    }
    states = [c for c in columns if roles[c.name].kind in ("state", "rate")]
    rates = {c.name: roles[c.name].of or "" for c in columns if roles[c.name].kind == "rate"}
    blank = Prepared(
        runs=(), time_unit=None, states=(), inputs=(), orders={}, rates={}, sigmas={}, problems=tuple(said)
    )
    if any(problem.severity == "error" for problem in said):
        return blank
    time = stated(chosen["time"][0], roles)
    settled = {c.name: stated(c, roles) for c in [*states, *chosen["input"], *chosen["sigma"]]}
    time = epoch(time, said)
    for name in list(settled):
        settled[name] = radians(settled[name], said)
    match_rates(settled, rates, time.unit, said)
    sigmas = {roles[c.name].of or "": c.name for c in chosen["sigma"]}
    match_sigmas(settled, sigmas, said)
    group = chosen["run"][0] if chosen["run"] else None
    runs = _cut(time, group, settled, [c.name for c in states], said)
    check_rates(runs, rates, time, said)
    check_angles([settled[c.name] for c in states], said)
    runs = _thin(runs, set(sigmas.values()), said)
    rated = set(rates.values())
    return Prepared(
        runs=tuple(runs),
        time_unit=time.unit,
        states=tuple(settled[c.name] for c in states),
        inputs=tuple(settled[c.name] for c in chosen["input"]),
        orders={
            c.name: roles[c.name].order or 1 for c in states if c.name not in rated and c.name not in rates
        },
        rates=rates,
        sigmas=sigmas,
        problems=tuple(said),
    )


def _check_roles(columns: Sequence[Column], roles: Roles, said: list[Problem]) -> None:
    by_name = {c.name: c for c in columns}
    kinds = {
        kind: [c.name for c in columns if roles[c.name].kind == kind]
        for kind in ("time", "run", "state", "rate", "input")
    }
    names = ", ".join(c.name for c in columns[:12])
    if len(kinds["time"]) != 1:
        what = (
            "No column was recognised as the time"
            if not kinds["time"]
            else "Several columns are called the time"
        )
        said.append(error(f"{what}; the columns are: {names}.", "Name one: --time COLUMN, or role `time`."))
    if len(kinds["run"]) > 1:
        said.append(error(f"Only one column can tell the runs apart, not {', '.join(kinds['run'])}."))
    count = len(kinds["state"]) + len(kinds["rate"])
    if not kinds["state"]:
        said.append(error(f"There is nothing to predict: no column is a state. The columns are: {names}."))
    if count > MAX_STATES:
        said.append(
            error(
                f"{count} columns are states ({', '.join([*kinds['state'], *kinds['rate']][:10])} …); "
                f"at most {MAX_STATES} are allowed.",
                "Set aside what the law is not about: --ignore COLUMN, or role `ignore`.",
            )
        )
    if len(kinds["input"]) > MAX_INPUTS:
        said.append(error(f"{len(kinds['input'])} columns are inputs; at most {MAX_INPUTS} are allowed."))
    owners: dict[tuple[str, str], str] = {}
    for name, role in roles.items():
        if role.kind not in ("rate", "sigma") or name not in by_name:
            continue
        owner = roles.get(role.of or "")
        allowed = ("state",) if role.kind == "rate" else ("state", "rate")
        if owner is None or owner.kind not in allowed or role.of == name:
            what = "the rate" if role.kind == "rate" else "the uncertainty"
            said.append(
                error(f"Column {name!r} cannot be {what} of {role.of!r}, which is no state.", "", name)
            )
        elif (role.kind, role.of or "") in owners:
            first = owners[(role.kind, role.of or "")]
            said.append(
                error(
                    f"Columns {first!r} and {name!r} both count as the {role.kind} of {role.of!r}.",
                    f"Set one aside: --ignore {name}.",
                    name,
                )
            )
        owners.setdefault((role.kind, role.of or ""), name)
    for name in [*kinds["state"], *kinds["rate"], *kinds["input"]]:
        if name == "t":
            said.append(
                error("The column t can be nothing but the time: t means the time in an equation.", "", name)
            )
    for name in [*kinds["time"], *kinds["state"], *kinds["rate"], *kinds["input"]]:
        if by_name[name].words:
            said.append(error(f"Column {name!r} holds words, no numbers.", f"Use --ignore {name}.", name))


def _cut(
    time: Column,
    group: Column | None,
    settled: Mapping[str, Column],
    states: Sequence[str],
    said: list[Problem],
) -> list[Run]:
    """Return the runs with clean times; say which rows and runs were left out."""
    t = time.values
    cuts = runs_of(t, group.values if group is not None else None, said.append)
    counts: dict[str, int] = {}
    runs: list[Run] = []
    for number, rows in enumerate(cuts):
        there = np.any([np.isfinite(settled[name].values[rows]) for name in states], axis=0)
        counts["empty"] = counts.get("empty", 0) + int((~there).sum())
        if there.sum() < MIN_RUN_ROWS:
            counts["short"] = counts.get("short", 0) + 1
            continue
        # The grid is that of all rows: those without a state are no gaps in it.
        stamps = _stamps(t[rows], clock=time.clock, counts=counts)[there]
        rows = rows[there]
        run = _run(stamps, {name: c.values[rows] for name, c in settled.items()}, counts=counts)
        if len(run.t) < MIN_RUN_ROWS:
            counts["short"] = counts.get("short", 0) + 1
            continue
        runs.append(replace(run, label=_run_label(group, rows, number)))
    _say_counts(counts, time, said)
    total = sum(len(run.t) for run in runs)
    if total < MIN_ROWS:
        said.append(
            error(
                f"There are {total} usable rows; at least {MIN_ROWS} are needed"
                + (f", {MIN_RUN_ROWS} of them in every run." if group is not None else ".")
            )
        )
        return []
    if len(runs) > MAX_RUNS:
        said.append(error(f"There are {len(runs)} runs; at most {MAX_RUNS} are read."))
        return []
    for name in [*settled]:
        if max(float(np.nanmax(np.abs(run.columns[name]), initial=0.0)) for run in runs) > MAX_MAGNITUDE:
            said.append(
                error(
                    f"{name} goes beyond ±{MAX_MAGNITUDE:g}.",
                    "Use a larger unit, or set the column aside.",
                    name,
                )
            )
    if max(abs(float(run.t[-1])) for run in runs) > MAX_MAGNITUDE:
        said.append(error(f"The time goes beyond {MAX_MAGNITUDE:g}.", "Use a larger unit of time."))
    return runs


def _stamps(t: FloatArray, *, clock: bool, counts: dict[str, int]) -> FloatArray:
    t, moved = from_zero(t, clock=clock)
    counts["moved"] = counts.get("moved", 0) + moved
    grid = on_grid(t)
    counts["grid"] = counts.get("grid", 0) + (grid is not None)
    return t if grid is None else grid


def _run(t: FloatArray, columns: dict[str, FloatArray], *, counts: dict[str, int]) -> Run:
    repeated = int((np.diff(t) == 0.0).sum())
    if repeated:
        counts["repeated"] = counts.get("repeated", 0) + repeated
        t, means = average_equal(t, list(columns.values()))
        columns = dict(zip(columns, means, strict=True))
    return Run(label="", t=t, columns=columns)


def _run_label(group: Column | None, rows: np.ndarray, number: int) -> str:
    if group is None:
        return str(number + 1)
    code = group.values[rows[0]]
    return group.words[int(code)] if group.words else f"{code:g}"


def _say_counts(counts: Mapping[str, int], time: Column, said: list[Problem]) -> None:
    if counts.get("empty"):
        said.append(note(f"{counts['empty']} rows hold no state and were left out."))
    if counts.get("short"):
        said.append(
            warning(f"Runs with fewer than {MIN_RUN_ROWS} usable rows were left out: {counts['short']}.")
        )
    if counts.get("moved"):
        said.append(
            note(
                f"The time counts from the first row of each run on: {time.label!r} starts far from zero.",
                time.name,
            )
        )
    if counts.get("grid"):
        said.append(
            warning(
                f"{time.label!r} was rounded to few digits; the samples are evenly spaced within that, and "
                f"their "
                "times were put back on the even grid.",
                "",
                time.name,
            )
        )
    if counts.get("repeated"):
        said.append(
            warning(
                f"{counts['repeated']} rows repeat the time before them; rows of one time were averaged.",
                "",
                time.name,
            )
        )


def _thin(runs: list[Run], sigmas: set[str], said: list[Problem]) -> list[Run]:
    total = sum(len(run.t) for run in runs)
    factor = -(-total // MAX_ROWS)
    if factor <= 1:
        return runs
    thin = [_thin_run(run, factor, sigmas) for run in runs]
    kept = [run for run in thin if len(run.t) >= MIN_RUN_ROWS]
    said.append(
        note(
            f"{total} rows were thinned to {sum(len(run.t) for run in kept)}: every {factor}th time, "
            f"low-passed "
            f"over {3 * factor} samples so that nothing aliases."
        )
    )
    return kept


def _thin_run(run: Run, factor: int, sigmas: set[str]) -> Run:
    names = list(run.columns)
    if len(run.t) < 4 * factor + MIN_RUN_ROWS * factor:
        every = slice(None, None, factor)
        return Run(label=run.label, t=run.t[every], columns={n: run.columns[n][every] for n in names})
    t, columns, gain = thinned(run.t, [run.columns[n] for n in names], factor)
    found = dict(zip(names, columns, strict=True))
    for name in sigmas & found.keys():
        found[name] = found[name] * gain
    return Run(label=run.label, t=t, columns=found)
