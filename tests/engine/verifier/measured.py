"""Tables of measurements as an importer makes them, from motions whose law is known."""

from collections.abc import Sequence

from physix.engine.floats import FloatArray
from physix.engine.systems.task import InputVariable, Noise, StateVariable, Task, Trajectory, Truth


def variables(
    names: str, *, rates: dict[str, str] | None = None, estimated: str = ""
) -> tuple[StateVariable, ...]:
    """Return state variables without units: `variables("x v", rates={"v": "x"})`."""
    return tuple(
        StateVariable(
            name=name,
            unit=None,
            symbol=name,
            description="",
            rate_of=(rates or {}).get(name),
            estimated=name in estimated.split(),
        )
        for name in names.split()
    )


def trajectory(
    t: FloatArray,
    states: FloatArray,
    *,
    inputs: FloatArray | None = None,
    missing: Sequence[tuple[int, int]] = (),
) -> Trajectory:
    return Trajectory(
        t=tuple(t.tolist()),
        states=tuple(map(tuple, states.tolist())),
        inputs=() if inputs is None else tuple(map(tuple, inputs.tolist())),
        missing=tuple(missing),
    )


def table(
    names: tuple[StateVariable, ...],
    t: FloatArray,
    states: FloatArray,
    *,
    noises: Sequence[Noise] = (),
    hold_back: float = 0.0,
    inputs: FloatArray | None = None,
    missing: Sequence[tuple[int, int]] = (),
) -> tuple[Task, Truth]:
    """Return a measured task and its truth: `states` has shape (T, D), the last share is held back."""
    shown = len(t) - round(hold_back * len(t))
    parts = [
        trajectory(
            t[rows],
            states[rows],
            inputs=None if inputs is None else inputs[rows],
            missing=[(r - rows.start, c) for r, c in missing if rows.start <= r < rows.stop],
        )
        for rows in (slice(0, shown), slice(shown, len(t)))
        if rows.start < rows.stop
    ]
    task = Task(
        task_id="csv/x",
        system_id="csv",
        title="",
        tier=None,
        seed=None,
        variables=names,
        time_unit=None,
        shown=(parts[0],),
        noise=0.0,
        hint="",
        inputs=()
        if inputs is None
        else tuple(
            InputVariable(name=f"u{i}" if i else "u", unit=None, symbol="u", description="")
            for i in range(inputs.shape[1])
        ),
        measured=True,
        noises=tuple(noises) or tuple(Noise(absolute=0.0) for _ in names),
    )
    return task, Truth(equation=None, params={}, hidden=tuple(parts[1:]))


def scaled(made: tuple[Task, Truth], time: float, factors: Sequence[float]) -> tuple[Task, Truth]:
    """Return the same measurements in other units."""
    from dataclasses import replace

    task, truth = made

    def one(x: Trajectory) -> Trajectory:
        return replace(
            x,
            t=tuple(time * t for t in x.t),
            states=tuple(tuple(f * v for f, v in zip(factors, row, strict=True)) for row in x.states),
        )

    noises = tuple(
        Noise(absolute=f * n.absolute, relative=n.relative) for f, n in zip(factors, task.noises, strict=True)
    )
    return (
        replace(task, shown=tuple(map(one, task.shown)), noises=noises),
        replace(truth, hidden=tuple(map(one, truth.hidden))),
    )
