"""`physix train report`: it says how far it is, and its files hold every part that it played."""

import json
from importlib import resources
from pathlib import Path

from physix.training.report import write_report


def test_a_report_says_how_much_there_is_to_do_and_holds_all_of_it(tmp_path: Path) -> None:
    lines: list[str] = []
    weights = Path(str(resources.files("physix.policies.nano") / "weights" / "nano.npz"))
    path = write_report(
        weights, tmp_path, [], episodes=2, search_episodes=0, other_episodes=2, say=lines.append
    )
    total = int(lines[0].split()[0])
    parts = [line.partition(": ")[0] for line in lines[1:]]
    assert lines[0] == f"{total} episodes in {len(parts)} parts"
    assert f"{total} of {total} episodes" in lines[-1]
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    assert {name.partition(": ")[0] for name in outcomes} == set(parts)
    # 2 episodes of each of six systems, of the held-out tier's two; arms drop what turn 1 solved.
    conditions = [name for name in outcomes if " | " in name]
    assert {name: len(outcomes[name]) for name in conditions} == {
        name: 4 if "held-out" in name else 12 for name in conditions
    }
    assert all(f"| {name.replace(' | ', ', ')} |" in path.read_text() for name in conditions)
