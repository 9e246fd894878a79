"""Right and wrong units, and an oracle that knows no dimensions: a law is the same in feet and hours.

Rescaling metres by `a` and seconds by `b`, every param by the unit that was found for it, must turn the
right side into itself times a/b**2. A product taken for a quotient, or a root for the identity, does not.
"""

import math

import pytest

from physix.engine.systems.task import InputVariable, StateVariable
from physix.engine.verifier import ParsedHypothesis, check_units, evaluate, parse
from physix.engine.verifier.compile import program
from physix.engine.verifier.unit_text import parse_unit, shortest_unit, unit_text

FALL = (
    StateVariable(name="y", unit="m", symbol="y", description=""),
    StateVariable(name="vy", unit="m/s", symbol="v", description="", rate_of="y"),
)
U = (InputVariable(name="u", unit="m/s**2", symbol="u", description=""),)
PARAMS = {"g": 9.7, "k": 0.31, "b": 1.7, "L": 2.3, "T": 0.9, "w": 3.1, "n": 1.5, "h": 0.4}

RIGHT = [
    "-g",
    "-k*y",
    "-k*vy",
    "-g + k*vy**2",
    "-g - k*vy*abs(vy)",
    "-k*vy**3",
    "-k*y**3 - b*vy",
    "-k*y*vy",
    "-g*y/L + g*sin(y/L)",
    "-k/y",
    "-k/y**2",
    "-k/(y + L)**2",
    "-g*(1 - y/L)",
    "-g*L**2/(L + y)**2",
    "-g*exp(-y/L)",
    "-g*exp(-t/T)",
    "-k*sin(y/L)",
    "-k*sin(w*t)",
    "-k*cos(w*t + 1)",
    "-k*cos(2*pi*t/T)",
    "-k*tan(y/L)",
    "-k*tanh(vy/b)",
    "-k*sign(vy)",
    "-k*sign(vy)*vy**2",
    "-k*atan(vy/b)",
    "-k*sinh(y/L)",
    "-k*cosh(y/L)",
    "-g*sqrt(y/L) + g*cos(y/L)",
    "-k*sqrt(y)",
    "-k*sqrt(abs(vy))",
    "-k*sqrt(y**2 + L**2)",
    "-k*vy*sqrt(vy**2 + b**2)",
    "-sqrt(g**2 + k*vy)",
    "-vy**2/y",
    "-vy**2/(2*y)",
    "-vy/t",
    "-y/t**2",
    "-y/T**2 - vy/T",
    "y*vy**2/(y**2 + L**2)",
    "-k*y**(3/2)",
    "-k*y**(3/2 - 1)",
    "-k*y**(1/2)",
    "-k*y**-2",
    "-k*abs(vy)**n",
    "-g*(abs(vy)/b)**n + g*tanh(vy/b)",
    "-k*abs(vy)**(n - 1)*vy",
    "-k*abs(vy)**(2*n)",
    "-k*y**sqrt(4)",
    "-k*log(y/L)",
    "-k*(log(y) - log(L))",
    "-k*log(y) + k*log(L)",
    "-k*log(y*k/(k*L))",
    "-g*exp(log(y) - log(L)) + g*cos(y/L)",
    "-g*exp(log(y))",
    "-g*exp(2*log(y/L)) + g*cos(y/L)",
    "-g*exp(n*(log(y) - log(L))) + g*cos(y/L)",
    "-g*(log(y) + log(1/L))/2",
    "max(-k*y, -g)",
    "-k*max(y - L, 0)",
    "-k*min(vy, b)",
    "-g*max(0, 1 - y/L)",
    "-k*(y - L) - b*vy + w*sin(t/T)",
    "0",
    "-0*y",
    "u - k*vy",
    "-k*u",
    "u*(1 - y/L)",
    "-g*2**(-t/T)",
    "-k*y*0.5 - 3*b*vy",
    "-(-(g))",
    "-g/(1 + (y/L)**2)",
    "-k*vy - (w**2)*y + g*cos(w*t)",
]

WRONG = [
    "-y",
    "-vy",
    "-y*vy",
    "-y - vy",
    "-vy**2",
    "-vy*abs(vy)",
    "-vy**2*y",
    "vy**2/y**2",
    "-vy*t",
    "-y/t",
    "-y*t**2",
    "-sqrt(y)",
    "-sqrt(vy)",
    "-sin(y)",
    "-k*sin(y)",
    "-k*cos(vy)",
    "-k*exp(y)",
    "-k*exp(-t)",
    "-k*log(y)",
    "-k*log(y) - b*log(vy)",
    "-k*(log(y) - log(vy))",
    "-k*tanh(vy)",
    "-k*atan(y)",
    "-k*sinh(t)",
    "-k*(y + vy)",
    "-k*(y - t)",
    "-g*(1 - y)",
    "-g + y",
    "-g + vy**2",
    "-k*y - k*vy",
    "-k*y - k*y**2",
    "-k*vy - k",
    "-g*(y/L + t/L)",
    "max(y, vy)",
    "-k*min(y, vy)",
    "-k*max(y, 1)",
    "-g*2**t",
    "-g*2**(y*t)",
    "-k*y**t",
    "-k*y**vy",
    "-k*abs(vy)**y",
    "-abs(vy)**n",
    "-y**(3/2 - 1)",
    "-k*u - k*vy",
    "u + y",
    "-u*y",
    "sign(y)",
    "-vy/sqrt(y)",
    "-vy*(y/vy)/(t*vy)",
]


def law(right: str) -> ParsedHypothesis:
    used = {name: value for name, value in PARAMS.items() if name in right}
    parsed = parse(f"d2y/dt2 = {right}", used, FALL, inputs=U, functions="extended")
    assert isinstance(parsed, ParsedHypothesis), parsed
    return parsed


def scale(unit: str, metre: float, second: float) -> float:
    """Return the factor of a unit, by another reader than the verifier's: Python itself."""
    return float(eval(unit, {"__builtins__": {}}, {"m": metre, "s": second}))  # noqa: S307  # what unit_text wrote


def rescaled(right: str, units: dict[str, str], metre: float, second: float) -> float:
    parsed = law(right)
    params = {
        name: value * scale(units[name], metre, second) if name in units else value
        for name, value in parsed.params.items()
    }
    moved = parse(f"d2y/dt2 = {right}", params, FALL, inputs=U, functions="extended")
    assert isinstance(moved, ParsedHypothesis)
    state = [1.9 * metre, 0.6 * metre / second]
    return evaluate(moved, state, 1.1 * second, [0.8 * metre / second**2])[1]


def test_the_tables_are_as_large_as_promised() -> None:
    assert len(set(RIGHT)) >= 60
    assert len(set(WRONG)) >= 40


@pytest.mark.parametrize("right", RIGHT)
def test_a_consistent_law_is_the_same_in_other_units(right: str) -> None:
    report = check_units(law(right), "s")
    assert report.verdict == "ok", report.message
    here = rescaled(right, {}, 1.0, 1.0)
    there = rescaled(right, report.param_units, 3.7, 0.41)
    assert there == pytest.approx(here * 3.7 / 0.41**2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("right", WRONG)
def test_an_inconsistent_law_is_found_out(right: str) -> None:
    report = check_units(law(right), "s")
    assert report.verdict in ("inconsistent", "literals"), report.param_units
    assert report.message[-1] == "."


@pytest.mark.parametrize("right", [r for r in WRONG if not any(p in r for p in PARAMS if p not in "ntgh")])
def test_a_wrong_law_without_constants_differs_in_other_units(right: str) -> None:
    """The oracle itself can tell: it is not satisfied by everything."""
    if "g" in right.replace("sign", "").replace("log", ""):
        return
    here, there = rescaled(right, {}, 1.0, 1.0), rescaled(right, {}, 3.7, 0.41)
    assert there != pytest.approx(here * 3.7 / 0.41**2, rel=1e-9)


def test_the_units_of_constants_are_the_ones_that_they_must_have() -> None:
    report = check_units(law("-g + k*vy**2 - b*y + L*sin(w*t)"), "s")
    assert report.param_units == {"g": "m/s**2", "k": "1/m", "b": "1/s**2", "L": "m/s**2", "w": "1/s"}


def test_a_constant_that_is_still_to_be_fitted_may_be_an_exponent() -> None:
    parsed = parse("d2y/dt2 = -k*abs(vy)**n", {"k": 1.0, "n": None}, FALL, fit_nulls=True)
    assert isinstance(parsed, ParsedHypothesis)
    assert check_units(parsed, "s").verdict == "ok"


@pytest.mark.parametrize(
    "right",
    [
        *RIGHT,
        *(
            "-9.81 - {n}*vy",
            "-k*y**{n}",
            "-{n}*y",
            "-g + {n}*k",
            "{n}*log(y/L) - g",
            "-k*y**(1/{n})",
            "{n}*vy**n",
        ),
        *(
            "-g + log(y)*{n}",
            "-g - {n}*log(y) + {n}*log(L)",
            "y + {n}",
            "min({n}, vy)",
            "-g*0 + {n}",
            "vy*{n}**2",
        ),
    ],
)
def test_laws_alike_but_for_their_numbers_get_the_report_that_each_would_get_alone(right: str) -> None:
    for number in ("2", "3", "0.5", "0", "2.5"):
        text = "d2y/dt2 = " + right.replace("{n}", number)
        parsed = parse(text, PARAMS, FALL, inputs=U, functions="extended")
        assert isinstance(parsed, ParsedHypothesis)
        assert check_units(parsed, "s", program(parsed)) == check_units(parsed, "s")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("m/s**2", "m/s**2"),
        ("m/s^2", "m/s**2"),
        ("m/s2", "m/s**2"),
        ("m s^-2", "m/s**2"),
        ("m s-2", "m/s**2"),
        ("m·s⁻²", "m/s**2"),
        ("m/s/s", "m/s**2"),
        ("1/s", "1/s"),
        ("rad/s", "1/s"),
        ("Hz", "1/s"),
        ("N/(m*s)", "kg/s**3"),
        ("N", "kg*m/s**2"),
        ("kg*(m/s)**2", "kg*m**2/s**2"),
        ("J", "kg*m**2/s**2"),
        ("m**(1/2)", "m**(1/2)"),
        ("1", "1"),
        ("rad", "1"),
        ("deg", "1"),
        ("", "1"),
        ("%", "1"),
        ("V/A", "kg*m**2/A**2/s**3"),
    ],
)
def test_a_unit_is_read_as_it_is_meant(text: str, meant: str) -> None:
    assert parse_unit(text) == parse_unit(meant)
    assert parse_unit(unit_text(parse_unit(text))) == parse_unit(text)


@pytest.mark.parametrize(
    ("unit", "given", "shown"),
    [
        ("V/s", "V", "V/s"),
        ("V/s", "m", "V/s"),
        ("A/s", "A", "A/s"),
        ("N/m", "m", "N/m"),
        ("N/kg", "N", "m/s**2"),
        ("N*s/m", "m", "kg/s"),
        ("1/ohm", "V", "1/ohm"),
        ("V**2", "V", "V**2"),
        ("V/A/s", "V A", "1/F"),
        ("kg/s", "kg", "kg/s"),
        ("kg*m/s**2", "", "N"),
        ("N*m", "N m", "N*m"),
        ("J", "K", "J"),
        ("C", "V", "C"),
        ("1/m/s", "m", "1/m/s"),
        ("V**(1/2)/s", "V", None),
        ("1", "V", "1"),
    ],
)
def test_a_unit_is_told_in_the_words_of_the_data_else_in_the_shortest(
    unit: str, given: str, shown: str | None
) -> None:
    told = shortest_unit(parse_unit(unit), frozenset(given.split()))
    assert parse_unit(told) == parse_unit(unit)
    assert shown is None or told == shown


def test_a_constant_of_a_circuit_is_told_in_volts() -> None:
    voltage = (StateVariable(name="U", unit="V", symbol="U", description=""),)
    parsed = parse("dU/dt = a - k*U", {"a": 1.0, "k": 2.0}, voltage)
    assert isinstance(parsed, ParsedHypothesis)
    assert check_units(parsed, "s").param_units == {"a": "V/s", "k": "1/s"}


@pytest.mark.parametrize(
    "text", ["(((((", ")))", "**2", "m**", "/", "*/", "m/(s", "(m/s))**2", "m**(1/0)", "²" * 50]
)
def test_a_unit_that_is_none_is_read_as_something_and_never_raises(text: str) -> None:
    assert all(math.isfinite(exponent) for exponent in parse_unit(text).values())
