from pathlib import Path

import pytest

from physix.engine.outcome import Outcome
from physix.training.evaluate import Played
from physix.training.nano.transfer import transfer_text, write_transfer

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries: not ours to mend


def episode(system: str, seed: int, solved_at: int | None) -> Played:
    solved = solved_at is not None
    return Played(
        system_id=system,
        seed=seed,
        formats=(1.0,),
        matches=(0.5,),
        outcome=Outcome(
            reason="solved" if solved else "budget_exhausted",
            turns=solved_at or 8,
            best_turn=1,
            best_match=0.5,
            generalisation=0.5,
        ),
        recovered=False,
    )


def test_each_seed_is_paired_with_the_start() -> None:
    before = [episode("spring_mass", n, None) for n in range(4)] + [episode("free_fall", 0, 1)]
    after = [episode("spring_mass", n, 2 if n < 2 else None) for n in range(4)] + [episode("free_fall", 0, 1)]
    more = [episode("spring_mass", n, 2) for n in range(4)] + [episode("free_fall", 0, None)]
    text = transfer_text({"before": before, "a": after, "b": more}, ["free_fall"])
    spring = next(line for line in text.splitlines() if line.startswith("| `spring_mass` | 4 |"))
    assert "0.000 → 0.750, 0.750 [" in spring
    assert "| 1 | 1.000 [0.307, 1.000] | -7.000 [–] | -1.000 [-1.000, 0.122] |" in text


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
