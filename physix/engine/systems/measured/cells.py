"""One cell, and one column of cells, as numbers: decimals, thousands, dates, clock times, nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Literal

from physix.limits import MAX_CELL

Kind = Literal["number", "clock", "date", "word"]

_EXPONENT = r"(?:[eEdD][+-]?\d{1,4})?"
_PLAIN = {
    ".": re.compile(rf"[+-]?(?:\d+(?:\.\d*)?|\.\d+){_EXPONENT}", re.ASCII),
    ",": re.compile(rf"[+-]?(?:\d+(?:,\d+)?|,\d+){_EXPONENT}", re.ASCII),
}
_GROUPED = {
    ".": re.compile(rf"[+-]?\d{{1,3}}(?:[,'’ \u00a0\u202f]\d{{3}})+(?:\.\d*)?{_EXPONENT}", re.ASCII),
    ",": re.compile(rf"[+-]?\d{{1,3}}(?:[.'’ \u00a0\u202f]\d{{3}})+(?:,\d*)?{_EXPONENT}", re.ASCII),
}
_GROUPS = re.compile("['’ \u00a0\u202f]")
_WITH_UNIT = re.compile(r"([+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*([^\d\s.,+-][^\d\s]{0,7})", re.ASCII)
_MISSING = frozenset(
    [
        "",
        *"na n/a nan null none nil - -- --- #n/a #na #value! #div/0! #num! #ref!".split(),
        *"missing ? * . nd n.d. <na> nat".split(),
    ]
)
_OVER = frozenset(
    "inf +inf -inf infinity +infinity -infinity ol overload overflow 1.#inf -1.#inf 1.#qnan".split()
)
_CLOCK = re.compile(
    r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:[.,:]\d{1,9})?)\s*([ap]\.?m\.?)?", re.ASCII | re.IGNORECASE
)
_DATE = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})|(\d{1,2})([-/.])(\d{1,2})\5(\d{4}|\d{2})",
    re.ASCII,
)
_ZONE = re.compile(r"\s*(?:Z|UTC|([+-])(\d{2}):?(\d{2}))", re.ASCII)


def is_missing(cell: str) -> bool:
    """Return whether a cell says that there is no number."""
    return cell.strip().lower() in _MISSING


def is_over(cell: str) -> bool:
    """Return whether a cell says that the instrument was out of range, or holds no finite number."""
    return cell.strip().lower() in _OVER


def is_number(cell: str) -> bool:
    """Return whether a cell is a number in some locale."""
    text = cell.strip()
    return len(text) <= MAX_CELL and any(
        pattern.fullmatch(text) for pattern in (*_PLAIN.values(), *_GROUPED.values())
    )


def kind_of(cell: str) -> Kind:
    """Return what a cell that is not missing looks like; one that is too long is a word."""
    text = cell.strip()
    if len(text) > MAX_CELL:
        return "word"
    if is_number(text) or is_over(text):
        return "number"
    if _CLOCK.fullmatch(text):
        return "clock"
    return "date" if moment(text, day_first=True) is not None else "word"


def decimal_of(cells: Sequence[str], delimiter: str) -> str:
    """Return `,` where more of these cells have a decimal comma than a decimal point."""
    if delimiter == "," and not any("," in cell for cell in cells):
        return "."
    points = sum(bool("." in cell and _PLAIN["."].fullmatch(cell.strip())) for cell in cells)
    commas = sum(bool("," in cell and _PLAIN[","].fullmatch(cell.strip())) for cell in cells)
    return "," if commas > points else "."


def number_of(cell: str, decimal: str, *, grouped: bool) -> float | None:
    """Return the number in a cell; None where there is none. `grouped` allows thousands marks."""
    text = cell.strip()
    if len(text) > MAX_CELL:
        return None
    if _PLAIN[decimal].fullmatch(text) is None:
        if not grouped or _GROUPED[decimal].fullmatch(text) is None:
            return None
        text = _GROUPS.sub("", text.replace("," if decimal == "." else ".", ""))
    if decimal == ",":
        text = text.replace(",", ".")
    return float(text.replace("d", "e").replace("D", "e"))


def with_unit(cell: str) -> tuple[str, str] | None:
    """Return number and unit of a cell such as `12.5 cm`."""
    match = _WITH_UNIT.fullmatch(cell.strip()) if len(cell) <= MAX_CELL else None
    return None if match is None or not is_number(match[1]) else (match[1], match[2])


def clock_seconds(cell: str) -> float | None:
    """Return the seconds of a clock time: `19:00:01.5`, `7:05 pm`; `0:01.5` is minutes and seconds."""
    match = _CLOCK.fullmatch(cell.strip())
    if match is None:
        return None
    first, middle, last, half = match.groups()
    # A colon before the fraction is a camera's or a logger's way of writing it: 19:00:01:250.
    seconds = float(re.sub("[,:]", ".", last))
    if first is None and half is None and not re.search("[.,:]", last) and int(middle) < 24:
        return 3600.0 * int(middle) + 60.0 * seconds
    if first is None and half is not None:
        first, middle, seconds = middle, last, 0.0
    hours = int(first or 0)
    if half is not None:
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    return 3600.0 * hours + 60.0 * int(middle) + seconds


def moment(cell: str, *, day_first: bool) -> tuple[int, float] | None:
    """Return the days since year 1 and the seconds of a date, with or without a time of day.

    Two numbers, because one would lose the microseconds. None for anything else.
    """
    text = cell.strip()
    match = _DATE.match(text)
    if match is None:
        return None
    if match[1]:
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    else:
        first, second, year = int(match[4]), int(match[6]), int(match[7])
        year += 2000 if year < 100 else 0
        day, month = (first, second) if day_first else (second, first)
        if month > 12 >= day:
            day, month = month, day
    try:
        days = date(year, month, day).toordinal()
    except ValueError:
        return None
    rest = text[match.end() :].lstrip("T ,_")
    offset = 0.0
    zone = re.search(r"(?<=\d)" + _ZONE.pattern + "$", rest, re.ASCII)
    if zone is not None:
        rest = rest[: zone.start()]
        if zone[1]:
            offset = (1 if zone[1] == "+" else -1) * (3600.0 * int(zone[2]) + 60.0 * int(zone[3]))
    seconds = clock_seconds(rest) if rest else 0.0
    return None if seconds is None else (days, seconds - offset)
