"""Whatever a stranger's file holds: a table, or a clear error, never a crash."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from physix.engine.systems.measured import Choice, choose, measured_task, read_table, table_from_columns
from physix.errors import BadInputError

CELLS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-1000, 10**13).map(str),
    st.sampled_from(
        [
            "",
            "NA",
            "-",
            "inf",
            "1,5",
            "1.234,5",
            "1e999",
            "1:2",
            "12:00:01.5",
            "2024-11-25",
            "31.12.2024 1:00",
            '"',
            '"a',
            "t",
            "time (s)",
            "x [m]",
            "θ/°",
            "#",
            "# t x",
            "%",
            "v",
            "err x",
            "run",
            "1_0",
            "٣",
            "--",
            "x:1.5",
            "5 cm",
            "(",
            ")[",
            "\x85",
            "\u2028",
            "d/dt",
            "dx/dt",
            "'",
            "e",
            "1e",
            "9" * 70,
            "=1+1",
        ]
    ),
    st.text(max_size=6),
)
ROWS = st.lists(st.lists(CELLS, max_size=6), max_size=30)
NUMBERS = st.sampled_from(["0", "1", "1.5", "-2", "3e5", "1e-9", "7", "8", ""])


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A plausible table in which anything may have gone wrong."""
    width = draw(st.integers(1, 5))
    rows = [draw(st.lists(CELLS, min_size=width, max_size=width)) for _ in range(draw(st.integers(0, 3)))]
    start, step = draw(st.sampled_from([(0.0, 0.1), (1.7e9, 1.0), (0.0, 0.0), (5.0, -1.0), (0.0, 1e-9)]))
    for i in range(draw(st.integers(6, 50))):
        rows.append([repr(start + step * i), *draw(st.lists(NUMBERS, min_size=width, max_size=width))])
        if draw(st.integers(0, 9)) == 0:
            rows.append(draw(st.lists(CELLS, max_size=width)))
    mark = draw(st.sampled_from([",", ";", "\t", " ", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    return end.join(mark.join(row) for row in rows)


def take(source: bytes | str) -> None:
    with contextlib.suppress(BadInputError):
        table = read_table(source)
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        str(table)
        made = measured_task(table, choose(table, Choice(ignore=names[-1:])))
        for one in (*made.task.shown, *made.truth.hidden):
            assert all(b > a for a, b in zip(one.t, one.t[1:], strict=False))
            assert len(one.t) == len(one.states)


fuzz = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
soak = settings(deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))


@fuzz
@given(tables())
def test_a_plausible_table_is_read_or_refused(text: str) -> None:
    take(text)


@fuzz
@given(ROWS, st.sampled_from(",;\t |"))
def test_cells_in_any_order_are_read_or_refused(rows: list[list[str]], mark: str) -> None:
    take("\n".join(mark.join(row) for row in rows))


@fuzz
@given(st.binary(max_size=400))
def test_bytes_are_read_or_refused(content: bytes) -> None:
    take(content)


@fuzz
@given(
    st.dictionaries(
        st.text(max_size=5), st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=4))), max_size=4
    )
)
def test_columns_in_memory_are_read_or_refused(columns: dict[str, list[object]]) -> None:
    with contextlib.suppress(BadInputError):
        measured_task(table_from_columns(columns))


@pytest.mark.soak
@soak
@given(
    st.one_of(
        tables(), ROWS.map(lambda rows: "\n".join(",".join(row) for row in rows)), st.binary(max_size=2_000)
    )
)
def test_a_long_soak_finds_nothing_more(source: bytes | str) -> None:
    take(source)
