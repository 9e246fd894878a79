import anyio
import pytest

from bench.obedient import STARTS, play
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Finding, FindingKind, Hypothesis
from physix.policies.obedient import mended, zero_law


def finding(kind: FindingKind, term: str, factor: float, target: str = "d2x/dt2") -> Finding:
    return Finding(kind=kind, target=target, term=term, factor=factor, error=0.1, size=100.0, role="other")


SPRING, _ = sample_task("damped_spring", 7)
FIELD, _ = sample_task("charged_b_field", 7)


@pytest.mark.parametrize(
    ("equation", "params", "findings", "mended_text"),
    [
        ("d2x/dt2 = 0", {}, [finding("missing", "x", -2.5)], "d2x/dt2 = -2.5*x"),
        ("d2x/dt2 = 0", {}, [finding("missing", "1", 9.81)], "d2x/dt2 = 9.81"),
        ("d2x/dt2 = -k*x", {"k": 2.0}, [finding("strength", "-(k*x)", 1.5)], "d2x/dt2 = -3*x"),
        ("d2x/dt2 = k*x", {"k": 2.0}, [finding("sign", "k*x", -1.0)], "d2x/dt2 = -2*x"),
        (
            "d2x/dt2 = -x - 0.1*vx",
            {},
            [finding("superfluous", "-(0.1*vx)", 0.0), finding("missing", "vx*abs(vx)", -0.3)],
            "d2x/dt2 = -1*x - 0.3*vx*abs(vx)",
        ),
        # A part of a product of sums.
        ("d2x/dt2 = -4*(x - 0.5)", {}, [finding("superfluous", "4*0.5", 0.0)], "d2x/dt2 = -4*x"),
        # A term that is there already grows; params inside functions become numbers.
        ("d2x/dt2 = -x", {}, [finding("missing", "x", -0.5)], "d2x/dt2 = -1.5*x"),
        ("d2x/dt2 = a*sin(w*x)/m", {"a": 6.0, "w": 2.0, "m": 3.0}, [], "d2x/dt2 = 2*sin(2*x)"),
        ("d2x/dt2 = 1/x", {}, [finding("strength", "1/x", 3.0)], "d2x/dt2 = 3*1/x"),
    ],
)
def test_a_law_is_mended_as_the_findings_say(
    equation: str, params: dict[str, float | None], findings: list[Finding], mended_text: str
) -> None:
    assert mended(Hypothesis(equation=equation, params=params), findings, SPRING).equation == mended_text


def test_a_finding_changes_its_own_equation_only() -> None:
    law = Hypothesis(equation="d2x/dt2 = vy; d2y/dt2 = vy")
    found = [finding("strength", "vy", 2.0, target="d2y/dt2")]
    assert mended(law, found, FIELD).equation == "d2x/dt2 = 1*vy; d2y/dt2 = 2*vy"


def test_what_does_not_parse_is_left_alone() -> None:
    law = Hypothesis(equation="d2x/dt2 = (")
    assert mended(law, [finding("missing", "x", 1.0)], SPRING) == law


def test_the_zero_law_has_every_equation() -> None:
    assert zero_law(FIELD) == "d2x/dt2 = 0; d2y/dt2 = 0"


@pytest.mark.parametrize("start", STARTS)
def test_doing_only_what_the_findings_say_finds_the_law(start: str) -> None:
    # A light part of bench/obedient.py, which prints the whole table.
    systems = ("free_fall_drag", "damped_pendulum", "damped_spring", "charged_b_field")
    outcomes = [anyio.run(play, start, system, 2_000 + seed) for system in systems for seed in range(2)]
    assert sum(outcome.solved for outcome in outcomes) >= 7
