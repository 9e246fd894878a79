import pytest

from bench.fit import odebench_row, pulls
from bench.verdict import Motion, odebench_motions

# One law of every kind: constants inside a product, an exponent, a ratio, a sine, an exponential; chaos.
LIGHT = ("08", "10", "13", "14", "21", "25", "27", "38", "41", "47", "54", "60")


@pytest.fixture(scope="module")
def motions() -> dict[str, Motion]:
    return {motion.name.removeprefix("odebench-"): motion for motion in odebench_motions(512)}


@pytest.mark.parametrize("case", LIGHT)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_true_form_of_odebench_is_fitted_as_well_as_its_constants(
    motions: dict[str, Motion], case: str, noise: float
) -> None:
    row = odebench_row(motions[case], noise, 3)
    assert row.outcome == "converged"
    assert row.good(noise)


@pytest.mark.soak
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
def test_sixty_of_the_63_forms_of_odebench_are_fitted(motions: dict[str, Motion], noise: float) -> None:
    assert len(motions) == 63
    assert sum(odebench_row(motion, noise, 4).good(noise) for motion in motions.values()) >= 60


@pytest.mark.soak
def test_errors_cover_the_truth() -> None:
    values = [
        pull
        for system_id in ("damped_spring", "free_fall_drag", "damped_pendulum", "projectile_drag")
        for pull in pulls(system_id, 0.02, 40)
    ]
    assert len(values) >= 200
    assert 0.90 <= sum(abs(pull) <= 1.96 for pull in values) / len(values) <= 0.98
