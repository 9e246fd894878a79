import numpy as np
import pytest
from scipy.stats import binomtest

from physix.training.intervals import (
    Interval,
    mean_difference,
    mean_interval,
    seeds_interval,
    share_difference,
    share_interval,
)


def bounds(found: Interval) -> tuple[object, object]:
    return found.low, found.high


@pytest.mark.parametrize(("solved", "count"), [(0, 80), (1, 80), (40, 80), (80, 80), (1, 1), (3, 7)])
def test_a_share_has_wilsons_interval(solved: int, count: int) -> None:
    found = share_interval([True] * solved + [False] * (count - solved))
    oracle = binomtest(solved, count).proportion_ci(method="wilson")
    assert bounds(found) == (pytest.approx(oracle.low), pytest.approx(oracle.high))
    assert found.mean == solved / count


def test_none_of_eighty_leaves_room_for_doubt() -> None:
    found = share_interval([False] * 80)
    assert found.low == 0.0
    assert found.high == pytest.approx(0.0458, abs=1e-4)


def test_a_mean_has_about_the_interval_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400).tolist()
    found = mean_interval(values)
    half = 1.96 * float(np.std(values, ddof=1)) / 20
    assert found.mean == pytest.approx(np.mean(values))
    assert bounds(found) == (
        pytest.approx(np.mean(values) - half, abs=0.03),
        pytest.approx(np.mean(values) + half, abs=0.03),
    )
    assert found == mean_interval(values[::-1])


def test_equal_values_say_nothing_of_their_spread() -> None:
    for values in ([9.0] * 80, [0.4]):
        found = mean_interval(values)
        assert (found.mean, found.low, found.high) == (values[0], None, None)
    assert str(mean_interval([9.0] * 80)) == "9.000 [–]"
    assert str(mean_interval([])) == str(share_interval([])) == "–"


def test_paired_shares_have_newcombes_interval() -> None:
    # The example of Newcombe (1998), table III: 36, 12, 2 and 0 of 50; method 10 gives 0.0569 to 0.3404.
    after = [True] * 36 + [True] * 12 + [False] * 2
    before = [True] * 36 + [False] * 12 + [True] * 2
    found = share_difference(after, before)
    assert found.mean == pytest.approx(0.2)
    assert bounds(found) == (pytest.approx(0.0569, abs=5e-5), pytest.approx(0.3404, abs=5e-5))


def test_paired_shares_without_a_difference_still_have_a_width() -> None:
    found = share_difference([False] * 80, [False] * 80)
    assert found.mean == 0.0
    assert bounds(found) == (pytest.approx(-0.0458, abs=1e-4), pytest.approx(0.0458, abs=1e-4))


def test_swapping_the_sides_mirrors_the_difference() -> None:
    after, before = [True, True, False, True], [False, True, False, False]
    one, other = share_difference(after, before), share_difference(before, after)
    assert one.low is not None
    assert other.high is not None
    assert one.mean == pytest.approx(0.5)
    assert one.low == pytest.approx(-other.high)


def test_a_difference_needs_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        mean_difference([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="shorter"):
        share_difference([True, True], [True])


def test_an_interval_over_seeds_is_students() -> None:
    gain = seeds_interval([0.1, 0.2, 0.3])
    assert gain.mean == pytest.approx(0.2)
    assert gain.high == pytest.approx(0.2 + 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    with pytest.raises(ValueError, match="two of them"):
        seeds_interval([0.1])
