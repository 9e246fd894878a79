"""Units as people write them: `m/s²`, `ms-1`, `°`, `sec`, `µm`, and how many of one make another."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from physix.limits import MAX_UNIT

_Powers = tuple[tuple[str, int], ...]

# symbol: base units and how many of them it is
_BASE: Mapping[str, tuple[Mapping[str, int], float]] = {
    "s": ({"s": 1}, 1.0),
    "min": ({"s": 1}, 60.0),
    "h": ({"s": 1}, 3600.0),
    "d": ({"s": 1}, 86_400.0),
    "week": ({"s": 1}, 604_800.0),
    "month": ({"s": 1}, 2_629_800.0),
    "yr": ({"s": 1}, 31_557_600.0),
    "m": ({"m": 1}, 1.0),
    "in": ({"m": 1}, 0.0254),
    "ft": ({"m": 1}, 0.3048),
    "yd": ({"m": 1}, 0.9144),
    "mi": ({"m": 1}, 1609.344),
    "AU": ({"m": 1}, 1.495978707e11),
    "px": ({"px": 1}, 1.0),
    "rad": ({"rad": 1}, 1.0),
    "deg": ({"rad": 1}, math.pi / 180.0),
    "turn": ({"rad": 1}, 2.0 * math.pi),
    "g": ({"kg": 1}, 1e-3),
    "lb": ({"kg": 1}, 0.45359237),
    "A": ({"A": 1}, 1.0),
    "K": ({"K": 1}, 1.0),
    "degC": ({"degC": 1}, 1.0),
    "degF": ({"degF": 1}, 1.0),
    "mol": ({"mol": 1}, 1.0),
    "M": ({"mol": 1, "m": -3}, 1e3),
    "L": ({"m": 3}, 1e-3),
    "Hz": ({"s": -1}, 1.0),
    "N": ({"kg": 1, "m": 1, "s": -2}, 1.0),
    "J": ({"kg": 1, "m": 2, "s": -2}, 1.0),
    "W": ({"kg": 1, "m": 2, "s": -3}, 1.0),
    "Pa": ({"kg": 1, "m": -1, "s": -2}, 1.0),
    "bar": ({"kg": 1, "m": -1, "s": -2}, 1e5),
    "V": ({"kg": 1, "m": 2, "s": -3, "A": -1}, 1.0),
    "ohm": ({"kg": 1, "m": 2, "s": -3, "A": -2}, 1.0),
    "F": ({"kg": -1, "m": -2, "s": 4, "A": 2}, 1.0),
    "H": ({"kg": 1, "m": 2, "s": -2, "A": -2}, 1.0),
    "C": ({"A": 1, "s": 1}, 1.0),
    "T": ({"kg": 1, "s": -2, "A": -1}, 1.0),
    "lx": ({"lx": 1}, 1.0),
    "dB": ({"dB": 1}, 1.0),
    "%": ({}, 0.01),
    "counts": ({}, 1.0),
}
_PREFIXED = (
    "s",
    "m",
    "g",
    "A",
    "K",
    "mol",
    "M",
    "L",
    "Hz",
    "N",
    "J",
    "W",
    "Pa",
    "bar",
    "V",
    "ohm",
    "F",
    "H",
    "C",
    "T",
)
_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3, "M": 1e6, "G": 1e9}
_ALIASES = {
    **dict.fromkeys("sec secs second seconds sekunde sekunden segundos secondes".split(), "s"),
    **dict.fromkeys("msec millisecond milliseconds millis".split(), "ms"),
    **dict.fromkeys("usec microsecond microseconds micros".split(), "us"),
    **dict.fromkeys("minute minutes mins minuten".split(), "min"),
    **dict.fromkeys("hr hrs hour hours std stunden".split(), "h"),
    **dict.fromkeys("day days tage".split(), "d"),
    **dict.fromkeys("weeks".split(), "week"),
    **dict.fromkeys("months".split(), "month"),
    **dict.fromkeys("y year years jahr jahre a".split(), "yr"),
    **dict.fromkeys("meter meters metre metres".split(), "m"),
    **dict.fromkeys("centimeter centimeters centimetre centimetres".split(), "cm"),
    **dict.fromkeys("millimeter millimeters millimetre millimetres".split(), "mm"),
    **dict.fromkeys("feet foot".split(), "ft"),
    **dict.fromkeys("inch inches".split(), "in"),
    **dict.fromkeys("pixel pixels pix".split(), "px"),
    **dict.fromkeys("radian radians rads".split(), "rad"),
    **dict.fromkeys("degree degrees grad degs".split(), "deg"),
    **dict.fromkeys("rev revs revolutions turns".split(), "turn"),
    **dict.fromkeys("volt volts".split(), "V"),
    **dict.fromkeys("millivolt millivolts".split(), "mV"),
    **dict.fromkeys("ampere amperes amp amps".split(), "A"),
    **dict.fromkeys("newton newtons".split(), "N"),
    **dict.fromkeys("celsius".split(), "degC"),
    **dict.fromkeys("fahrenheit".split(), "degF"),
    **dict.fromkeys("kelvin".split(), "K"),
    **dict.fromkeys("hertz".split(), "Hz"),
    **dict.fromkeys("pascal pascals".split(), "Pa"),
    **dict.fromkeys("ohms".split(), "ohm"),
    **dict.fromkeys("kilogram kilograms".split(), "kg"),
    **dict.fromkeys("gram grams gramm".split(), "g"),
    **dict.fromkeys("l liter liters litre litres".split(), "L"),
    **dict.fromkeys("percent prozent".split(), "%"),
    **dict.fromkeys("count cts".split(), "counts"),
    "ml": "mL",
    "au": "AU",
}
# Whole texts that a tokenizer would read as something else.
_WHOLE = {
    "ms-1": "m/s",
    "ms^-1": "m/s",
    "ms-2": "m/s^2",
    "ms^-2": "m/s^2",
    "mps": "m/s",
    "kph": "km/h",
    "mph": "mi/h",
    "rpm": "turn/min",
    "none": "1",
    "a.u.": "1",
    "unitless": "1",
    "dimensionless": "1",
    "-": "1",
    "--": "1",
    "": "1",
}
_FOLD = str.maketrans(
    {
        "µ": "u",
        "μ": "u",
        "²": "^2",
        "³": "^3",
        "⁻": "-",
        "¹": "1",
        "⁴": "^4",
        "·": "*",
        "⋅": "*",
        "×": "*",
        "∙": "*",
        "Ω": "ohm",
        "\u2126": "ohm",
        "−": "-",
        "–": "-",
    }
)
_FACTOR = re.compile(r"\s*([*/]?)\s*([A-Za-z%][A-Za-z_%]*|1)(?:(?:\^|\*\*)?\(?([+-]?\d)\)?)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of words, such as `cm/s^2`.

    Attributes:
        words: each word and its power, as written.
        powers: the same in base units; words that are no known unit are their own.
        scale: how many of those base units one of this is.
        known: every word is a known unit.
    """

    words: _Powers
    powers: _Powers
    scale: float
    known: bool

    @property
    def text(self) -> str:
        """Canonical ASCII: `kg*m/s^2`, `1/s`, `1`."""
        top = "*".join(_power(word, power) for word, power in self.words if power > 0)
        bottom = "".join(f"/{_power(word, -power)}" for word, power in self.words if power < 0)
        return (top or "1") + bottom


def parse_unit(text: str) -> Unit | None:
    """Return what a unit means, or None if this is no unit at all."""
    return _parse(text) if len(text) <= MAX_UNIT else None


def rate_unit(unit: str | None, time_unit: str | None) -> str | None:
    """Return the unit of a rate of change; None where either is undeclared."""
    if unit is None or time_unit is None:
        return None
    top, bottom = parse_unit(unit), parse_unit(time_unit)
    if top is None or bottom is None:
        return None
    return _unit(_merge(top.words, tuple((word, -power) for word, power in bottom.words))).text


def factor_between(unit: str | None, other: str | None) -> float | None:
    """Return how many `other` one `unit` is; None where they measure different things or are undeclared."""
    if unit is None or other is None:
        return None
    left, right = parse_unit(unit), parse_unit(other)
    if left is None or right is None or left.powers != right.powers:
        return None
    return left.scale / right.scale


def in_radians(unit: str) -> tuple[str, float] | None:
    """Return the unit with radians for degrees and turns, and the factor; None where there are none."""
    parsed = parse_unit(unit)
    if parsed is None or not {"deg", "turn"} & {word for word, _ in parsed.words}:
        return None
    swapped = _merge(
        tuple(("rad" if word in ("deg", "turn") else word, power) for word, power in parsed.words), ()
    )
    after = _unit(swapped)
    return after.text, parsed.scale / after.scale


def measures(unit: str | None, *bases: str) -> bool:
    """Return whether the unit is one of these base units, to the first power: `measures("cm", "m")`."""
    parsed = parse_unit(unit) if unit else None
    return parsed is not None and parsed.powers in tuple(((base, 1),) for base in bases)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Unit | None:
    plain = text.strip().strip("[](){}<>").strip().translate(_FOLD)
    plain = re.sub("°\\s*C|℃|º\\s*C", "degC", plain)
    plain = re.sub("°\\s*F|℉|º\\s*F", "degF", plain)
    plain = re.sub("[°º]", "deg", plain)
    plain = re.sub(r"\bper\b", "/", plain)
    plain = _WHOLE.get(plain.lower(), plain)
    words: _Powers = ()
    position = 0
    while position < len(plain):
        match = _FACTOR.match(plain, position)
        if match is None:
            return None
        operator, word, power = match.groups()
        size = int(power or 1) * (-1 if operator == "/" else 1)
        words = _merge(words, ((_symbol(word), size),) if word != "1" else ())
        position = match.end()
    return _unit(words)


def _symbol(word: str) -> str:
    if word in _UNITS:
        return word
    lower = word.lower()
    if lower in _ALIASES:
        return _ALIASES[lower]
    return lower if lower in _UNITS and len(lower) > 2 else word


def _unit(words: _Powers) -> Unit:
    powers: dict[str, int] = {}
    scale = 1.0
    for word, power in words:
        base, size = _UNITS.get(word, ({word: 1}, 1.0))
        for name, exponent in base.items():
            powers[name] = powers.get(name, 0) + exponent * power
        scale *= size**power
    left = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Unit(words, left, scale, all(word in _UNITS for word, _ in words))


def _merge(one: _Powers, other: _Powers) -> _Powers:
    total: dict[str, int] = {}
    for word, power in (*one, *other):
        total[word] = total.get(word, 0) + power
    return tuple((word, power) for word, power in total.items() if power)


def _power(word: str, power: int) -> str:
    return word if power == 1 else f"{word}^{power}"


def _units() -> dict[str, tuple[Mapping[str, int], float]]:
    prefixed = {
        prefix + symbol: (_BASE[symbol][0], size * _BASE[symbol][1])
        for symbol in _PREFIXED
        for prefix, size in _PREFIXES.items()
    }
    # A plain symbol wins over a prefixed one: `min` is no milli-inch.
    return {**prefixed, **_BASE}


_UNITS = _units()
