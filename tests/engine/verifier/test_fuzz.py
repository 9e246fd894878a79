import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from tests.engine.verifier import sentences

ROOT = Path(__file__).parents[3]
TASK, TRUTH = sample_task("projectile_drag", 3)
PIECES = st.sampled_from(
    "x y vx vy t pi k 1 0 2 0.5 1e12 -1 sin( cos( tan( exp( log( sqrt( abs( ( ) + - * / ** ; ^ .".split()
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=30), st.lists(PIECES, max_size=30), st.floats())
def test_no_sentence_of_grammar_pieces_breaks_the_verifier(
    left: list[str], right: list[str], k: float
) -> None:
    equation = f"d2x/dt2 = {' '.join(left)}; d2y/dt2 = {' '.join(right)}"
    hypothesis = Hypothesis(equation=equation, params={"k": k})
    verified = verify(TASK, TRUTH, hypothesis, best_match=0.0, config=VerifierConfig(max_evaluations=2_000))
    json.dumps(asdict(verified), allow_nan=False)
    assert verified.simulation.evaluations <= 2_000
    assert 0.0 <= verified.reward.total <= 1.0


def test_coverage_guided_fuzzing_finds_no_crash(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.engine.verifier.fuzz", "-runs=15000", "-seed=1", "-max_len=120"]
    done = subprocess.run(
        [*command, f"-artifact_prefix={tmp_path}/"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 15000" in done.stderr


MEMORY = """
import resource
from physix.engine.systems import sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from tests.engine.verifier import sentences
task, truth = sample_task("free_fall", 1)
config = VerifierConfig()
def batch(first, last):
    for i in range(first, last):
        kind = i % 20
        if kind == 1: equation, params = "d2y/dt2 = -g", {"g": 9.0 + i * 1e-6}
        elif kind == 2: equation, params = f"d2y/dt2 = log(-{i} - 1)", {}
        elif kind == 3: equation, params = "d2y/dt2 = -9.81" + "*(1 + 0*t)" * (i // 20 % 12) + f"-{i}e-9", {}
        else: equation, params = f"d2y/dt2 = -{i}.5*y0", {"c": float(i)}
        verify(task, truth, Hypothesis(equation=equation, params=params), best_match=0.0, config=config)
def kilobytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024
batch(0, 20_000)
before = kilobytes()
batch(20_000, 100_000)
print(kilobytes() - before)
"""


def test_memory_stays_flat_over_a_hundred_thousand_verifications() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8_000, f"grew by {done.stdout.strip()} kB"


def test_no_random_law_breaks_the_verifier_on_any_kind_of_task() -> None:
    sentences.run(500, seed=7)


@pytest.mark.soak
def test_no_law_of_two_million_breaks_the_verifier() -> None:
    command = [sys.executable, "-m", "tests.engine.verifier.fuzz", "--runs", "2000000"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done 1000000" in done.stderr
