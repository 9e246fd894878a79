import pytest
from scipy.stats import t as student

from physix.engine.examine import constant


@pytest.mark.parametrize("freedom", [0, 1, 5, 200])
def test_the_interval_of_a_constant_is_students(freedom: int) -> None:
    found = constant("k", 2.0, 0.1, freedom, "1/s")
    far = float(student.ppf(0.975, max(1, freedom))) * 0.1
    assert (found.low, found.high) == (2.0 - far, 2.0 + far)


def test_a_constant_without_an_error_has_no_interval() -> None:
    assert constant("k", 2.0, None, 5, None).low is None
