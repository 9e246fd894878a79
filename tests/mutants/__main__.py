"""`make mutants`: break one behaviour at a time and see that the tests of its own room notice.

Each mutant is one small edit of one file, made in a scratch copy of the tree. It is killed if the tests
named with it fail; a survivor is a hole in the tests, and the exit code says so. `--write FILE` puts the
table into the document between its two markers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIED = (
    *("physix", "tests", "docs", "examples", "bench", "validation", "server"),
    *("openenv.yaml", "pyproject.toml", "README.md", "CONTRIBUTING.md", "constraints.txt"),
)
BEGIN, END = "<!-- mutants -->", "<!-- end of mutants -->"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    killed: bool
    killer: str  # the first test that failed
    seconds: float


def copy_tree(into: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, into / name)


def run(mutant: Mutant, tree: Path) -> Result:
    """Apply the mutant in `tree`, run its tests, and put the file back.

    Raises:
        SystemExit: the text to change is not in the file exactly once: the list is out of date.
    """
    file = tree / mutant.file
    whole = file.read_text()
    if whole.count(mutant.before) != 1:
        sys.exit(f"{mutant.name}: {mutant.file} holds the text {whole.count(mutant.before)} times, not once.")
    _write(file, whole.replace(mutant.before, mutant.after))
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.tests]
    done = subprocess.run(
        command,
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )
    _write(file, whole)
    # 1: tests failed; 2: the mutant broke a collection. Anything else tells of a broken command.
    if done.returncode not in (0, 1, 2):
        sys.exit(
            f"{mutant.name}: pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    killer = lines[0].split(" ")[1] if lines else ""
    return Result(mutant, done.returncode != 0, killer, time.monotonic() - began)


def _write(file: Path, text: str) -> None:
    """Write a module and forget its bytecode, whose time stamp is too coarse to tell two edits apart."""
    file.write_text(text)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    killed = sum(result.killed for result in results)
    rows = [f"{killed} of {len(results)} killed.", "", "| mutant | file | killed by |", "|---|---|---|"]
    for result in results:
        killer = f"`{result.killer.removeprefix('tests/')}`" if result.killed else "**survived**"
        rows.append(f"| {result.mutant.name} | `{result.mutant.file}` | {killer} |")
    return "\n".join(rows)


def main() -> int:
    """Run the mutants, two at a time, and return 1 if one survived."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="mutants whose name or file contains this")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--write", type=Path, help="a document with the two markers")
    options = arguments.parse_args()
    chosen = [m for m in MUTANTS if options.only in m.name or options.only in m.file]
    trees: SimpleQueue[Path] = SimpleQueue()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.jobs):
            tree = Path(scratch) / str(number)
            tree.mkdir()
            copy_tree(tree)
            trees.put(tree)

        def work(mutant: Mutant) -> Result:
            tree = trees.get()
            try:
                result = run(mutant, tree)
            finally:
                trees.put(tree)
            print(
                f"{'killed  ' if result.killed else 'SURVIVED'} {result.seconds:5.1f} s  {mutant.name}",
                flush=True,
            )
            return result

        with ThreadPoolExecutor(options.jobs) as pool:
            results = list(pool.map(work, chosen))
    if options.write:
        text = options.write.read_text()
        head, _, rest = text.partition(BEGIN)
        options.write.write_text(f"{head}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}")
    survivors = sum(not result.killed for result in results)
    print(f"{len(results) - survivors} of {len(results)} killed")
    return min(survivors, 1)


if __name__ == "__main__":
    sys.exit(main())
