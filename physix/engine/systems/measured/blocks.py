"""Runs side by side become runs one below the other, and a date beside a clock one time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from physix.engine.systems.measured.body import RawColumn
from physix.engine.systems.measured.names import is_time_name, plain, split_label
from physix.engine.systems.measured.table import Problem

_RUN_WORD = (
    "run|trial|data "
    "?set|dataset|versuch|messung|lauf|experiment|exp|test|drop|replicate|rep|series|serie|take|"
    "sample|ball|latest|essai|mesure|prueba|wurf|shot"
)
_PREFIX = re.compile(rf"^\s*((?:{_RUN_WORD})\s*[#_-]?\s*\d{{0,4}})\s*[:|_ -]\s*(\S.*)$", re.IGNORECASE)
_SUFFIX = re.compile(
    rf"^(.*\S)\s*[,_ (\[-]\s*((?:{_RUN_WORD})\s*[#_-]?\s*\d{{1,4}})\s*[)\]]?$", re.IGNORECASE
)
_WHOLE = re.compile(rf"^\s*(?:{_RUN_WORD})\b.*$", re.IGNORECASE)


def join_date_and_clock(columns: Sequence[RawColumn]) -> list[RawColumn]:
    """Return the columns with a date beside a time of day added up into one."""
    dates = [c for c in columns if c.date and not np.any(np.nan_to_num(c.values) % 86_400.0)]
    clocks = [c for c in columns if c.clock and not c.date]
    if len(dates) != 1 or len(clocks) != 1:
        return list(columns)
    date, clock = dates[0], clocks[0]
    # The clock was already carried past midnight: take it back to its day before the date is added.
    seconds = date.values + clock.values % 86_400.0
    joined = replace(clock, label=f"{date.label} {clock.label}".strip(), values=seconds, date=True)
    return [joined if c is clock else c for c in columns if c is not date]


def stack_runs(columns: Sequence[RawColumn]) -> tuple[list[RawColumn], list[Problem]]:
    """Return the columns with runs that stood side by side one below the other, in a column `run`.

    Side by side are names that end or begin with a run's (`Position (m) Run #2`, `Run 2: Time (s)`), and
    blocks of the same names that each begin with a time (`t, x, t, x` or `t1, x1, t2, x2`).
    """
    tagged = [_tag(column) for column in columns]
    tags = list(dict.fromkeys(tag for tag, _ in tagged if tag))
    if tags:
        by_tag = {tag: [column for own, column in tagged if own == tag] for tag in tags}
        shared = [column for own, column in tagged if not own]
        names = [[c.label for c in block] for block in by_tag.values()]
        if len(tags) >= 2 and all(name == names[0] for name in names) and (shared or len(names[0]) >= 2):
            return _stacked(shared, by_tag), [_said(len(tags), names[0], shared)]
        if len(tags) == 1:
            return [column for _, column in tagged], []
        return list(columns), []
    size = _period(columns)
    if size is None:
        return list(columns), []
    count = len(columns) // size
    if _bodies(columns, size):
        return [
            replace(c, label=f"{c.label} {columns[i - i % size + 1].group}" if i else c.label)
            for i, c in enumerate(columns)
            if not i or i % size  # one time for all
        ], []
    blocks: dict[str, list[RawColumn]] = {}
    for number in range(count):
        block = list(columns[number * size : (number + 1) * size])
        name = block[1].group or str(number + 1)
        blocks[name if name not in blocks else f"{name} ({number + 1})"] = [
            replace(column, label=first.label, unit=column.unit or first.unit)
            for column, first in zip(block, columns[:size], strict=True)
        ]
    labels = [column.label for column in columns[:size]]
    return _stacked([], blocks), [_said(count, labels, [])]


def _tag(column: RawColumn) -> tuple[str, RawColumn]:
    """Return the run that a column's name speaks of, and the column with the rest of its name."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", column.label)
    unit = column.label[len(bare) :]
    for pattern, run, rest in ((_PREFIX, 1, 2), (_SUFFIX, 2, 1)):
        match = pattern.match(column.label if pattern is _PREFIX or not unit else bare) or pattern.match(
            column.label
        )
        if match is not None:
            kept = match[rest].strip()
            tail = unit if pattern is _SUFFIX and not kept.endswith((")", "]")) else ""
            return " ".join(match[run].split()), replace(column, label=f"{kept}{tail}".strip())
    if column.group and _WHOLE.match(column.group):
        return column.group, column
    return "", column


def _period(columns: Sequence[RawColumn]) -> int | None:
    """Return the width of the block that repeats, if each block begins with a time."""
    names = [plain(split_label(column.label)[0]) for column in columns]
    if not columns or not is_time_name(columns[0].label):
        return None
    for size in range(2, len(columns) // 2 + 1):
        if len(columns) % size:
            continue
        blocks = [names[i : i + size] for i in range(0, len(names), size)]
        bare = [[re.sub(r"[ ._]*\d+$", "", name) for name in block] for block in blocks]
        if any(block != bare[0] for block in bare):
            continue
        if len(set(bare[0])) == size and all(
            is_time_name(columns[i].label) for i in range(0, len(names), size)
        ):
            return size
    return None


def _bodies(columns: Sequence[RawColumn], size: int) -> bool:
    """Return whether the blocks are bodies of one motion, as Tracker's masses: named, at the same times."""
    times, groups = columns[::size], [column.group for column in columns[1::size]]
    named = len(set(groups)) == len(groups) and all(groups)
    same = all(np.array_equal(c.values, times[0].values, equal_nan=True) for c in times)
    return named and same and not any(map(_WHOLE.match, groups))


def _stacked(shared: Sequence[RawColumn], blocks: dict[str, list[RawColumn]]) -> list[RawColumn]:
    parts: list[list[np.ndarray]] = []
    runs = []
    first = next(iter(blocks.values()))
    for number, block in enumerate(blocks.values()):
        columns = [*shared, *block]
        there = np.any([np.isfinite(column.values) for column in block], axis=0)
        parts.append([column.values[there] for column in columns])
        runs.append(np.full(int(there.sum()), float(number)))
    stacked = [
        replace(column, values=np.concatenate([part[index] for part in parts]), group="")
        for index, column in enumerate([*shared, *first])
    ]
    return [RawColumn(label="run", unit=None, values=np.concatenate(runs), words=tuple(blocks)), *stacked]


def _said(count: int, labels: Sequence[str], shared: Sequence[RawColumn]) -> Problem:
    names = ", ".join(label[:40] or "(no name)" for label in [*(c.label for c in shared), *labels][:6])
    return Problem(
        severity="note",
        message=f"{count} blocks with the columns {names} stand side by side: read as {count} runs of one "
        f"motion.",
    )
