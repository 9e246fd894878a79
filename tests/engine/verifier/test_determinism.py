import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.verifier import verify
from physix.engine.verifier.reading import forget_read
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig

SCRIPT = """
import sys
from tests.engine.verifier.test_determinism import digest
print(digest(forget=sys.argv[1] == "forget"))
"""

TASKS = {system_id: sample_task(system_id, 4) for system_id in SYSTEMS}


def hypotheses(system_id: str) -> list[Hypothesis]:
    """The truth, wrong constants, and what fails in every way."""
    task, truth = TASKS[system_id]
    law = truth.equation or ""
    wrong = {name: value * 1.1 for name, value in truth.params.items()}
    rate = task.variables[-1].name
    failing = [f"{law} + {extra}" for extra in (f"1e9*{rate}", "log(1-t)", "1/(t-1)")]
    return [
        Hypothesis(equation=law, params=truth.params),
        Hypothesis(equation=law, params=wrong),
        *(Hypothesis(equation=text, params=truth.params) for text in failing),
        Hypothesis(equation="nonsense("),
    ]


def run(system_id: str, hypothesis: Hypothesis) -> Verification:
    # A copy of the task is another object: no answer comes from the cache of verifications.
    task, truth = TASKS[system_id]
    return verify(replace(task), replace(truth), hypothesis, best_match=0.1, config=VerifierConfig())


def digest(*, forget: bool) -> str:
    total = hashlib.sha256()
    for system_id in SYSTEMS:
        for hypothesis in hypotheses(system_id):
            if forget:
                forget_read()
            verified = run(system_id, hypothesis)
            total.update(json.dumps(asdict(verified), sort_keys=True).encode())
    return total.hexdigest()


def in_process(hash_seed: str, mode: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_processes_hash_seeds_and_caches_change_no_bit() -> None:
    here = digest(forget=False)
    assert digest(forget=True) == here
    assert in_process("0", "keep") == here
    assert in_process("12345", "forget") == here


def test_eight_threads_give_the_same_bits_as_one() -> None:
    work = [(system_id, one) for system_id in SYSTEMS for one in hypotheses(system_id)]
    alone = [run(*one) for one in work]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: run(*one), work * 42))
    assert len(together) >= 2_000
    assert together == alone * 42


def test_a_cached_answer_is_the_computed_one() -> None:
    task, truth = sample_task("simple_pendulum", 4)
    for hypothesis in hypotheses("simple_pendulum"):
        first = verify(task, truth, hypothesis, best_match=0.1, config=VerifierConfig())
        assert verify(task, truth, hypothesis, best_match=0.1, config=VerifierConfig()) is first
        assert run("simple_pendulum", hypothesis) == first


def test_the_cache_tells_apart_what_python_calls_equal() -> None:
    task, truth = sample_task("free_fall", 4)

    def outcome(value: object) -> tuple[str | None, float]:
        hypothesis = Hypothesis(equation="d2y/dt2 = -1/k", params={"k": value})  # type: ignore[dict-item]  # what a stranger may send
        verified = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig())
        rejection = verified.parse.rejection
        return None if rejection is None else rejection.code, verified.reward.format

    assert outcome(1.0)[0] is None
    assert outcome(True)[0] == "bad_param_value"
    assert outcome(1)[0] is None
