from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import physix
from physix.errors import BadInputError, CsvError

T = np.arange(50) * 0.1
TEXT = "t,x\n" + "\n".join(f"{t:.1f},{2 - 4.9 * t * t:.6f}" for t in T)


def test_a_path_a_text_bytes_arrays_and_a_frame_are_the_same_table(tmp_path: Path) -> None:
    path = tmp_path / "drop.csv"
    path.write_text(TEXT)
    arrays = {"t": T.round(1), "x": (2 - 4.9 * T * T).round(6)}
    frame = pd.DataFrame(arrays)
    tasks = {
        physix.task_from_table(physix.read(source), hint="A ball.")[0].task_id
        for source in (path, str(path), TEXT, TEXT.encode(), arrays, frame, frame.set_index("t"))
    }
    assert len(tasks) == 1


def test_dates_in_a_frame_are_times() -> None:
    stamps = pd.date_range("2024-11-25", periods=50, freq="100ms")
    table = physix.read(pd.DataFrame({"T": np.exp(-T)}, index=stamps))
    assert [column.role.kind for column in table.columns] == ["time", "state"]
    assert physix.task_from_table(table)[0].shown[0].t[:2] == pytest.approx((0.0, 0.1))


def test_what_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    for source in (tmp_path / "nothing.csv", "nothing.csv", tmp_path, "a\0b"):
        with pytest.raises(BadInputError, match="Cannot read"):
            physix.read(source)


@pytest.mark.parametrize("columns", [{}, {"t": T}, {"t": T, "x": T[:3]}, {"t": [], "x": []}])
def test_arrays_that_are_no_table_are_refused(columns: dict[str, np.ndarray]) -> None:
    with pytest.raises(CsvError):
        physix.read(columns)
