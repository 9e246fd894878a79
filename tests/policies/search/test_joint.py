"""Equations as one law: gains that are others' losses, shared constants, and what one has the mirror of."""

import numpy as np
import pytest

from physix.engine.systems.targets import targets
from physix.engine.systems.task import StateVariable
from physix.policies.search.climb import climb
from physix.policies.search.joint import mirrored, without_equation, without_term
from physix.policies.search.library import Term
from physix.policies.search.selection import Chosen, Structure
from tests.policies.search.test_climb import motion, task, variable


def structure(*texts: str) -> Structure:
    return Structure(tuple(Chosen(Term(text, "c", 0), (), -1.0) for text in texts), 0.0, 0.0)


def plane() -> list[StateVariable]:
    return [variable("x"), variable("y"), variable("vx", rate_of="x"), variable("vy", rate_of="y")]


def test_what_leaves_one_compartment_arrives_in_the_other_with_one_constant() -> None:
    def epidemic(_: float, s: np.ndarray) -> list[float]:
        new, healed = 0.004 * s[0] * s[1], 0.2 * s[1]
        return [-new, new - healed, healed]

    names = [variable("S"), variable("I"), variable("R")]
    best = climb(
        task(names, [motion(epidemic, [200, 3, 1], np.linspace(0, 30, 120), 0.02)]), "extended"
    ).laws[0]
    assert sorted(best.written.parsed.params.values()) == [
        pytest.approx(0.004, rel=0.02),
        pytest.approx(0.2, rel=0.02),
    ]
    assert len(best.ties) == 2
    assert all("S*I" in line for line in best.written.parsed.canonical.split("; ")[:2])


def test_drag_in_every_direction_is_one_constant_also_where_one_equation_alone_would_not_tell() -> None:
    def thrown(_: float, s: np.ndarray) -> list[float]:
        speed = float(np.hypot(s[2], s[3]))
        return [s[2], s[3], -0.3 * s[2] * speed, -20.0 - 0.3 * s[3] * speed]

    seen = motion(thrown, [0.0, 4.0, 4.0, 2.0], np.linspace(0, 0.8, 100), 0.05, seed=3)
    best = climb(task(plane(), [seen]), "basic").laws[0]
    one, other = best.written.parsed.canonical.split("; ")
    assert one == "d2x/dt2 = -c*vx*sqrt(vx**2 + vy**2)"
    assert set(other.removeprefix("d2y/dt2 = -").split(" - ")) == {"a", "c*vy*sqrt(vx**2 + vy**2)"}
    assert best.written.parsed.params["a"] == pytest.approx(20.0, rel=0.02)


def test_coefficients_that_differ_beyond_their_errors_stay_apart() -> None:
    def prey(_: float, s: np.ndarray) -> list[float]:
        return [1.0 * s[0] - 0.50 * s[0] * s[1], -0.8 * s[1] + 0.44 * s[0] * s[1]]

    found = climb(
        task([variable("n"), variable("m")], [motion(prey, [2, 1], np.linspace(0, 12, 240), 0.005)]),
        "extended",
    )
    best = found.laws[0]
    assert best.ties == {}
    values = sorted(best.written.parsed.params.values())
    assert values == [pytest.approx(x, rel=0.02) for x in (0.44, 0.5, 0.8, 1.0)]


def test_a_mirror_exchanges_positions_and_rates_and_leaves_a_speed_as_it_is() -> None:
    wanted = targets(plane())
    texts = ("1", "x", "y", "vx*sqrt(vx**2 + vy**2)", "vy*sqrt(vx**2 + vy**2)")
    terms = [{text: Term(text, "c", 0) for text in texts}] * 2
    own = [structure("x", "vx*sqrt(vx**2 + vy**2)"), structure("1")]
    laws = list(mirrored(own, wanted, terms))
    choice, ties = laws[0]
    assert [[one.term.text for one in part.chosen] for part in choice] == [
        ["x", "vx*sqrt(vx**2 + vy**2)"],
        ["y", "vy*sqrt(vx**2 + vy**2)"],
    ]
    assert ties == {(1, 0, 0): (0, 0, 0), (1, 1, 0): (0, 1, 0)}
    with_force = [[len(part.chosen) for part in choice] for choice, _ in laws[1:3]]
    assert with_force == [[3, 2], [2, 3]]


def test_what_no_library_holds_has_no_mirror_and_amounts_have_none() -> None:
    wanted = targets(plane())
    assert list(mirrored([structure("x"), structure("1")], wanted, [{"x": Term("x", "k", 0)}] * 2)) == []
    amounts = targets([variable("n"), variable("m")])
    assert list(mirrored([structure("n"), structure("m")], amounts, [{}, {}])) == []


def test_a_term_that_goes_leaves_its_constant_to_the_next_that_was_tied_to_it() -> None:
    ties = {(1, 0, 0): (0, 1, 0), (2, 2, 0): (0, 1, 0), (2, 3, 1): (1, 1, 1)}
    assert without_term(ties, (0, 1)) == {(2, 2, 0): (1, 0, 0), (2, 3, 1): (1, 1, 1)}
    assert without_term(ties, (1, 0)) == {(2, 2, 0): (0, 1, 0), (2, 3, 1): (1, 0, 1)}
    assert without_term(ties, (0, 0)) == {(1, 0, 0): (0, 0, 0), (2, 2, 0): (0, 0, 0), (2, 3, 1): (1, 1, 1)}
    assert without_equation(ties, 1) == {(2, 2, 0): (0, 1, 0)}


def test_what_saturates_alike_in_two_equations_is_told_with_one_set_of_constants() -> None:
    def enzyme(_: float, s: np.ndarray) -> list[float]:
        made = 0.4 * s[0] / (0.9 + s[0])
        return [-made, made - 0.1 * s[1]]

    names = [variable("S"), variable("P")]
    best = climb(task(names, [motion(enzyme, [3, 0.1], np.linspace(0, 30, 120), 0.01)]), "extended").laws[0]
    assert best.written.parsed.params == {
        "m": pytest.approx(0.4, rel=0.03),
        "h": pytest.approx(0.9, rel=0.1),
        "k": pytest.approx(0.1, rel=0.03),
    }


def test_what_is_eaten_may_make_less_than_it_was_and_saturate_alike() -> None:
    def culture(_: float, s: np.ndarray) -> list[float]:
        eaten = 0.9 * s[1] * s[0] / (1.1 + s[0])
        return [0.15 * (6.0 - s[0]) - eaten, 0.4 * eaten - 0.15 * s[1]]

    names = [variable("S"), variable("X")]
    best = climb(task(names, [motion(culture, [6, 0.2], np.linspace(0, 40, 200), 0.004)]), "extended").laws[0]
    values = sorted(best.written.parsed.params.values())
    assert values == [pytest.approx(x, rel=0.1) for x in (0.15, 0.36, 0.9, 0.9, 1.1)]
