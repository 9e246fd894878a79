"""The table of a board: each policy on each suite at each noise level, with intervals and paired differences.

What a policy cannot be asked, or failed to answer, counts in every share as not solved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from physix.training.board.files import Board
from physix.training.board.play import Result
from physix.training.board.suites import NOTHING_HELD_BACK
from physix.training.intervals import (
    Interval,
    mean_difference,
    mean_interval,
    share_difference,
    share_interval,
)

SHARES: dict[str, Callable[[Result], bool | None]] = {
    "solved": lambda one: None if one.suite in NOTHING_HELD_BACK else one.solved,
    "passed": lambda one: one.passed,
    "reconstructed": lambda one: one.reconstructed,
    "generalised": lambda one: one.generalised,
    "recovered": lambda one: one.recovered,
    "form": lambda one: one.form,
}
MEANS: dict[str, Callable[[Result], float | None]] = {
    "match": lambda one: one.match,
    "generalisation": lambda one: one.generalisation,
    "turns": lambda one: float(one.turns) if one.status == "played" else None,
    "cpu_s": lambda one: one.cpu_s,
}
METRICS = (*SHARES, *MEANS)
TELL_OF_TRUTH = ("reconstructed", "generalised", "recovered", "form", "generalisation")
_PAIRED = ("solved", "reconstructed", "generalised", "recovered", "form", "match", "generalisation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy on one suite at one noise level.

    Attributes:
        n: episodes that count, `not_asked` among them.
        metrics: name to interval; a metric that the suite does not have is left out.
        failed: episodes that ended because the policy failed.
        errors: broken workers and servers; they are in no number here.
    """

    policy: str
    suite: str
    noise: float | None
    n: int
    not_asked: int
    failed: int
    parse_failures: int
    errors: int
    cpu_median_s: float | None
    cpu_most_s: float | None
    metrics: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better a policy is than another on the very same tasks."""

    policy: str
    than: str
    suite: str
    noise: float | None
    metric: str
    n: int
    interval: Interval


def rows(board: Board, policies: Sequence[str] | None = None) -> list[Row]:
    """Return the table, in the order of the plan."""
    plan = board.header.plan
    return [
        _row(policy, suite, noise, own)
        for suite, noise in groups(board.results)
        for policy in policies or plan.policies
        if (own := _of(board.results, policy, suite, noise))
    ]


def by_system(board: Board) -> list[Row]:
    """Return the rows of suite `builtin` system by system, each with `suite` `builtin:SYSTEM`."""
    own = [replace(one, suite=f"builtin:{one.case}") for one in board.results if one.suite == "builtin"]
    return rows(replace(board, results=tuple(own)))


def groups(results: Iterable[Result]) -> list[tuple[str, float | None]]:
    """Return suites and noise levels in the order in which they occur, levels rising."""
    found = dict.fromkeys((one.suite, one.noise) for one in results)
    suites = list(dict.fromkeys(suite for suite, _ in found))
    return sorted(found, key=lambda pair: (suites.index(pair[0]), -1.0 if pair[1] is None else pair[1]))


def differences(board: Board, *, than: str) -> list[Difference]:
    """Return how every other policy differs from one, on the tasks that both have played."""
    found = []
    for suite, noise in groups(board.results):
        base = {_task(one): one for one in _of(board.counted, than, suite, noise)}
        for policy in board.header.plan.policies:
            own = {_task(one): one for one in _of(board.counted, policy, suite, noise)}
            both = [key for key in own if key in base]
            if policy == than or not both:
                continue
            pairs = [(own[key], base[key]) for key in both]
            for metric in _PAIRED:
                interval = _difference(metric, pairs)
                if interval is not None:
                    found.append(
                        Difference(
                            policy=policy,
                            than=than,
                            suite=suite,
                            noise=noise,
                            metric=metric,
                            n=len(pairs),
                            interval=interval,
                        )
                    )
    return found


def _difference(metric: str, pairs: Sequence[tuple[Result, Result]]) -> Interval | None:
    if metric in SHARES:
        told = [(SHARES[metric](a), SHARES[metric](b)) for a, b in pairs]
        flags = [(a, b) for a, b in told if a is not None and b is not None]
        return share_difference([a for a, _ in flags], [b for _, b in flags]) if flags else None
    values = [(MEANS[metric](a), MEANS[metric](b)) for a, b in pairs]
    both = [(a, b) for a, b in values if a is not None and b is not None]
    return mean_difference([a for a, _ in both], [b for _, b in both]) if both else None


def _row(policy: str, suite: str, noise: float | None, own: Sequence[Result]) -> Row:
    counted = [one for one in own if one.status != "error"]
    metrics = {}
    for name, flag in SHARES.items():
        flags = [told for one in counted if (told := flag(one)) is not None]
        if flags:
            metrics[name] = share_interval(flags)
    for name, number in MEANS.items():
        values = [value for one in counted if (value := number(one)) is not None]
        if values:
            metrics[name] = mean_interval(values)
    cpu = [one.cpu_s for one in counted if one.cpu_s is not None]
    return Row(
        policy=policy,
        suite=suite,
        noise=noise,
        n=len(counted),
        not_asked=sum(one.status == "not_asked" for one in counted),
        failed=sum(one.reason == "policy_failed" for one in counted),
        parse_failures=sum(one.parse_failures for one in counted),
        errors=len(own) - len(counted),
        cpu_median_s=median(cpu) if cpu else None,
        cpu_most_s=max(cpu, default=None),
        metrics=metrics,
    )


def _of(results: Iterable[Result], policy: str, suite: str, noise: float | None) -> list[Result]:
    return [one for one in results if (one.policy, one.suite, one.noise) == (policy, suite, noise)]


def _task(one: Result) -> tuple[str, int, int]:
    return one.case, one.seed, one.repetition
