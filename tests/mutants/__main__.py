"""`make mutants`: break one behaviour at a time and see that the tests of its own room notice.

Each mutant is one small edit of one file, made in a scratch copy of the tree. It is killed if the tests
named with it fail; a survivor is a hole in the tests, and the exit code says so. `--write FILE` puts the
table into the document between its two markers.

Tests run in children forked from this process, which has imported the libraries once and for all, and
nothing of the project.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]
COPIED = (
    *("physix", "tests", "docs", "examples", "bench", "validation", "server"),
    *("openenv.yaml", "pyproject.toml", "README.md", "CONTRIBUTING.md", "constraints.txt"),
)
LIBRARIES = (
    *("numpy", "scipy.integrate", "scipy.stats", "sympy", "hypothesis", "pytest", "pytest_asyncio"),
    *("torch", "transformers", "tokenizers", "pyarrow.parquet"),
    *("anyio", "sqlalchemy", "sqlmodel", "alembic", "pydantic", "pydantic_settings", "orjson", "httpx"),
    *(
        "fastapi.testclient",
        "uvicorn",
        "sse_starlette",
        "openenv.core.env_server.http_server",
        "typer.testing",
    ),
)
# Libraries that are plugins as well were imported before pytest could rewrite their assertions.
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
_BROKEN = 70  # exit code of a child in which pytest itself failed
BEGIN, END = "<!-- mutants -->", "<!-- end of mutants -->"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant."""

    mutant: Mutant
    killed: bool
    killer: str  # the first test that failed
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant whose tests run."""

    mutant: Mutant
    tree: Path
    whole: str  # the file as it was
    process: ForkProcess
    began: float

    @property
    def told(self) -> Path:
        """Where the tests write."""
        return self.tree / "told.txt"


def copy_tree(into: Path) -> Path:
    """Copy what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, into / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            into.mkdir(exist_ok=True)
            shutil.copy(source, into / name)
    return into


def start(mutant: Mutant, tree: Path) -> Trial:
    """Apply the mutant in `tree` and start its tests.

    Raises:
        SystemExit: the text to change is not in the file exactly once: the list is out of date.
    """
    file = tree / mutant.file
    whole = file.read_text()
    if whole.count(mutant.before) != 1:
        sys.exit(f"{mutant.name}: {mutant.file} holds the text {whole.count(mutant.before)} times, not once.")
    _write(file, whole.replace(mutant.before, mutant.after))
    process = multiprocessing.get_context("fork").Process(target=_test, args=(tree, mutant.tests))
    trial = Trial(mutant, tree, whole, process, time.monotonic())
    process.start()
    return trial


def _test(tree: Path, tests: Iterable[str]) -> None:
    """Run tests in this child, and end it with pytest's exit code."""
    import pytest

    with (tree / "told.txt").open("w") as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path.insert(0, str(tree))
    for name in [one for one in sys.modules if one.partition(".")[0] in ("tests", "physix")]:
        del sys.modules[name]
    code = _BROKEN
    with suppress(BaseException):  # else this child would go on where its parent is
        code = int(pytest.main([*_OPTIONS, "--rootdir", str(tree), *tests]))
    sys.stdout.flush()
    os._exit(code)


def finish(trial: Trial) -> Result:
    """Put the file back and return what the tests said.

    Raises:
        SystemExit: the tests did not run.
    """
    trial.process.join()
    _write(trial.tree / trial.mutant.file, trial.whole)
    told, code = trial.told.read_text(), trial.process.exitcode
    # 1: tests failed; 2: the mutant broke a collection. Anything else tells of a broken command.
    if code not in (0, 1, 2):
        sys.exit(f"{trial.mutant.name}: pytest ended with {code}:\n{told[-2500:]}")
    lines = [line for line in told.splitlines() if line.startswith(("FAILED", "ERROR"))]
    killer = lines[0].partition(" ")[2].partition(" - ")[0] if lines else ""
    return Result(trial.mutant, code != 0, killer, time.monotonic() - trial.began)


def _write(file: Path, text: str) -> None:
    """Write a module and forget its bytecode, whose time stamp is too coarse to tell two edits apart."""
    file.write_text(text)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def run_all(mutants: Iterable[Mutant], trees: list[Path]) -> Iterator[Result]:
    """Yield results as they come, as many mutants at a time as there are trees."""
    left = list(mutants)[::-1]
    running: list[Trial] = []
    while left or running:
        while left and trees:
            running.append(start(left.pop(), trees.pop()))
        wait([trial.process.sentinel for trial in running])
        for trial in [one for one in running if not one.process.is_alive()]:
            running.remove(trial)
            yield finish(trial)
            trees.append(trial.tree)


def check_unbroken(mutants: Iterable[Mutant], trees: list[Path]) -> None:
    """See that the tests pass as long as nothing is broken.

    Raises:
        SystemExit: they do not, and so their failing would mean nothing.
    """
    unchanged = {mutant.tests: replace(mutant, after=mutant.before) for mutant in mutants}
    for result in run_all(unchanged.values(), trees):
        if result.killed:
            sys.exit(f"{result.killer or result.mutant.tests} fails though nothing was changed.")


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table, in the order of the list."""
    killed = sum(result.killed for result in results)
    rows = [f"{killed} of {len(results)} killed.", "", "| mutant | file | killed by |", "|---|---|---|"]
    for result in sorted(results, key=lambda one: MUTANTS.index(one.mutant)):
        killer = f"`{result.killer.removeprefix('tests/')}`" if result.killed else "**survived**"
        rows.append(f"| {result.mutant.name} | `{result.mutant.file}` | {killer} |")
    return "\n".join(rows)


def _chosen() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="mutants whose name or file contains this")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--write", type=Path, help="a document with the two markers")
    return arguments.parse_args()


def main() -> int:
    """Run the mutants, two at a time, and return 1 if one survived."""
    options = _chosen()
    chosen = [m for m in MUTANTS if options.only in m.name or options.only in m.file]
    for library in LIBRARIES:
        with suppress(ImportError):
            import_module(library)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        trees = [copy_tree(Path(scratch) / str(number)) for number in range(options.jobs)]
        check_unbroken(chosen, trees)
        for result in run_all(chosen, trees):
            results.append(result)
            what = "killed  " if result.killed else "SURVIVED"
            print(f"{what} {result.seconds:5.1f} s  {result.mutant.name}", flush=True)
    if options.write:
        text = options.write.read_text()
        head, _, rest = text.partition(BEGIN)
        options.write.write_text(f"{head}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}")
    survivors = sum(not result.killed for result in results)
    print(f"{len(results) - survivors} of {len(results)} killed")
    return min(survivors, 1)


if __name__ == "__main__":
    sys.exit(main())
