import numpy as np
import pytest

from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth
from physix.engine.verifier import ParsedHypothesis, correctness, parse, same_structure, verify
from physix.engine.verifier.types import Correctness, Hypothesis, VerifierConfig


def judge(system_id: str, equation: str, params: dict[str, float] | None = None) -> Correctness:
    task, truth = sample_task(system_id, 2)
    hypothesis = Hypothesis(equation=equation, params=params or truth.params)
    result = verify(task, truth, hypothesis, best_match=0.0, config=VerifierConfig()).correctness
    assert result is not None
    return result


def structure(system_id: str, equation: str, params: dict[str, float] | None = None) -> bool | None:
    task, truth = sample_task(system_id, 2)
    law = parse(equation, params or truth.params, task.variables)
    assert isinstance(law, ParsedHypothesis)
    return same_structure(law, task, truth)


REWRITES = [
    ("simple_pendulum", "d2theta/dt2 = -g*sin(theta)/L"),
    ("simple_pendulum", "d2theta/dt2 = sin(theta)*(-g/L) + 0*dtheta"),
    ("damped_spring", "d2x/dt2 = (0 - k*x - b*vx)/m"),
    ("damped_spring", "d2x/dt2 = -(k*x/m + b*vx/m)"),
    ("free_fall_drag", "d2y/dt2 = k*abs(vy)**2 - g"),
    ("projectile_drag", "d2y/dt2 = -(g + k*vy*(vx*vx + vy*vy)**0.5); d2x/dt2 = -vx*k*(vx**2 + vy**2)**0.5"),
    ("charged_b_field", "d2x/dt2 = vy*q*B/m; d2y/dt2 = -(vx*q/m)*B"),
]


@pytest.mark.parametrize(("system_id", "equation"), REWRITES)
def test_a_rewritten_law_is_exact(system_id: str, equation: str) -> None:
    assert judge(system_id, equation).verdict == "exact"


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_the_verdict_follows_the_error_of_the_field(system_id: str) -> None:
    _, truth = sample_task(system_id, 2)
    verdicts = []
    for error in (0.0, 1e-3, 0.5):
        scaled = "; ".join(
            f"{left}= (1 + {error})*({right})"
            for left, right in (e.split("=") for e in (truth.equation or "").split(";"))
        )
        result = judge(system_id, scaled, truth.params)
        verdicts.append(result.verdict)
        assert result.field_error == pytest.approx(error, abs=1e-9)
    assert verdicts == ["exact", "recovered", "different"]


@pytest.mark.parametrize("wrong", [0, 1])
def test_of_several_equations_the_worst_one_counts(wrong: int) -> None:
    _, truth = sample_task("charged_b_field", 2)
    sides = [one.split("=") for one in (truth.equation or "").split(";")]
    parts = [
        f"{left}= {1.5 if place == wrong else 1.0}*({right})" for place, (left, right) in enumerate(sides)
    ]
    found = judge("charged_b_field", "; ".join(parts), truth.params)
    assert found.field_error == pytest.approx(0.5)
    assert found.verdict == "different"


def test_a_law_that_is_undefined_nearby_is_different() -> None:
    assert judge("spring_mass", "d2x/dt2 = -(k/m)*x + 0*log(x)") == Correctness(
        field_error=None, verdict="different"
    )


def test_what_did_not_parse_is_different_and_a_csv_has_no_verdict() -> None:
    assert judge("free_fall", "d2y/dt2 = ").verdict == "different"


STRUCTURES = [
    ("simple_pendulum", "d2theta/dt2 = -1*sin(theta)", True),
    ("simple_pendulum", "d2theta/dt2 = -1*theta", False),
    ("free_fall", "d2y/dt2 = -9.8 + 3*vy", True),  # 3 may become 0
    ("free_fall_drag", "d2y/dt2 = -1 + 1*vy**2", True),
    ("free_fall_drag", "d2y/dt2 = -1 - 1*vy", False),
    ("damped_spring", "d2x/dt2 = -1*x - 1*vx", True),
    ("damped_spring", "d2x/dt2 = -1*x", False),
    ("projectile_drag", "d2x/dt2 = -1*vx*sqrt(vx**2+vy**2); d2y/dt2 = -1 - 1*vy*sqrt(vx**2+vy**2)", True),
    ("projectile_drag", "d2x/dt2 = -1*vx; d2y/dt2 = -1 - 1*vy", False),
    ("charged_b_field", "d2x/dt2 = 1*vy; d2y/dt2 = -1*vx", True),
]


@pytest.mark.parametrize(("system_id", "equation", "same"), STRUCTURES)
def test_structure_is_compared_up_to_constants(system_id: str, equation: str, same: bool) -> None:
    assert structure(system_id, equation) is same


@pytest.mark.parametrize("system_id", SYSTEMS)
def test_every_truth_has_its_own_structure(system_id: str) -> None:
    _, truth = sample_task(system_id, 2)
    assert structure(system_id, truth.equation or "", dict.fromkeys(truth.params, 1.0)) is True


def pendulum(hidden_amplitude: float) -> tuple[Task, Truth]:
    """A pendulum shown at small swings, and hidden ones at another amplitude; motions need not be exact."""
    t = np.linspace(0.0, 6.0, 60)

    def swing(amplitude: float) -> Trajectory:
        states = np.stack([amplitude * np.cos(t), -amplitude * np.sin(t)], axis=1)
        return Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))

    variables = (
        StateVariable(name="theta", unit="rad", symbol="q", description="angle"),
        StateVariable(name="w", unit="rad/s", symbol="w", description="rate", rate_of="theta"),
    )
    task = Task(
        task_id="p",
        system_id="p",
        title="p",
        tier=1,
        seed=0,
        variables=variables,
        time_unit="s",
        shown=(swing(0.1),),
        noise=0.0,
        hint="",
    )
    truth = Truth(
        equation="d2theta/dt2 = -a*sin(theta)", params={"a": 4.0}, hidden=(swing(hidden_amplitude),)
    )
    return task, truth


@pytest.mark.parametrize(("hidden_amplitude", "same"), [(0.1, True), (2.5, False)])
def test_laws_are_compared_wherever_a_motion_of_the_problem_goes(hidden_amplitude: float, same: bool) -> None:
    # theta for sin(theta) is off by 0.1 % at 0.1 rad: along the shown swings alone nothing tells them apart.
    task, truth = pendulum(hidden_amplitude)
    law = parse("d2theta/dt2 = -a*theta", {"a": 4.0}, task.variables)
    assert isinstance(law, ParsedHypothesis)
    assert same_structure(law, task, truth) is same
    found = correctness(law, task, truth)
    assert found is not None
    assert (found.verdict == "recovered") is same


DIFFERENT = [
    ("d2theta/dt2 = -a*theta", False),
    ("d2theta/dt2 = -a*theta + b*theta**3", False),
    ("d2theta/dt2 = -a*sin(theta) - b*w", True),  # b may become 0
    ("d2theta/dt2 = -a*sin(b*theta)", True),
    ("d2theta/dt2 = -a*sin(theta/b + c)", True),
    ("d2theta/dt2 = -a*tan(theta)", False),
    ("d2theta/dt2 = -a*cos(theta)", False),
    ("d2theta/dt2 = -a*cos(theta + b)", True),
    ("d2theta/dt2 = -a*w", False),
    ("d2theta/dt2 = -2*a*sin(theta/2)*cos(theta/2)", True),
    ("d2theta/dt2 = -a/sqrt(1 + b/sin(theta)**2)", False),  # has no sign
    ("d2theta/dt2 = a*exp(b*t)*sin(theta)", True),  # b may become 0
]


@pytest.mark.parametrize(("equation", "same"), DIFFERENT)
def test_constants_are_searched_before_a_form_is_called_different(equation: str, same: bool) -> None:
    task, truth = pendulum(2.5)
    names = [name for name in "abc" if name in equation.split("=")[1].replace("tan", "").replace("cos", "")]
    law = parse(equation, dict.fromkeys(names, 1.0), task.variables)
    assert isinstance(law, ParsedHypothesis)
    assert same_structure(law, task, truth) is same
