"""`tools/conformance` with a server and a Schemathesis of ours: what it counts, and what makes it fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "conformance"
# It names a port, answers that the server is ready, and serves.
PYTHON = """
import signal, sys
if "serve" in sys.argv:
    signal.pause()
"""
# Whole rounds until that of the last seed, which says something and ends as it is told to.
SCHEMATHESIS = """
import pathlib, sys
seed = sys.argv[sys.argv.index("--seed") + 1]
with pathlib.Path(__file__).with_name("seeds").open("a") as seeds:
    seeds.write(seed + " ")
if seed == "3":
    print({said!r})
    sys.exit({code})
"""
TIME_IS_UP = 124  # as timeout says it


def conformance(folder: Path, *, said: str, code: int) -> subprocess.CompletedProcess[str]:
    for name, text in {"python": PYTHON, "schemathesis": SCHEMATHESIS.format(said=said, code=code)}.items():
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(0o755)
    command = [str(TOOL), str(folder / "python"), str(folder / "schemathesis"), "600"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_every_round_has_a_seed_of_its_own_and_the_whole_ones_are_counted(tmp_path: Path) -> None:
    ended = conformance(tmp_path, said="✅ 59 passed", code=TIME_IS_UP)
    assert (tmp_path / "seeds").read_text() == "1 2 3 "
    assert "\n2 whole rounds without a failure" in ended.stdout
    assert ended.returncode == 0


@pytest.mark.parametrize("code", [1, TIME_IS_UP], ids=["whole", "interrupted by the clock"])
def test_a_round_that_found_something_fails_it(tmp_path: Path, code: int) -> None:
    ended = conformance(tmp_path, said="❌ 1 failed", code=code)
    assert (ended.returncode, "without a failure" in ended.stdout) == (1, False)
