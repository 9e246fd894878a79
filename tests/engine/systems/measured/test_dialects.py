"""Files as instruments and programs write them. Each holds x = 1.5 cos(3 t), and v its rate."""

import math

import numpy as np
import pytest

from physix.engine.systems.measured import Table, measured_task, read_table
from physix.engine.systems.task import Task
from physix.errors import CsvError

T = [0.04 * i for i in range(50)]
ROWS = [(t, 1.5 * math.cos(3 * t), -4.5 * math.sin(3 * t)) for t in T]


def lines(pattern: str, *, comma: bool = False) -> str:
    """Rows of t, x, v by a pattern such as `{t:.3f},{x:.4f}`; with decimal commas if asked."""
    rows = (pattern.format(i=i, t=t, x=x, v=v) for i, (t, x, v) in enumerate(ROWS))
    return "\n".join(row.replace(".", ",") if comma else row for row in rows) + "\n"


LVM = (
    "LabVIEW Measurement\t\nSeparator\tTab\nX_Columns\tOne\nDate\t2024/03/12\n***End_of_Header***\t\n\t\n"
    "Channels\t1\t\nSamples\t50\t\nY_Unit_Label\tVolts\t\nX0\t0.0E+0\t\n***End_of_Header***\t\t\n"
    "X_Value\tVoltage\tComment\n"
)
SIGLENT = "Record Length,Analog:50\nSample Interval,0.04\nVertical Scale,1.0\nSource,CH1\nSecond,Volt\n"
TEK = "Model,DPO2012B\n\nPoint Format,Y,\nSample Interval,8e-08,\nLabel,,\nTIME,CH1,CH1 Peak\n"

READ_AS_THEY_ARE = {
    "plain": "t,x\n" + lines("{t:.3f},{x:.4f}"),
    "no header": lines("{t:.3f},{x:.4f}"),
    "no header, blanks": lines("  {t:.3f}   {x:.4f}"),
    "semicolons": "t;x\n" + lines("{t:.3f};{x:.4f}"),
    "German": "Zeit [s];Höhe [m]\n" + lines("{t:.3f};{x:.4f}", comma=True),
    "commas between decimal commas": "t,x\n" + lines("{t:.3f},{x:.4f}", comma=True),
    "quoted decimal commas": '"t","x"\n' + lines('"{t:.3f}";"{x:.4f}"', comma=True).replace(";", ","),
    "tabs at the end": "t\tx\t\n" + lines("{t:.3f}\t{x:.4f}\t"),
    "Markdown": "| t | x |\n|---|---|\n" + lines("| {t:.3f} | {x:.4f} |"),
    "carriage returns": "t,x\r" + lines("{t:.3f},{x:.4f}").replace("\n", "\r"),
    "typographic minus": "t,x\n" + lines("{t:.3f},{x:.4f}").replace("-", "−"),
    "blank lines and a header again": "t,x\n" + lines("{t:.3f},{x:.4f}").replace("\n0.400", "\n\nt,x\n0.400"),
    "comments of four kinds": "# by hand\n% octave\n// note, too\n; t x\n" + lines("{t:.3f} {x:.4f}"),
    "numpy.savetxt": "# t x\n" + lines("{t:.18e} {x:.18e}"),
    "a comment among the data": "t,x\n" + lines("{t:.3f},{x:.4f}").replace("\n0.400", "\n# pause, 1\n0.400"),
    "means below": "t,x\n" + lines("{t:.3f},{x:.4f}") + "\nMean,0.01\nSource: lab 4\n",
    "Logger Pro": "Latest: Time (s)\tLatest: Position (m)\n" + lines("{t:.3f}\t{x:.4f}"),
    "phyphox": '"Time (s)"\t"Height (m)"\n' + lines("{t:.9E}\t{x:.9E}"),
    "Tracker": ",mass A,\nt,x,\n" + lines("{t:.6E},{x:.6E}"),
    "Tracker with empty units": "t,x\n,\n" + lines("{t:.6E},{x:.6E}"),
    "Arduino plotter": lines("t:{t:.3f}\tx:{x:.4f}"),
    "LabVIEW": LVM + lines("{t:.6f}\t{x:.6f}\t"),
    "Siglent": SIGLENT + lines("{t:.9f},{x:.5f}"),
    "Tektronix": TEK + lines("{t:.4e},{x:.4f},"),
    "Keysight": "x-axis,1\nsecond,Volt\n" + lines("{t:+.5E},{x:+.5E}"),
    "Picoscope": "Time,Channel A\n(s),(V)\n\n" + lines("{t:.8f},{x:.8f}"),
    "Origin": "Time\tDistance\ns\tcm\n\tRun 3\n" + lines("{t:.4f}\t{x:.4f}"),
    "units in the third row": "Time,Voltage\nChannel 0,Channel A\ns,V\n" + lines("{t:.3f},{x:.4f}"),
    "R table": '"time" "x"\n' + lines('"{i}" {t:.3f} {x:.4f}'),
    "R csv": '"","time","x"\n' + lines('"{i}",{t:.3f},{x:.4f}'),
    "pandas": ",t,x\n" + lines("{i},{t:.3f},{x:.4f}"),
    "a status column": "t,x,status\n" + lines("{t:.3f},{x:.4f},OK"),
    "capitals": "TIME,VOLTAGE\n" + lines("{t:.3f},{x:.4f}"),
    "blanks within names": "Time (s)   Position (m)\n" + lines("{t:.3f}    {x:.4f}"),
    "units within cells": "t,x\n" + lines("{t:.3f} s,{x:.4f} cm"),
    "quantity / unit": "t / s;U / V\n" + lines("{t:.3f};{x:.4f}", comma=True),
    "newest first": "t,x\n" + "\n".join(reversed(lines("{t:.3f},{x:.4f}").splitlines())),
}


def only(table: Table) -> Task:
    return measured_task(table, hold_back=0.0).task


@pytest.mark.parametrize("name", READ_AS_THEY_ARE)
def test_files_of_many_kinds_are_read_as_they_are(name: str) -> None:
    (run,) = only(read_table(READ_AS_THEY_ARE[name].encode())).shown
    assert np.allclose(run.t, T, atol=2e-4)
    assert np.allclose([row[0] for row in run.states], [x for _, x, _ in ROWS], atol=2e-4)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"]
)
def test_encodings_are_found_out(encoding: str) -> None:
    text = "t [s];θ [°]\n" if encoding.startswith("utf") else "t [s];Höhe [°]\n"
    table = read_table((text + lines("{t:.3f};{x:.4f}")).encode(encoding))
    assert [column.unit for column in table.columns] == ["s", "deg"]


def test_a_scope_with_its_settings_beside_the_samples_gives_names_units_and_samples() -> None:
    settings = ["Record Length,50", "Source,CH2", "Vertical Units,V", "Horizontal Units,s", "Model Number,X1"]
    rows = [f"{settings[i] if i < 5 else ','},,{t:.6f},{x:.4f}," for i, (t, x, _) in enumerate(ROWS)]
    table = read_table("\n".join(rows))
    assert [(c.name, c.unit, c.role.kind) for c in table.columns] == [
        ("t", "s", "time"),
        ("CH2", "V", "state"),
    ]


def test_a_scope_that_counts_samples_tells_their_times_in_its_header() -> None:
    head = "X,CH1,Start,Increment,\nSequence,Volt,-1.0e-03,2.0e-05\n"
    (run,) = only(read_table(head + lines("{i},{x:.2e},,"))).shown
    assert run.t[:2] == pytest.approx((-1.0e-3, -0.98e-3))


@pytest.mark.parametrize(
    ("stamp", "step"),
    [
        ("13:00:{s:06.3f}", 0.4),
        ("2024-11-25T13:00:{s:06.3f}+01:00", 0.4),
        ("2024-11-25 13:00:{s:06.3f}", 0.4),
        ("25.11.2024 13:00:{s:06.3f}", 0.4),
        ("11/25/2024 01:{i:02d}:00 PM", 60.0),
        ("25.11.2024,13:00:{s:06.3f}", 0.4),
    ],
)
def test_dates_and_times_of_day_become_seconds_from_the_first(stamp: str, step: float) -> None:
    names = "Date,Time" if "," in stamp else "Time"
    rows = [f"{stamp.format(i=i, s=10 * t)},{x:.4f}" for i, (t, x, _) in enumerate(ROWS[:40])]
    task = only(read_table(f"{names},T\n" + "\n".join(rows)))
    assert task.time_unit == "s"
    assert np.allclose(task.shown[0].t, step * np.arange(40), atol=1e-6)


def test_a_clock_runs_on_past_midnight() -> None:
    rows = [
        f"{(23 * 3600 + 3590 + i) // 3600 % 24:02d}:{(3590 + i) // 60 % 60:02d}:{(3590 + i) % 60:02d},{i * i}"
        for i in range(30)
    ]
    (run,) = only(read_table("time,n\n" + "\n".join(rows))).shown
    assert run.t == tuple(map(float, range(30)))


def test_thousands_are_read_in_either_language() -> None:
    english = "t,p\n" + "\n".join(f'{t:.2f},"{1000 + 400 * x:,.1f}"' for t, x, _ in ROWS)
    german = (
        english.replace(",", "\0")
        .replace(".", ",")
        .replace("\0", ".")
        .replace('."', ';"')
        .replace("t.p", "t;p")
    )
    for text in (english, german):
        (run,) = only(read_table(text)).shown
        assert run.states[0][0] == pytest.approx(1600.0)
        assert run.states[25][0] == pytest.approx(1000 + 400 * ROWS[25][1], abs=0.06)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (
            "Run 1: Time (s),Run 1: X (m),Run 2: Time (s),Run 2: X (m)\n"
            + lines("{t:.3f},{x:.4f},{t:.3f},{v:.4f}"),
            2,
        ),
        (
            '"Time (s) Run #1","X (m) Run #1","Time (s) Run #2","X (m) Run #2"\n'
            + lines("{t},{x:.4f},{t},{v:.4f}"),
            2,
        ),
        ("Run #1,,Run #2,\nTime (s),X (m),Time (s),X (m)\n" + lines("{t:.3f},{x:.4f},{t:.3f},{v:.4f}"), 2),
        ("Time (s),X Run 1 (m),X Run 2 (m)\n" + lines("{t:.3f},{x:.4f},{v:.4f}"), 2),
        ("t1,x1,t2,x2\n" + lines("{t:.3f},{x:.4f},{t:.3f},{v:.4f}"), 2),
        ("t,x\n" + lines("{t:.3f},{x:.4f}") + lines("{t:.3f},{v:.4f}"), 2),
        ("ball,t,x\n" + lines("golf,{t:.3f},{x:.4f}") + lines("tennis,{t:.3f},{v:.4f}"), 2),
        (
            "id,t,x\n"
            + lines("7,{t:.3f},{x:.4f}")
            + lines("9,{t:.3f},{v:.4f}")
            + lines("12,{t:.3f},{x:.4f}"),
            3,
        ),
    ],
)
def test_runs_are_told_apart_side_by_side_by_a_column_or_by_the_time(text: str, runs: int) -> None:
    shown = only(read_table(text)).shown
    assert [len(run.t) for run in shown] == [50] * runs
    assert shown[0].states[1][0] == pytest.approx(ROWS[1][1], abs=1e-4)
    assert shown[1].states[1][0] == pytest.approx(ROWS[1][2], abs=1e-4)


def test_two_bodies_filmed_at_once_are_one_motion() -> None:
    text = ",mass A,,mass B\nt,x,t,x\n" + lines("{t:.3f},{x:.4f},{t:.3f},{v:.4f}")
    task = only(read_table(text))
    assert [v.name for v in task.variables if not v.estimated] == ["x_mass_A", "x_mass_B"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n\n \n", "empty"),
        (b"PK\x03\x04....", "save the sheet as CSV"),
        (b"t,x\n0,\x001\n", "no text"),
        (b"lorem ipsum\n" * 20, "no numbers"),
        (b"1.5\n" * 20, "Only one column"),
        (b"t,x\n0,1\n1,3\n2,2\n", "at least 8"),
    ],
)
def test_what_is_no_table_is_refused_in_one_clear_line(content: bytes, said: str) -> None:
    with pytest.raises(CsvError, match=said) as refused:
        measured_task(read_table(content))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "content",
    [
        ",".join(f"c{i}" for i in range(60_000)).encode(),
        b"\n".join(b",".join(b"1" for _ in range(8_000)) for _ in range(30)),
        (b",".join(b"1" for _ in range(257)) + b"\n") * 20,
        b"," * 2_000_000,
        b'"' * 2_000_000,
        b'"\n' * 500_000,
        (b"1" * 99_000 + b",2\n") * 10,
        b"1:" * 40_000 + b"\n",
        b"(" * 50_000 + b",t\n" + b"1,2\n" * 50,
        b"\n" * 5_000_000,
    ],
    ids=[
        "60,000 names",
        "8,000 columns",
        "257 columns",
        "commas",
        "quotes",
        "quoted ends",
        "digits",
        "colons",
        "brackets",
        "ends",
    ],
)
def test_absurd_files_are_refused_before_they_cost_anything(content: bytes) -> None:
    # No time is asserted; the counts that bound the work are, by the suite's own timeout.
    with pytest.raises(CsvError) as refused:
        measured_task(read_table(content))
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(("count", "fits"), [(256, True), (257, False)])
def test_the_widest_table_is_read_and_one_wider_is_not(count: int, fits: bool) -> None:
    text = "\n".join(",".join(f"{i * (j + 1)}.5" for j in range(count)) for i in range(12))
    if fits:
        assert len(read_table(text).columns) == count
    else:
        with pytest.raises(CsvError, match="257 columns"):
            read_table(text)


def test_a_word_among_the_numbers_is_missing_and_said_with_its_line() -> None:
    text = "t,x,y\n" + "\n".join(f"{i},{i * i if i != 3 else 'nine'},{i**3}" for i in range(12))
    table = read_table(text)
    (problem,) = table.reading
    assert (problem.severity, problem.line) == ("warning", 5)
    assert "'nine'" in problem.message
    assert only(table).shown[0].missing == ((3, 0),)


def test_only_the_cells_that_are_empty_are_left_out() -> None:
    text = "t,x,v\n" + "\n".join(
        f"{t:.3f},{x:.5f}," + ("" if i % 7 == 0 else "NA" if i == 5 else f"{v:.5f}")
        for i, (t, x, v) in enumerate(ROWS)
    )
    (run,) = only(read_table(text)).shown
    assert len(run.t) == 50
    assert [row for row, column in run.missing if column == 1] == [0, 5, *range(7, 50, 7)]
    assert {column for _, column in run.missing} == {1}
    # What is drawn there lies between its neighbours.
    assert run.states[14][1] == pytest.approx((run.states[13][1] + run.states[15][1]) / 2)


@pytest.mark.parametrize("unit", ["%", " V", "kg", " °C"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_one_column_may_carry_its_unit_in_every_cell_and_the_time_none(unit: str, separator: str) -> None:
    text = f"t{separator}x\n" + "".join(f"{t:.2f}{separator}{x:.4f}{unit}\n" for t, x, _ in ROWS)
    table = read_table(text)
    assert [(c.name, c.role.kind) for c in table.columns] == [("t", "time"), ("x", "state")]
    assert table.columns[1].values == pytest.approx([x for _, x, _ in ROWS], abs=1e-4)
    assert table.columns[1].unit == {" °C": "degC"}.get(unit, unit.strip())


def test_numbered_names_below_a_preamble_are_no_units() -> None:
    text = (
        "LabVIEW Measurement\t\nSeparator\tTab\n***End_of_Header***\t\n\t\nChannels\t2\t\t\n"
        "X_Dimension\tTime\tTime\t\nDelta_X\t0.04\t0.04\t\n***End_of_Header***\t\t\t\n"
        "X_Value\th1\th2\tComment\n" + lines("{t:.6f}\t{x:.6f}\t{v:.6f}\t")
    )
    assert [c.label for c in read_table(text).columns] == ["X_Value", "h1", "h2"]


def test_a_comment_with_a_date_names_no_columns() -> None:
    table = read_table("# spring, 2019-05-06\n" + lines("{t:.3f}   {x:.4f}"))
    assert not any("2019" in c.label for c in table.columns)


@pytest.mark.parametrize("remark", ["DS18B20 found", "Software Version,7.1.6", "ready, go"])
@pytest.mark.parametrize("names", ["millis,tempC", "Second,Volt"])
def test_a_header_of_unit_words_below_a_remark_names_the_columns(remark: str, names: str) -> None:
    table = read_table(f"Booting\n{remark}\n{names}\n" + lines("{t:.3f},{x:.4f}"))
    assert [c.label for c in table.columns] == names.split(",")
    assert [c.unit for c in table.columns] == {"millis,tempC": ["ms", None], "Second,Volt": ["s", "V"]}[names]


@pytest.mark.parametrize(
    ("label", "name", "unit"), [("[S] (µM)", "S", "uM"), ("[A] [mM]", "A", "mM"), ("x(t) (m)", "x", "m")]
)
def test_brackets_that_belong_to_a_name_hide_no_unit(label: str, name: str, unit: str) -> None:
    column = read_table(f"t (s),{label}\n" + lines("{t:.3f},{x:.4f}")).columns[1]
    assert (column.name, column.unit) == (name, unit)


def test_zeros_at_the_end_of_a_logger_that_lost_power_are_no_data() -> None:
    rows = "\n".join(f"{i / 10},{2.0 + i * i / 100}" for i in range(30))
    whole = read_table(f"t,x\n{rows}\n".encode())
    cut = read_table(f"t,x\n{rows}\n".encode() + bytes(512))
    assert cut.rows == whole.rows == 30


def test_a_character_that_is_no_text_is_named_with_its_line() -> None:
    with pytest.raises(CsvError, match="Line 3 of the file holds a character that is no text"):
        read_table(b"t,x\n0,1\n1,\x002\n2,3\n")
