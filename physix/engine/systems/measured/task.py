"""A table with roles becomes a task without a known law."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from physix.engine.floats import FloatArray
from physix.engine.greek import TEX_GREEK
from physix.engine.systems.measured.agree import Run, warning
from physix.engine.systems.measured.choice import Choice, all_roles, choose
from physix.engine.systems.measured.read import read_table
from physix.engine.systems.measured.runs import Prepared, prepare_runs
from physix.engine.systems.measured.slopes import estimated_rate
from physix.engine.systems.measured.table import Column, Problem, Role, Roles, Table
from physix.engine.systems.measured.units import rate_unit
from physix.engine.systems.noise import estimate_noise, noise_of_run, sigma_of
from physix.engine.systems.record import hardly_moving
from physix.engine.systems.task import MEASURED, InputVariable, Noise, StateVariable, Task, Trajectory, Truth
from physix.errors import BadInputError, CsvError
from physix.limits import MAX_HINT, MAX_HOLD_BACK, MAX_STATES, MAX_TITLE, MIN_ROWS

HOLD_BACK = 0.25  # of the rows, or of the runs, unless said otherwise
HOLD_BACK_FROM = 40  # rows; fewer are needed to find a law at all
MIN_HELD_BACK = 3
_TOLD = 6  # problems spelled out in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTask:
    """A task, what is kept back, and all that was found and done on the way."""

    task: Task
    truth: Truth
    problems: tuple[Problem, ...]


def task_from_csv(
    source: bytes | str,
    *,
    hint: str,
    title: str = "",
    choice: Choice | None = None,
    noise: float | None = None,
    hold_back: float | None = None,
    held_back_csv: bytes | str | None = None,
) -> tuple[Task, Truth]:
    """Return a task that shows a file, read with the proposed roles and those of `choice`.

    Raises:
        CsvError: the file is no table of a motion; all problems in one message.
        BadInputError: hint, title, noise or share is out of range.
    """
    table = read_table(source)
    other = read_table(held_back_csv) if held_back_csv is not None else None
    roles = choose(table, choice or Choice())
    return task_from_table(
        table, roles, hint=hint, title=title, noise=noise, hold_back=hold_back, held_back=other
    )


def task_from_table(
    table: Table,
    roles: Roles | None = None,
    *,
    hint: str = "",
    title: str = "",
    noise: float | None = None,
    hold_back: float | None = None,
    held_back: Table | None = None,
) -> tuple[Task, Truth]:
    """Return `measured_task` without its problems."""
    made = measured_task(
        table, roles, hint=hint, title=title, noise=noise, hold_back=hold_back, held_back=held_back
    )
    return made.task, made.truth


def measured_task(
    table: Table,
    roles: Roles | None = None,
    *,
    hint: str = "",
    title: str = "",
    noise: float | None = None,
    hold_back: float | None = None,
    held_back: Table | None = None,
) -> MeasuredTask:
    """Return a task that shows the table, a truth that holds what is kept back, and what was done.

    Args:
        table: as `read_table` returns it.
        roles: of the columns, by name; a column not named keeps its proposed role.
        hint: what an onlooker would say; may be empty.
        title: shown above the episode; empty for "Your data".
        noise: standard deviation of the noise as a share of each variable's own, 0 to 1; None: from a
            sigma column where there is one, else estimated.
        hold_back: share kept for `generalisation`, 0 to 0.5: the last rows of a single run, else the
            last runs as a whole. None: a quarter from 40 rows on (nothing below, or with `held_back`).
        held_back: another table with the same columns, such as a second drop, kept likewise.

    Raises:
        CsvError: these roles make no motion; all problems in one message, each with what would be right.
        BadInputError: hint, title, noise or share is out of range.
    """
    _check_words("Hint", hint, MAX_HINT)
    _check_words("Title", title, MAX_TITLE)
    if noise is not None and not 0.0 <= noise <= 1.0:
        raise BadInputError(f"Noise {noise!r} is not allowed: use a number from 0 to 1.")
    if hold_back is not None and not 0.0 <= hold_back <= MAX_HOLD_BACK:
        raise BadInputError(f"hold_back {hold_back!r} is not allowed: use a share from 0 to {MAX_HOLD_BACK}.")
    chosen = all_roles(table, roles or {})
    prepared = prepare_runs(table.columns, chosen)
    problems = [*table.reading, *prepared.problems]
    _raise_errors(problems)
    variables = _variables(prepared)
    runs = [_trajectory(run, prepared, variables) for run in prepared.runs]
    shown, hidden = _held_back(runs, hold_back if hold_back is not None else _default_share(runs, held_back))
    if held_back is not None:
        hidden += _other_table(held_back, chosen, prepared, variables)
    noises = _noises(shown, variables, prepared)
    shown, hidden = (tuple(_with_sigma(one, noises) for one in part) for part in (shown, hidden))
    if noise is None and (len(runs) > 1 or held_back is not None):
        shown, hidden = (tuple(_with_own_noise(one, noises) for one in part) for part in (shown, hidden))
    task = Task(
        task_id=f"csv/{_digest(variables, shown, hidden)}",
        system_id=MEASURED,
        title=title.strip() or "Your data",
        tier=None,
        seed=None,
        variables=variables,
        time_unit=prepared.time_unit,
        shown=shown,
        noise=_level(shown, variables, noises) if noise is None else float(noise),
        hint=hint.strip(),
        inputs=tuple(_input(column) for column in prepared.inputs),
        measured=True,
        noises=noises if noise is None else (),
    )
    truth = Truth(equation=None, params={}, hidden=hidden)
    if plateau := hardly_moving(task, truth):
        problems.append(
            warning(
                f"What is held back of {', '.join(plateau)} hardly moves, so it confirms little of a law.",
                "Hold back another share or another run.",
            )
        )
    return MeasuredTask(task=task, truth=truth, problems=tuple(problems))


def review(table: Table, roles: Roles) -> tuple[tuple[Column, ...], tuple[Problem, ...]]:
    """Return the columns with these roles, and everything there is to say about them before anything runs."""
    chosen = all_roles(table, roles)
    columns = tuple(
        replace(c, role=chosen[c.name], why=c.why if chosen[c.name] == c.role else "as told")
        for c in table.columns
    )
    return columns, (*table.reading, *prepare_runs(table.columns, chosen).problems)


def _raise_errors(problems: Sequence[Problem]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if len(errors) == 1:
        raise CsvError(str(errors[0]))
    if errors:
        told = " ".join(f"({number}) {one}" for number, one in enumerate(errors[:_TOLD], start=1))
        more = f" And {len(errors) - _TOLD} more." if len(errors) > _TOLD else ""
        raise CsvError(f"{len(errors)} problems: {told}{more}")


def _check_words(what: str, words: str, limit: int) -> None:
    if len(words) > limit:
        raise BadInputError(f"{what} has {len(words)} characters; at most {limit} are allowed.")
    if any("\ud800" <= letter <= "\udfff" for letter in words):
        raise BadInputError(f"{what} contains half of a surrogate pair, which is no text.")


def _variables(prepared: Prepared) -> tuple[StateVariable, ...]:
    """Return the states of the file, then the estimated velocities."""
    names = {column.name for column in prepared.states} | {column.name for column in prepared.inputs}
    found = [
        StateVariable(
            name=column.name,
            unit=column.unit,
            symbol=_symbol(column.name, prepared.rates.get(column.name)),
            description=f"rate of change of {prepared.rates[column.name]}"
            if column.name in prepared.rates
            else f"column {column.label[:80]}",
            rate_of=prepared.rates.get(column.name),
            label=column.label if column.label != column.name else None,
        )
        for column in prepared.states
    ]
    for column in prepared.states:
        if prepared.orders.get(column.name) != 2:
            continue
        name = _velocity_name(column.name, names)
        names.add(name)
        found.append(
            StateVariable(
                name=name,
                unit=rate_unit(column.unit, prepared.time_unit),
                symbol=_symbol(name, column.name),
                description=f"rate of change of {column.name}, estimated from its samples",
                rate_of=column.name,
                estimated=True,
            )
        )
    if len(found) > MAX_STATES:
        raise CsvError(
            f"With estimated velocities there are {len(found)} states; at most {MAX_STATES} are allowed. "
            "Make some of them first order (--first-order COLUMN) or set them aside (--ignore COLUMN)."
        )
    return tuple(found)


def _velocity_name(position: str, taken: set[str]) -> str:
    candidates = (
        f"v{position}",
        f"v_{position}",
        f"{position}_dot",
        *(f"v{position}_{i}" for i in range(2, 99)),
    )
    return next(name for name in candidates if name not in taken)


def _noises(
    shown: Sequence[Trajectory], variables: Sequence[StateVariable], prepared: Prepared
) -> tuple[Noise, ...]:
    """Return the noise of each variable: as its file says, else estimated from what is shown."""
    noises = list(estimate_noise([_without_sigma(one) for one in shown]))
    for index, variable in enumerate(variables):
        if variable.name in prepared.sigmas:
            sizes = np.concatenate([np.array(one.sigma)[:, index] for one in shown])
            noises[index] = Noise(absolute=float(np.sqrt(np.mean(sizes**2))))
    return tuple(noises)


def _without_sigma(one: Trajectory) -> Trajectory:
    return replace(one, sigma=())


def _with_sigma(one: Trajectory, noises: Sequence[Noise]) -> Trajectory:
    """Return the trajectory with the estimated noise where its file gives none."""
    if not one.sigma:
        return one
    given = np.array(one.sigma)
    sigma = np.where(np.isnan(given).any(axis=0), sigma_of(np.array(one.states), noises), given)
    return replace(one, sigma=_rows(list(sigma.T)))


def _with_own_noise(one: Trajectory, noises: Sequence[Noise]) -> Trajectory:
    """Return a run with the noise of its own samples where it is clearly another than that of all runs.

    What is shown and what is held back are treated alike, and no law has a say in it.
    """
    if one.sigma:
        return one
    own = noise_of_run(one, noises)
    if own == tuple(noises):
        return one
    return replace(one, sigma=_rows(list(sigma_of(np.array(one.states), own).T)))


def _trajectory(run: Run, prepared: Prepared, variables: Sequence[StateVariable]) -> Trajectory:
    """Return a run as a trajectory; `sigma` is NaN where the file gives none for a variable."""
    columns: dict[str, FloatArray] = {}
    missing: list[tuple[int, int]] = []
    for index, variable in enumerate(variables):
        if variable.estimated and variable.rate_of is not None:
            columns[variable.name] = estimated_rate(run.t, columns[variable.rate_of])
            continue
        columns[variable.name], gaps = _filled(run.t, run.columns[variable.name])
        missing += [(row, index) for row in gaps]
    sigma: tuple[tuple[float, ...], ...] = ()
    if prepared.sigmas:
        unknown = np.full(len(run.t), np.nan)
        sigma = _rows(
            [
                run.columns[prepared.sigmas[v.name]] if v.name in prepared.sigmas else unknown
                for v in variables
            ]
        )
    inputs = [_filled(run.t, run.columns[column.name])[0] for column in prepared.inputs]
    return Trajectory(
        t=tuple(run.t.tolist()),
        states=_rows([columns[variable.name] for variable in variables]),
        inputs=_rows(inputs) if inputs else (),
        sigma=sigma,
        missing=tuple(sorted(missing)),
    )


def _filled(t: FloatArray, values: FloatArray) -> tuple[FloatArray, list[int]]:
    """Return the values with gaps bridged linearly (held at the ends), and the rows of the gaps."""
    there = np.isfinite(values)
    if there.all():
        return values, []
    if not there.any():
        return np.zeros_like(values), np.flatnonzero(~there).tolist()
    return np.interp(t, t[there], values[there]), np.flatnonzero(~there).tolist()


def _rows(columns: Sequence[FloatArray]) -> tuple[tuple[float, ...], ...]:
    return tuple(zip(*(column.tolist() for column in columns), strict=True))


def _default_share(runs: Sequence[Trajectory], held_back: Table | None) -> float:
    enough = sum(len(run.t) for run in runs) >= HOLD_BACK_FROM
    return HOLD_BACK if enough and held_back is None else 0.0


def _held_back(
    runs: Sequence[Trajectory], share: float
) -> tuple[tuple[Trajectory, ...], tuple[Trajectory, ...]]:
    """Return what is shown and what is hidden: whole runs where there are several, else the last rows."""
    if share == 0.0:
        return tuple(runs), ()
    if len(runs) > 1:
        count = max(1, round(share * len(runs)))
        return tuple(runs[:-count]), tuple(runs[-count:])
    (whole,) = runs
    rows = round(share * len(whole.t))
    shown = len(whole.t) - rows
    if shown < MIN_ROWS or rows < MIN_HELD_BACK:
        raise CsvError(
            f"Holding back {rows} rows leaves {shown}; at least {MIN_HELD_BACK} and {MIN_ROWS} are needed. "
            "Give another share, or a second file."
        )
    return (_part(whole, 0, shown),), (_part(whole, shown, len(whole.t)),)


def _part(whole: Trajectory, start: int, end: int) -> Trajectory:
    return Trajectory(
        t=whole.t[start:end],
        states=whole.states[start:end],
        inputs=whole.inputs[start:end],
        sigma=whole.sigma[start:end],
        missing=tuple((row - start, column) for row, column in whole.missing if start <= row < end),
    )


def _other_table(
    table: Table,
    roles: Roles,
    prepared: Prepared,
    variables: Sequence[StateVariable],
) -> tuple[Trajectory, ...]:
    """Return the runs of held-back data, which must have the columns and units of the first table."""
    lacking = [name for name, role in roles.items() if role.kind != "ignore" and name not in table.roles]
    if lacking:
        raise CsvError(
            f"The held-back data have no column {lacking[0]!r}; their columns are: "
            f"{', '.join(column.name for column in table.columns[:12])}."
        )
    known = {name: role for name, role in roles.items() if name in table.roles}
    rest = {name: role for name, role in table.roles.items() if name not in known}
    other = prepare_runs(table.columns, {**known, **_ignored(rest)})
    _raise_errors([*table.reading, *other.problems])
    units = [(c.name, c.unit) for c in (*prepared.states, *prepared.inputs)]
    if [
        (c.name, c.unit) for c in (*other.states, *other.inputs)
    ] != units or other.time_unit != prepared.time_unit:
        raise CsvError("The held-back data have other units than the first file: give both the same.")
    return tuple(_trajectory(run, other, variables) for run in other.runs)


def _ignored(roles: Roles) -> Roles:
    return {name: Role(kind="ignore") for name in roles}


def _level(shown: Sequence[Trajectory], variables: Sequence[StateVariable], noises: Sequence[Noise]) -> float:
    """Return the noise as one share of each variable's spread, a root mean square over what was measured."""
    states = np.concatenate([np.array(one.states) for one in shown])
    shares = []
    for variable, noise, column in zip(variables, noises, states.T, strict=True):
        spread = float(column.std())
        if not variable.estimated and spread > 0.0:
            size = np.mean(noise.absolute**2 + (noise.relative * column) ** 2)
            shares.append(float(size) / spread**2)
    return round(min(1.0, float(np.sqrt(np.mean(shares)))), 4) if shares else 0.0


def _digest(
    variables: Sequence[StateVariable], shown: Sequence[Trajectory], hidden: Sequence[Trajectory]
) -> str:
    digest = hashlib.sha256(repr([(v.name, v.unit, v.rate_of, v.estimated) for v in variables]).encode())
    for role, trajectories in (("shown", shown), ("hidden", hidden)):
        for one in trajectories:
            digest.update(role.encode())
            for numbers in (one.t, one.states, one.inputs, one.sigma, one.missing):
                digest.update(np.asarray(numbers, dtype=np.float64).tobytes())
    return digest.hexdigest()[:12]


def _input(column: Column) -> InputVariable:
    return InputVariable(
        name=column.name,
        unit=column.unit,
        symbol=_symbol(column.name, None),
        description=f"column {column.label[:80]}, given at every sample",
        label=column.label if column.label != column.name else None,
    )


def _symbol(name: str, rate_of: str | None) -> str:
    """Return LaTeX for a column; a velocity is a dotted position or a v with an index."""
    stem, number = _split_number(name)
    if rate_of is not None and stem == "v":
        return f"v_{{{number}}}" if number else "v"
    if rate_of is not None:
        position = _symbol(rate_of, None)
        return f"v_{{{position}}}" if name.startswith("v") else rf"\dot{{{position}}}"
    escaped = stem.replace("_", r"\_")
    plain = stem if len(stem) == 1 else rf"\mathrm{{{escaped}}}"
    base = rf"\{stem}" if stem in TEX_GREEK else plain
    return f"{base}_{{{number}}}" if number else base


def _split_number(name: str) -> tuple[str, str]:
    stem = name.rstrip("0123456789")
    return stem.rstrip("_") or stem, name[len(stem) :]
