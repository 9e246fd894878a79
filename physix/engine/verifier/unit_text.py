"""Units as people write them: read into exponents of base units, multiplied, and written again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

# Integers stay integers: fractions cost ten times as much and appear with roots only.
Exponents = Mapping[str, int | Fraction]
_DIMENSIONLESS = frozenset({"1", "rad", "deg", "%", ""})
_DERIVED: Mapping[str, Mapping[str, int]] = {
    "Hz": {"s": -1},
    "N": {"kg": 1, "m": 1, "s": -2},
    "J": {"kg": 1, "m": 2, "s": -2},
    "W": {"kg": 1, "m": 2, "s": -3},
    "Pa": {"kg": 1, "m": -1, "s": -2},
    "C": {"A": 1, "s": 1},
    "V": {"kg": 1, "m": 2, "s": -3, "A": -1},
    "T": {"kg": 1, "s": -2, "A": -1},
    "Wb": {"kg": 1, "m": 2, "s": -2, "A": -1},
    "F": {"kg": -1, "m": -2, "s": 4, "A": 2},
    "H": {"kg": 1, "m": 2, "s": -2, "A": -2},
    "ohm": {"kg": 1, "m": 2, "s": -3, "A": -2},
    "Ω": {"kg": 1, "m": 2, "s": -3, "A": -2},
}
_RARE = frozenset({"kg", "A"})  # no named unit but the hertz does without both
_UNIT_MARKS = str.maketrans({"·": "*", "⋅": "*", "×": "*", "−": "-"})  # as files write them
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_UNIT_TOKEN = re.compile(
    r"(?:(?P<word>[^\s*/()^]+)|(?P<mark>[()/]|\*(?!\*)))"
    r"(?:\s*(?:\*\*|\^)\s*(?:(?P<bare>-?\d{1,3})|\((?P<power>-?\d{1,3}(?:/[1-9]\d{0,2})?)\)))?"
)


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Exponents:
    """Return the exponents of a unit such as `kg*m/s**2`; an unknown word is its own base unit.

    Read as people write them: `m s^-2`, `m·s⁻²`, `N/(m*s)`, `1/s`. A power stands after a word or a
    closing parenthesis; `/` divides by what follows it alone.
    """
    plain = text.translate(_UNIT_MARKS)
    plain = _RAISED.sub(lambda m: "**" + m[0].translate(_DIGITS), plain)
    # One dictionary a level; a level that ends is folded into the one below.
    levels: list[tuple[int, dict[str, int | Fraction]]] = [(1, {})]
    sign = 1
    for match in _UNIT_TOKEN.finditer(plain):
        mark, word, power = match["mark"], match["word"], Fraction(match["bare"] or match["power"] or 1)
        if mark == "(":
            levels.append((sign, {}))
            sign = 1
        elif mark == ")" and len(levels) > 1:
            outer, inner = levels.pop()
            _add(levels[-1][1], inner, outer * power)
            sign = 1
        elif mark in ("*", "/"):
            sign = -1 if mark == "/" else 1
        elif word:
            numbered = re.fullmatch(r"([^\W\d]+)(-?\d)", word)
            base, exponent = (numbered[1], Fraction(numbered[2])) if numbered else (word, power)
            if base not in _DIMENSIONLESS:
                _add(levels[-1][1], _DERIVED.get(base, {base: 1}), sign * exponent)
            sign = 1
    while len(levels) > 1:
        outer, inner = levels.pop()
        _add(levels[-1][1], inner, Fraction(outer))
    return {unit: whole(exponent) for unit, exponent in levels[0][1].items() if exponent}


def _add(total: dict[str, int | Fraction], more: Exponents, power: int | Fraction) -> None:
    for unit, exponent in more.items():
        total[unit] = total.get(unit, 0) + power * exponent


def whole(number: int | Fraction) -> int | Fraction:
    """Return an integer as one: fractions are for roots."""
    return number.numerator if number.denominator == 1 else number


def shortest_unit(exponents: Exponents, given: frozenset[str] = frozenset()) -> str:
    """Return a unit as people would write it, `V/s` for `kg*m**2/A/s**4`.

    Args:
        exponents: of base units.
        given: words that the data are declared in; of two ways that are as short the one in these words.
    """
    if not _RARE & exponents.keys():  # of metres and seconds alone no named unit is made
        return unit_text(exponents)
    named = sorted(_DERIVED, key=lambda word: word not in given)
    ways: list[Exponents] = [exponents]
    for word in (one for one in named if one != "Hz"):
        ways += [{word: p, **times(exponents, _DERIVED[word], -p)} for p in (1, -1, 2, -2)]
    return unit_text(min(ways, key=lambda way: _length(way, given)))


def _length(exponents: Exponents, given: frozenset[str]) -> float:
    """Return how much there is to read: every factor once, words of the data's own half."""
    return sum(abs(float(e)) * (0.5 if word in given else 1.0) for word, e in exponents.items())


def unit_text(exponents: Exponents) -> str:
    """Return a unit as text, `m/s**2` or `1`."""
    above = [_power(unit, e) for unit, e in sorted(exponents.items()) if e > 0]
    below = [_power(unit, -e) for unit, e in sorted(exponents.items()) if e < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power(unit: str, exponent: int | Fraction) -> str:
    if exponent == 1:
        return unit
    return f"{unit}**{exponent}" if exponent.denominator == 1 else f"{unit}**({exponent})"


def times(a: Exponents, b: Exponents, power: int | Fraction = 1) -> Exponents:
    """Return a * b**power."""
    if not b:
        return a
    product = dict(a)
    for factor, exponent in b.items():
        total = product.get(factor, 0) + power * exponent
        if total:
            product[factor] = total
        else:
            product.pop(factor, None)
    return product
