"""What a board plays: problems named by plain values, drawn where they are played.

| suite | problems | noise | seed |
|---|---|---|---|
| `odebench` | the 63 published laws, by their own protocol | multiplicative | of the noise |
| `builtin` | the eight systems; no training draws these tasks | as sampled | of the task |
| `validation`, `test` | the evaluation splits | their own | index in the split |
| `real` | measured files that ship with the package | their own | – |

`odebench:07` or `builtin:damped_spring` is one part of a suite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.measured import measured_task, read_table
from physix.engine.systems.splits import EVALUATION_SEEDS, count, draw, split_task
from physix.engine.systems.task import Task, Truth
from physix.errors import BadInputError
from physix.limits import MAX_NOISE, PUBLIC_SALT
from physix.training.board.odebench import ode_task
from physix.training.suites import odebench

_FIRST_SEED = EVALUATION_SEEDS.start + 800_000  # beside those of reports and of what is watched in training
_MOST_NOISE = 0.5
SUITES = {
    "odebench": "63 published laws of one to four variables (ODEBench, ICLR 2024), by their protocol",
    "builtin": "the eight systems, tasks that no training draws",
    "validation": "the evaluation split of the six training systems",
    "test": "the evaluation split of the two held-out systems",
    "real": "measured files: five balls dropped twice, hares and lynxes",
}
# A law of theirs can fit what was shown; solved is a word for what was held back.
NOTHING_HELD_BACK = frozenset({"odebench"})
SPLITS = ("validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The address of one task; the same address is the same task everywhere.

    Attributes:
        noise: None: the task's own.
        drop: share of the samples left out (ODEBench).
    """

    suite: str
    case: str
    seed: int = 0
    noise: float | None = None
    drop: float = 0.0

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.suite}/{self.case}/{self.seed}/{self.noise}/{self.drop}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A problem, drawn.

    Attributes:
        truth: what its episode is judged by.
        judged: what the law is compared with afterwards: the clean motion shown, then others; None: nobody
            knows the law.
    """

    task: Task
    truth: Truth
    judged: Truth | None


def problems(
    suite: str, seeds: Sequence[int], noises: Sequence[float | None], drop: float = 0.0
) -> tuple[Problem, ...]:
    """Return the problems of a suite, or of a part of one.

    Seeds and noise levels that a suite has no use for are passed over, so that nothing is played twice.

    Raises:
        BadInputError: no such suite or part, or a noise or seed that it cannot have.
    """
    name, _, part = suite.partition(":")
    if name not in _EXPAND:
        raise BadInputError(f"Unknown suite {suite[:60]!r}. Suites: {', '.join(SUITES)}.")
    if any(seed < 0 for seed in seeds) or not seeds or not noises:
        raise BadInputError("Give at least one noise level, and seeds of 0 or more.")
    if not 0.0 <= drop <= 0.9:
        raise BadInputError(f"A share of {drop} of the samples cannot be left out: give 0 to 0.9.")
    return _EXPAND[name](part, seeds, noises, drop)


def _of_odebench(
    part: str, seeds: Sequence[int], noises: Sequence[float | None], drop: float
) -> tuple[Problem, ...]:
    cases = [case.id for case in odebench().cases]
    chosen = _part("odebench", part, {case.removeprefix("odebench-"): case for case in cases})
    levels = [level or 0.0 for level in noises]
    if bad := [level for level in levels if not 0.0 <= level <= _MOST_NOISE]:
        raise BadInputError(f"Noise {bad[0]} is not from 0 to {_MOST_NOISE}.")
    return tuple(
        # Without noise nothing is random: another seed would be the same task.
        Problem(suite="odebench", case=case, seed=seed, noise=level, drop=drop)
        for level in dict.fromkeys(levels)
        for seed in (seeds if level or drop else seeds[:1])
        for case in chosen
    )


def _of_builtin(
    part: str, seeds: Sequence[int], noises: Sequence[float | None], _drop: float
) -> tuple[Problem, ...]:
    chosen = _part("builtin", part, {name: name for name in SYSTEMS})
    if bad := [level for level in noises if level is not None and not 0.0 <= level <= MAX_NOISE]:
        raise BadInputError(f"Noise {bad[0]} is not from 0 to {MAX_NOISE}, as the systems allow.")
    return tuple(
        Problem(suite="builtin", case=case, seed=seed, noise=level)
        for level in dict.fromkeys(noises)
        for seed in seeds
        for case in chosen
    )


def _of_split(split: str) -> Callable[..., tuple[Problem, ...]]:
    def expand(
        part: str, seeds: Sequence[int], _noises: Sequence[float | None], _drop: float
    ) -> tuple[Problem, ...]:
        if part:
            raise BadInputError(
                f"Suite {split} has no parts; its seeds are indexes: 0 to {count(split) - 1}."
            )
        for index in seeds:
            draw(split, index)  # raises what a reader can put right
        return tuple(Problem(suite=split, case=str(index), seed=index) for index in seeds)

    return expand


def _of_real(
    part: str, _seeds: Sequence[int], _noises: Sequence[float | None], _drop: float
) -> tuple[Problem, ...]:
    folder = files("physix.training.suites") / "real"
    names = sorted(one.name.removesuffix(".csv") for one in folder.iterdir() if one.name.endswith(".csv"))
    return tuple(Problem(suite="real", case=name) for name in _part("real", part, {n: n for n in names}))


_EXPAND: dict[str, Callable[[str, Sequence[int], Sequence[float | None], float], tuple[Problem, ...]]] = {
    "odebench": _of_odebench,
    "builtin": _of_builtin,
    "validation": _of_split("validation"),
    "test": _of_split("test"),
    "real": _of_real,
}


def _part(suite: str, part: str, known: dict[str, str]) -> list[str]:
    if not part:
        return list(known.values())
    if part not in known:
        raise BadInputError(f"Suite {suite} has no part {part[:60]!r}; parts: {', '.join(known)}.")
    return [known[part]]


def pose(problem: Problem, *, salt: str = PUBLIC_SALT) -> Posed:
    """Return the task behind an address.

    Raises:
        BadInputError: there is none.
    """
    match problem.suite:
        case "odebench":
            case = next((one for one in odebench().cases if one.id == problem.case), None)
            if case is None:
                raise BadInputError(f"ODEBench has no law {problem.case[:40]!r}.")
            task, judged = ode_task(case, problem.noise or 0.0, problem.drop, problem.seed)
            return Posed(task=task, truth=Truth(equation=None, params={}, hidden=()), judged=judged)
        case "builtin":
            seed = _FIRST_SEED + problem.seed
            return _sampled(*sample_task(problem.case, seed, noise=problem.noise), problem.case, seed)
        case "validation" | "test":
            drawn = draw(problem.suite, problem.seed, salt=salt)
            task, truth = split_task(problem.suite, problem.seed, salt=salt)
            return _sampled(task, truth, drawn.system_id, drawn.seed)
        case "real":
            path = files("physix.training.suites") / "real" / f"{problem.case}.csv"
            made = measured_task(read_table(path.read_bytes()), title=problem.case.replace("_", " "))
            return Posed(task=made.task, truth=made.truth, judged=None)
    raise BadInputError(f"Unknown suite {problem.suite[:60]!r}. Suites: {', '.join(SUITES)}.")


def _sampled(task: Task, truth: Truth, system_id: str, seed: int) -> Posed:
    clean = sample_task(system_id, seed, noise=0.0)[0].shown[:1]
    judged = replace(truth, hidden=(*clean, *truth.hidden))
    return Posed(task=task, truth=truth, judged=judged)
