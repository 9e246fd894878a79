"""A board as Markdown: the tables that docs/board.md holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from physix.training.board.files import Board
from physix.training.board.table import Row, differences, rows
from physix.training.intervals import Interval

_SHOWN = ("reconstructed", "generalised", "recovered", "form", "passed", "generalisation")


def markdown(board: Board) -> str:
    """Return the tables of a board with how they came about: one a suite, then the paired differences."""
    header = board.header
    cpu = sum(one.cpu_s or 0.0 for one in board.results)
    said = [
        f"`{header.command}`",
        "",
        f"Played {header.updated_at:%d %B %Y}, {len(board.counted)} of {header.plan.episodes} episodes, "
        f"{cpu:.0f} CPU seconds; "
        + ", ".join(f"{name} {version}" for name, version in header.versions.items())
        + ".",
    ]
    if header.ceiling:
        reconstructed, generalised, n = header.ceiling
        said += [
            "",
            f"Ceiling of the evaluator: ODEBench's own truths reconstruct {reconstructed} "
            f"and generalise {generalised} of {n}.",
        ]
    table = rows(board)
    for suite in dict.fromkeys(row.suite for row in table):
        said += ["", f"### `{suite}`", "", *_suite([row for row in table if row.suite == suite])]
    first = header.plan.policies[0]
    others = [
        one
        for one in differences(board, than=first)
        if one.metric in ("reconstructed", "generalised", "recovered")
    ]
    if others:
        cells = [
            (d.suite, _noise(d.noise), d.policy, d.metric, str(d.n), _interval(d.interval)) for d in others
        ]
        head = ("suite", "noise", "policy", "share", "n", f"minus `{first}`")
        said += ["", f"### Paired differences to `{first}`", "", *_lines(head, cells)]
    return "\n".join(said) + "\n"


def _suite(table: Sequence[Row]) -> list[str]:
    metrics = [name for name in _SHOWN if any(name in row.metrics for row in table)]
    head = (
        "noise",
        "policy",
        "n",
        *metrics,
        "turns",
        "CPU s, median and most",
        "not asked",
        "failed",
    )
    cells = [
        (
            _noise(row.noise),
            f"`{row.policy}`",
            str(row.n),
            *(_interval(row.metrics.get(name)) for name in metrics),
            _plain(row.metrics.get("turns")),
            "–" if row.cpu_median_s is None else f"{row.cpu_median_s:.2f}, {row.cpu_most_s or 0.0:.1f}",
            str(row.not_asked),
            str(row.failed),
        )
        for row in table
    ]
    return _lines(head, cells)


def _lines(head: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in cells)]


def _noise(level: float | None) -> str:
    return "own" if level is None else f"{level:g}"


def _interval(found: Interval | None) -> str:
    return "–" if found is None else str(found)


def _plain(found: Interval | None) -> str:
    return "–" if found is None or found.mean is None else f"{found.mean:.1f}"
