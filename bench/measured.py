"""Is the law of measured files found, and is none claimed that is wrong? One row a file, and the sums.

    python -m bench.measured --folder FOLDER                     # every file that the table knows
    python -m bench.measured --folder FOLDER --only trkA driven
    python -m bench.measured --folder FOLDER --table other.json  # of files of your own

`bench/measured.json` says what is right of a file: laws whose form counts, with constants as value and
relative tolerance; the R² on held-back rows that is asked for; words that reading the file must say; a file
whose verdict must be the same. No law in the list: none may end as `solved`. A row is right if the law that
the episode came to (`physix.engine.answer`) is; it is *wrongly solved* if the episode ended as `solved` with
another. Files are read with the roles that the importer proposes and played in `strict`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.discovery import STRICT, play
from physix.engine.systems.measured import MeasuredTask, measured_task, read_table
from physix.engine.systems.task import Truth
from physix.engine.verifier import parse, verify
from physix.engine.verifier.beside import constants_beside
from physix.engine.verifier.correctness import same_structure
from physix.engine.verifier.tree import ParsedHypothesis, summands
from physix.engine.verifier.types import Hypothesis
from physix.errors import CsvError, PhysixError
from physix.policies.chat.own_law import constants_in


@dataclass(slots=True)
class Row:
    """What became of one file."""

    name: str
    reason: str
    law: str
    right: bool
    notes: list[str] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def wrongly_solved(self) -> bool:
        """The episode claims a law that is not the one."""
        return self.reason == "solved" and not self.right

    def __str__(self) -> str:
        worth = "WRONGLY SOLVED" if self.wrongly_solved else "right" if self.right else "wrong"
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return f"{self.name}: {worth}, {self.reason}, {self.cpu_s:.1f} s{notes}\n    {self.law}"


def measured(path: Path, wanted: Mapping[str, Any], policy: str) -> Row:
    """Let a policy work on a file, and say whether what it came to is right."""
    began = time.process_time()
    try:
        made = measured_task(read_table(path.read_bytes()))
    except CsvError as error:
        return Row(path.stem, "refused", "", wanted.get("said", "\0") in str(error), [str(error)[:200]])
    law, turns, reason = play(made.task, made.truth, policy, STRICT)
    cpu_s = time.process_time() - began
    values = {name: value for name, value in law.params.items() if value is not None}
    shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    row = Row(path.stem, reason, f"{law.equation}  [{shown}]", True, [f"{turns} turns"], cpu_s)
    laws = wanted["laws"]
    row.right = reason != "solved" if not laws else any(_is(made, law, *one) for one in laws)
    _held_back(row, made, law, wanted.get("generalisation"))
    if (said := wanted.get("said")) and not any(said in one.message for one in made.problems):
        row.right = False
        row.notes.append(f"reading it does not say {said!r}")
    return row


def _is(made: MeasuredTask, law: Hypothesis, right: str, within: Mapping[str, tuple[float, float]]) -> bool:
    """Tell whether a law has the right form, and constants within their tolerances of the right ones.

    It has as many terms as the right law, and some constants turn that one into it.
    """
    task = made.task
    names = {name: within[name][0] if name in within else 1.0 for name in constants_in(right, task)}
    true = parse(right, names, task.variables, inputs=task.inputs, functions="extended")
    found = parse(law.equation, law.params, task.variables, inputs=task.inputs, functions="extended")
    if not isinstance(true, ParsedHypothesis):
        raise PhysixError(f"{right}: {true.message}")
    if not isinstance(found, ParsedHypothesis) or _terms(found) != _terms(true):
        return False
    if not same_structure(true, task, Truth(equation=law.equation, params=dict(found.params), hidden=())):
        return False
    return all(_near(row.found, row.true, within) for row in constants_beside(found, true))


def _terms(law: ParsedHypothesis) -> list[int]:
    """Return how many terms each equation has; neither search nor table brackets sums of terms."""
    return [len(list(summands(equation.expression))) for equation in law.equations]


def _near(found: float | None, true: float | None, within: Mapping[str, tuple[float, float]]) -> bool:
    """Tell whether a coefficient is the known one that it stands for; unknown ones may be anything."""
    for value, tolerance in within.values():
        if true is not None and abs(abs(true) - value) <= 1e-12 * value:
            return found is not None and abs(abs(found) - value) <= tolerance * value
    return True


def _held_back(row: Row, made: MeasuredTask, law: Hypothesis, asked: float | None) -> None:
    told = verify(made.task, made.truth, law, best_match=0.0, config=STRICT)
    if told.generalisation is not None:
        row.notes.append(f"held back {told.generalisation:.3f}")
    if asked is not None and (told.generalisation or 0.0) < asked:
        row.right = False
        row.notes.append(f"{asked} were asked for")


def main() -> None:
    """Read the options, play, print."""
    parser = argparse.ArgumentParser(description="Is the law of measured files found?")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--only", nargs="+", help="names of files, without .csv")
    parser.add_argument("--policy", default="search")
    options = parser.parse_args()
    table: dict[str, dict[str, Any]] = json.loads(options.table.read_text(encoding="utf-8"))
    names = options.only or list(table)
    rows: dict[str, Row] = {}
    for name in names:
        path = options.folder / f"{name}.csv"
        if not path.exists():
            parser.error(f"{path} is not there.")
        rows[name] = measured(path, table[name], options.policy)
        print(rows[name], flush=True)
    for name, row in rows.items():
        twin = rows.get(table[name].get("as", ""))
        if twin is not None and twin.reason != row.reason:
            row.right = False
            print(f"{name}: wrong, {row.reason}, but {twin.name} {twin.reason}")
    right, wrong = sum(row.right for row in rows.values()), sum(row.wrongly_solved for row in rows.values())
    print(f"{right} of {len(rows)} rows right, {wrong} solved by a wrong law")


if __name__ == "__main__":
    main()
