"""Headers of any kind as legal names, with the unit that was written into them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from physix.engine.greek import GREEK, GREEK_VARIANTS
from physix.engine.systems.measured.units import measures, parse_unit
from physix.limits import MAX_HEADER_NAME, MAX_UNIT, RESERVED_WORDS

_LETTERS = GREEK | GREEK_VARIANTS
_FOLD = {
    "ß": "ss",
    "ø": "o",
    "Ø": "O",
    "æ": "ae",
    "đ": "d",
    "ł": "l",
    "ı": "i",
    "µ": "mu",
    "∆": "Delta",
    "°": "deg",
    "%": "percent",
}
# What an equation or a model's reply reads as something else.
RESERVED = RESERVED_WORDS | frozenset("dt dt2 e asin acos arctan ln log10 sgn pow".split())
_BRACKETED = re.compile(
    r"^(.*?)[\s_/,:-]*[(\[{<]\s*([^()\[\]{}<>]{0,32}|[^()\[\]]*\([^()]*\)[^()\[\]]*)\s*[)\]}>]\s*(.*)$"
)
_DERIVATIVE = re.compile(r"^\s*d(2?)\s*\(?([A-Za-z]\w*)\)?\s*/\s*d\s*t(?:2|\^2)?\s*$")
TIME_NAMES = frozenset(
    "t time times ts tm timestamp timestamps zeit tiempo temps tempo tijd tid czas cas aika sec secs "
    "second seconds ms "
    "elapsed elapsedtime millis micros milliseconds microseconds nanoseconds datetime date clock epoch "
    "unixtime utc "
    "minute minutes hour hours day days week weeks month months year years yr jahr tag tage "
    "время 时间 時間".split()
)
_TIME_WORDS = frozenset(
    "time timestamp zeit tiempo temps tempo elapsed clock epoch datetime millis seconds время".split()
)
_NAME_UNITS = {
    **dict.fromkeys("millis milliseconds".split(), "ms"),
    **dict.fromkeys("micros microseconds".split(), "us"),
    **dict.fromkeys("sec secs second seconds".split(), "s"),
    **dict.fromkeys("minute minutes".split(), "min"),
    **dict.fromkeys("hour hours".split(), "h"),
    **dict.fromkeys("day days tag tage".split(), "d"),
    **dict.fromkeys("year years yr jahr".split(), "yr"),
    **dict.fromkeys("week weeks".split(), "week"),
    **dict.fromkeys("month months".split(), "month"),
}
# After an underscore only these are units: `x_min` and `v_in` are no minute and no inch.
_SUFFIXES = frozenset(
    "ms us ns sec secs seconds mm cm km um deg degrees rad kg mV kV mA kHz Hz degC mps px".split()
)
_TIME_SUFFIXES = frozenset("s h min d hr hours minutes days".split())
_LETTER_SUFFIXES = {
    "m": frozenset(
        "x y z h s r pos position height altitude distance displacement elevation depth level".split()
    ),
    "V": frozenset("u v voltage spannung ch1 ch2 emf".split()),
    "A": frozenset("i current strom".split()),
    "N": frozenset("f force kraft".split()),
    "C": frozenset("t temp temperature".split()),
    "K": frozenset("t temp temperature".split()),
}


def plain(label: str) -> str:
    """Return a label for comparing: lower case, words apart, without accents."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _fold(label))
    return " ".join(re.findall(r"[^\W_]+", spaced.lower()))


def is_time_name(label: str) -> bool:
    """Return whether a label means a time: `t`, `Time`, `ts`, `t_min`, `Elapsed time`, `Zeit`, `t1`."""
    if label.strip() == "T":
        return False  # a temperature or a period
    words = plain(label)
    if words.replace(" ", "") in TIME_NAMES or re.fullmatch(r"t(ime)? ?\d{1,3}", words):
        return True
    return any(word in _TIME_WORDS for word in words.split())


def split_label(label: str) -> tuple[str, str | None]:
    """Return the name and the unit of a header: `Height (m)`, `v [m/s]`, `t_min`, `U / V`, `x in cm`."""
    text = " ".join(label.split())
    if _DERIVATIVE.match(text):
        return text, None
    match = _BRACKETED.match(text)
    if match is not None and match[1].strip():
        name, inside, rest = match[1].strip(), match[2].strip(), match[3].strip()
        whole = f"{name} {rest}".strip()
        if inside in ("t", "time"):
            return split_label(whole)  # `x(t) (m)`
        if _is_known(inside) or ("[" in text and _is_unit(inside)):
            return whole, _canonical(inside)
    if match is not None and not match[1].strip() and not match[3].strip() and _is_known(match[2]):
        return "", _canonical(match[2])
    own = re.match(r"^([\[(].+[\])])\s*[\[(]([^\[\]()]+)[\])]$", text)
    if own is not None and _is_known(own[2]):
        return own[1], _canonical(own[2])  # `[S] (µM)`: a concentration has brackets of its own
    for pattern in (r"^(.+?)\s*/\s*(\S.*)$", r"^(.+?)\s+in\s+(\S+)$", r"^(.+?),\s*(\S+)$"):
        found = re.match(pattern, text)
        if found is not None and _is_known(found[2]):
            return found[1].strip(), _canonical(found[2])
    return _split_suffix(text)


def legal_name(label: str, taken: Collection[str], *, fallback: str) -> str:
    """Return a name that an equation may use and that nobody has taken yet.

    Greek letters are spelled out, accents dropped, `dx/dt` becomes `x_dot`, anything else an underscore.
    """
    rate = _DERIVATIVE.match(label)
    text = f"{rate[2]}_{'ddot' if rate[1] else 'dot'}" if rate else _fold(label)
    text = re.sub(r"([A-Za-z])['’′]", r"\1_dot", text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:MAX_HEADER_NAME].strip("_")
    if not text:
        text = fallback
    if not text[0].isalpha():
        text = f"c{text}"[:MAX_HEADER_NAME]
    if text not in RESERVED and text not in taken:
        return text
    number = 2 if text in taken and text not in RESERVED else 1
    while f"{text[: MAX_HEADER_NAME - 4]}_{number}" in taken:
        number += 1
    return f"{text[: MAX_HEADER_NAME - 4]}_{number}"


def is_units_row(cells: Sequence[str]) -> bool:
    """Return whether these cells are units: words of which at least half are known units."""
    full = [cell.strip() for cell in cells if cell.strip()]
    if not full or any(len(cell) > MAX_UNIT or is_time_label(cell) for cell in full):
        return False
    if any(re.fullmatch(r"[A-Za-z]+1", cell) for cell in full):
        return False  # `h1`, `V1`, `m1` count tanks and masses: nobody writes an exponent of one
    units = [_is_known(cell) for cell in full]
    parsed = [parse_unit(cell) is not None for cell in full]
    return sum(units) * 2 >= len(full) and all(
        known or read or len(cell) <= 12 for cell, known, read in zip(full, units, parsed, strict=True)
    )


def all_known_units(cells: Iterable[str]) -> bool:
    """Return whether every cell that is not empty is a known unit."""
    return all(_is_known(cell) for cell in cells if cell.strip())


def is_time_label(cell: str) -> bool:
    """Return whether a cell names a time and is not itself a unit, as `s` and `min` are."""
    return is_time_name(cell) and not _is_known(cell)


def canonical_unit(text: str) -> str | None:
    """Return a unit from a units row in canonical ASCII; what is no unit stays as it is written."""
    text = text.strip().strip("()[]").strip()
    if not text:
        return None
    return _canonical(text)


def unit_of_name(label: str) -> str | None:
    """Return the unit that a name itself is: `millis`, `Second`, `years`."""
    return _NAME_UNITS.get(plain(label).replace(" ", ""))


def _split_suffix(text: str) -> tuple[str, str | None]:
    found = re.match(r"^(.+?)[_ ]([A-Za-z]{1,9})$", text)
    if found is None:
        return text, unit_of_name(text)
    base, suffix = found[1], found[2]
    letters = _LETTER_SUFFIXES.get(suffix, frozenset())
    fits = (
        suffix in _SUFFIXES
        or (suffix in _TIME_SUFFIXES and is_time_name(base))
        or plain(base).split(" ")[-1] in letters
    )
    if not fits or (suffix in ("min", "max") and not is_time_name(base)):
        return text, None
    if measures(_canonical(suffix), "s") and not is_time_name(base):
        return text, None
    return base, _canonical(suffix)


def _is_known(text: str) -> bool:
    unit = parse_unit(text)
    return unit is not None and unit.known


def _is_unit(text: str) -> bool:
    """Return whether a text in brackets is a unit: a known one, or a short word such as `arb`."""
    if _is_known(text):
        return True
    return parse_unit(text) is not None and len(text) <= 10 and " " not in text and "_" not in text


def _canonical(text: str) -> str | None:
    unit = parse_unit(text)
    if unit is not None:
        return unit.text
    return re.sub(r"[^A-Za-z0-9_]+", "_", _fold(text)).strip("_")[:MAX_UNIT] or None


def _fold(text: str) -> str:
    spelled = []
    for letter in text:
        lower = letter.lower()
        if lower in _LETTERS:
            word = _LETTERS[lower]
            spelled.append(word if letter == lower else word.capitalize())
        else:
            spelled.append(_FOLD.get(letter, letter))
    decomposed = unicodedata.normalize("NFKD", "".join(spelled).replace("ẋ", "x_dot").replace("ẏ", "y_dot"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
