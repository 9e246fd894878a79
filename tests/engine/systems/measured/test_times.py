import numpy as np
import pytest

from physix.engine.systems.measured import measured_task, read_table, table_from_columns
from physix.engine.systems.measured.task import MeasuredTask


def made(t: np.ndarray, x: np.ndarray, *, fmt: str = "{:.6f}") -> MeasuredTask:
    text = "t,x\n" + "\n".join(f"{fmt.format(a)},{b:.8f}" for a, b in zip(t, x, strict=True))
    return measured_task(read_table(text), hold_back=0.0)


def said(task: MeasuredTask) -> str:
    return " ".join(map(str, task.problems))


@pytest.mark.parametrize("digits", [3, 2])
def test_stamps_of_few_digits_go_back_on_their_grid(digits: int) -> None:
    t = np.arange(120) / 240
    task = made(t, np.cos(5 * t), fmt=f"{{:.{digits}f}}")
    assert len(task.task.shown[0].t) == 120
    assert np.diff(task.task.shown[0].t) == pytest.approx(np.full(119, 1 / 240), rel=5e-3)
    assert "even grid" in said(task)


def test_a_clock_of_whole_seconds_gives_its_many_samples_back() -> None:
    rows = "\n".join(f"12:00:{i // 5:02d},{np.cos(i / 20):.5f}" for i in range(200))
    (run,) = measured_task(read_table("time,x\n" + rows), hold_back=0.0).task.shown
    assert np.diff(run.t) == pytest.approx(np.full(199, 0.2), rel=0.02)


def test_times_that_are_even_or_truly_irregular_stay_as_they_are() -> None:
    even = np.arange(60) * 0.04
    assert made(even, np.cos(even)).task.shown[0].t == pytest.approx(even)
    irregular = np.cumsum(np.random.default_rng(4).uniform(0.05, 0.3, 60))
    assert made(irregular, np.cos(irregular)).task.shown[0].t == pytest.approx(irregular, abs=1e-6)


@pytest.mark.parametrize("lost", [[30], [10, 70], [5, 40, 90], [18, 39, 61, 80]])
@pytest.mark.parametrize("step", [0.01, 0.1, 1.0])
def test_a_sample_that_was_lost_leaves_a_hole_and_moves_no_other(step: float, lost: list[int]) -> None:
    t = np.delete(np.arange(100) * step, lost)
    task = made(t, np.cos(t / step / 9), fmt="{:.2f}")
    assert task.task.shown[0].t == pytest.approx(t, abs=1e-9)
    assert "even grid" not in said(task)


def test_a_row_without_a_state_is_no_hole_in_a_rounded_grid() -> None:
    t = np.arange(120) / 120
    rows = [f"{a:.2f},{np.cos(5 * a):.6f}" for a in t]
    for empty in (20, 21, 50, 90):
        rows[empty] = rows[empty].split(",")[0] + ","
    task = measured_task(read_table("t,x\n" + "\n".join(rows)), hold_back=0.0)
    assert task.task.shown[0].t == pytest.approx(np.delete(t, [20, 21, 50, 90]), abs=5e-3)
    assert np.diff(task.task.shown[0].t)[:19] == pytest.approx(np.full(19, 1 / 120), rel=5e-3)


def test_99_samples_a_second_stamped_in_hundredths_go_back_on_their_grid() -> None:
    t = np.arange(600) / 99
    task = made(t, np.cos(5 * t), fmt="{:.2f}")
    assert np.diff(task.task.shown[0].t) == pytest.approx(np.full(599, 1 / 99), rel=1e-3)


def test_rows_of_one_time_are_averaged_and_that_is_said() -> None:
    t = np.array([0, 0.11, 0.23, 0.23, 0.31, 0.47, 0.52, 0.68, 0.7, 0.9])
    x = np.array([5.0, 4, 3, 2, 1, 0, -1, -2, -3, -4])
    task = made(t, x)
    assert task.task.shown[0].states[2] == (2.5,)
    assert "averaged" in said(task)


def test_rows_in_disorder_are_sorted_and_that_is_said() -> None:
    t = np.arange(40) * 0.1
    order = np.arange(40)
    order[[10, 20, 30]] = order[[20, 30, 10]]
    task = made(t[order], (t**2)[order])
    assert task.task.shown[0].t == pytest.approx(t)
    assert [row[0] for row in task.task.shown[0].states] == pytest.approx(t**2)
    assert "sorted" in said(task)


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "s"), (1e3, "ms")])
def test_an_epoch_counts_from_its_first_row_in_its_unit(scale: float, unit: str) -> None:
    t = 1_732_560_000.0 + np.arange(50) * 0.1
    task = made(t * scale, np.exp(-np.arange(50) / 10), fmt="{:.3f}")
    assert task.task.time_unit == unit
    assert task.task.shown[0].t[:3] == pytest.approx((0.0, 0.1 * scale, 0.2 * scale), abs=1e-4 * scale)


def test_a_million_rows_are_thinned_without_aliasing() -> None:
    """A tone at the first frequency that folds back to a slow one is gone, the motion is not."""
    t = np.arange(1_000_000) * 1e-4  # kept: every 100th, 10 ms apart
    motion, tone = np.cos(2 * np.pi * 0.5 * t), 0.5 * np.cos(2 * np.pi * 100.3 * t)
    task = measured_task(table_from_columns({"t": t, "x": motion + tone}), hold_back=0.0)
    (run,) = task.task.shown
    assert 9_000 < len(run.t) <= 10_000
    kept = np.array([row[0] for row in run.states])
    assert np.abs(kept - np.cos(2 * np.pi * 0.5 * np.array(run.t))).max() < 0.05 * 0.5 + 1e-3
    assert "thinned" in said(task)


def test_thinning_keeps_a_quadratic_exactly_on_uneven_times_and_averages_noise() -> None:
    rng = np.random.default_rng(2)
    t = np.cumsum(rng.uniform(0.5, 1.5, 40_000)) * 1e-3
    (run,) = measured_task(
        table_from_columns({"t": t, "y": 3 - 0.2 * t - 4.9 * t**2}), hold_back=0.0
    ).task.shown
    exact = 3 - 0.2 * np.array(run.t) - 4.9 * np.array(run.t) ** 2
    assert np.array(run.states)[:, 0] == pytest.approx(exact, rel=1e-9, abs=1e-6)
    noisy = table_from_columns({"t": t, "y": np.ones_like(t) + 0.1 * rng.standard_normal(len(t))})
    (run,) = measured_task(noisy, hold_back=0.0).task.shown
    assert np.array(run.states)[:, 0].std() < 0.08


def test_stamps_of_a_frame_count_from_the_first_that_is_there() -> None:
    stamps = np.datetime64("2024-01-01", "ns") + np.arange(50) * np.timedelta64(3, "s")
    stamps[0] = np.datetime64("NaT")
    table = table_from_columns({"t": stamps, "x": np.cos(np.arange(50) / 5.0)})
    assert table.columns[0].role.kind == "time"
    assert table.columns[0].values[1:4] == pytest.approx([0.0, 3.0, 6.0])
