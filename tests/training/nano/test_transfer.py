from pathlib import Path

import pytest

from physix.training.evaluate import Outcome
from physix.training.nano.transfer import over_seeds, transfer_text, write_transfer

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend


def outcome(system: str, seed: int, solved_at: int | None) -> Outcome:
    return Outcome(
        system_id=system,
        seed=seed,
        formats=(1.0,),
        matches=(0.5,),
        generalisation=0.5,
        recovered=False,
        solved_at=solved_at,
    )


def test_an_interval_over_seeds_is_students() -> None:
    gain = over_seeds([0.1, 0.2, 0.3])
    assert gain.mean == pytest.approx(0.2)
    assert gain.high - gain.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, abs=1e-4)
    with pytest.raises(ValueError, match="two of them"):
        over_seeds([0.1])


def test_each_seed_is_paired_with_the_start() -> None:
    before = [outcome("spring_mass", n, None) for n in range(4)] + [outcome("free_fall", 0, 1)]
    after = [outcome("spring_mass", n, 2 if n < 2 else None) for n in range(4)] + [outcome("free_fall", 0, 1)]
    more = [outcome("spring_mass", n, 2) for n in range(4)] + [outcome("free_fall", 0, None)]
    text = transfer_text({"before": before, "a": after, "b": more}, ["free_fall"])
    spring = next(line for line in text.splitlines() if line.startswith("| `spring_mass` | 4 |"))
    assert "0.000 → 0.750, 0.750 [" in spring
    assert "| 1 | 1.000 [1.000, 1.000] | -7.000 [-7.000, -7.000] | -1.000 [-1.000, -1.000] |" in text


def test_folders_are_measured_on_the_same_tasks(tiny_folder: Path, tmp_path: Path) -> None:
    path = write_transfer(
        tiny_folder,
        [tiny_folder, tiny_folder],
        tmp_path / "out",
        episodes=2,
        other_episodes=2,
        demonstrated=["free_fall"],
        systems=("free_fall", "spring_mass"),
    )
    assert "| all without demonstrations | 2 | 0.000 → 0.000, 0.000 [0.000, 0.000]" in path.read_text()
