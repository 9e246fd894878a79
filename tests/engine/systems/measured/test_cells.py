"""What one cell of a file means."""

import pytest

from physix.engine.systems.measured.cells import clock_seconds, is_number, moment, number_of, with_unit

HOUR, MINUTE = 3600.0, 60.0


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("19:00:01.5", 19 * HOUR + 1.5),
        ("19:00:01,5", 19 * HOUR + 1.5),
        ("19:00:01:250", 19 * HOUR + 1.25),
        ("7:05 pm", 19 * HOUR + 5 * MINUTE),
        ("7:05 am", 7 * HOUR + 5 * MINUTE),
        ("7:05:30 PM", 19 * HOUR + 5 * MINUTE + 30),
        ("12:00 am", 0.0),
        ("12:30 pm", 12 * HOUR + 30 * MINUTE),
        ("0:01.5", 1.5),
        ("07:05", 7 * HOUR + 5 * MINUTE),
        ("noon", None),
        ("12", None),
        ("", None),
    ],
)
def test_a_clock_time_is_seconds_since_midnight(cell: str, seconds: float | None) -> None:
    assert clock_seconds(cell) == seconds


@pytest.mark.parametrize(
    ("cell", "decimal", "grouped", "number"),
    [
        ("1.5", ".", False, 1.5),
        ("1,5", ",", False, 1.5),
        ("-0,25", ",", False, -0.25),
        ("1,234.5", ".", True, 1234.5),
        ("1.234,5", ",", True, 1234.5),
        ("1 234,5", ",", True, 1234.5),
        ("1,234.5", ".", False, None),
        ("1.5e-3", ".", False, 1.5e-3),
        ("1.5D-3", ".", False, 1.5e-3),
        ("1,5E3", ",", False, 1500.0),
        ("+2", ".", False, 2.0),
        ("1.2.3", ".", False, None),
        ("", ".", False, None),
        ("x", ".", True, None),
    ],
)
def test_a_number_is_read_in_the_language_of_its_file(
    cell: str, decimal: str, grouped: bool, number: float | None
) -> None:
    assert number_of(cell, decimal, grouped=grouped) == number
    assert is_number(cell) or number is None


@pytest.mark.parametrize(
    ("cell", "other", "later_s"),
    [
        ("2026-01-02T00:00:00", "2026-01-01T23:59:00", 60.0),
        ("2026-03-01", "2026-02-28", 86_400.0),
        ("2024-03-01", "2024-02-28", 2 * 86_400.0),  # a leap year
        ("2026-01-01T12:00:00+02:00", "2026-01-01T10:00:00Z", 0.0),
        ("2026-01-01T12:00:00-0130", "2026-01-01T12:00:00Z", 5400.0),
        ("03/02/2026 00:00", "02/02/2026 00:00", 86_400.0),
    ],
)
def test_moments_differ_by_the_seconds_between_them(cell: str, other: str, later_s: float) -> None:
    after, before = moment(cell, day_first=True), moment(other, day_first=True)
    assert after is not None
    assert before is not None
    assert (after[0] - before[0]) * 86_400.0 + after[1] - before[1] == later_s


def test_the_order_of_day_and_month_is_asked_of_the_caller_where_both_are_possible() -> None:
    assert moment("03/02/2026", day_first=True) == moment("2026-02-03", day_first=True)
    assert moment("03/02/2026", day_first=False) == moment("2026-03-02", day_first=True)
    assert moment("13/02/2026", day_first=False) == moment("2026-02-13", day_first=True)
    assert moment("30/02/2026", day_first=True) is None


def test_a_unit_behind_a_number_is_told_apart() -> None:
    assert with_unit("12.5 cm") == ("12.5", "cm")
    assert with_unit("cm") is None
