"""What generalisation is measured on."""

import pytest

from physix.engine.systems import sample_task
from physix.engine.systems.measured import task_from_csv
from physix.engine.systems.task import carried_to

HEAD = "t,x\n"


def table(start: float = 0.0, rows: int = 20) -> str:
    return HEAD + "".join(f"{start + i / 10:.1f},{0.9**i:.6f}\n" for i in range(rows))


def test_a_sampled_task_is_carried_to_other_starts() -> None:
    assert carried_to(*sample_task("spring_mass", 5)) == "other starts"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"hold_back": 0.0}, None),
        ({"hold_back": 0.25}, "held-back rows"),
        ({"held_back_csv": table(), "hold_back": 0.0}, "second file"),
    ],
)
def test_measured_data_are_carried_to_what_was_held_back(
    options: dict[str, object], expected: str | None
) -> None:
    assert carried_to(*task_from_csv(table(), hint="It decays.", **options)) == expected  # type: ignore[arg-type]  # the cases name options
