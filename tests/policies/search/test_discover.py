"""What a discovery claims: intervals that hold the truth, rivals, and a measurement that tells them apart."""

from dataclasses import replace

import anyio
import numpy as np
import pytest
from numpy.random import PCG64, Generator
from scipy.integrate import solve_ivp

from physix.engine import Episode, EpisodeConfig, EpisodeEngine
from physix.engine.discovery import Discovery
from physix.engine.events import RecordedEvent
from physix.engine.systems import sample_task
from physix.engine.systems.noise import estimate_noise
from physix.engine.systems.task import InputVariable, StateVariable, Task, Trajectory
from physix.engine.verifier.followed import Followed, followed
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.errors import StorageError
from physix.policies import make_policy
from physix.policies.search.climb import Climb, climb
from physix.policies.search.discover import discover, discovery_of
from physix.store import open_log
from physix.store.codec import decode, encode
from physix.store.verify import verify_stream

W, B, SIGMA = 6.0, 0.3, 0.01


def pendulum(start: tuple[float, float], t: np.ndarray) -> np.ndarray:
    states = solve_ivp(
        lambda _, s: [s[1], -W * np.sin(s[0]) - B * s[1]],
        (0.0, t[-1]),
        start,
        t_eval=t,
        rtol=1e-10,
        atol=1e-12,
    ).y.T
    return np.asarray(states)


@pytest.fixture(scope="module")
def swinging() -> Task:
    """A pendulum that swings so far that its sine shows, yet a cubic tells it as well."""
    t = np.linspace(0.0, 6.0, 90)
    states = pendulum((0.9, 0.0), t) + SIGMA * Generator(PCG64(5)).standard_normal((len(t), 2))
    shown = Trajectory(t=tuple(t.tolist()), states=tuple(map(tuple, states.tolist())))
    variables = (
        StateVariable(name="theta", unit="rad", symbol="theta", description=""),
        StateVariable(name="omega", unit="rad/s", symbol="omega", description="", rate_of="theta"),
    )
    return Task(
        task_id="t", system_id="csv", title="", tier=None, seed=None, variables=variables, time_unit="s",
        shown=(shown,), noise=0.0, hint="", measured=True, noises=estimate_noise((shown,)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(swinging: Task) -> Climb:
    return climb(swinging, "extended")


@pytest.fixture(scope="module")
def swing(swinging: Task, found: Climb) -> Discovery:
    return discovery_of(swinging, found, "extended")


def test_the_interval_of_every_constant_holds_the_truth_and_its_unit(swing: Discovery) -> None:
    chosen = swing.chosen
    assert chosen is not None
    assert chosen.equation == "d2theta/dt2 = -b*omega - w*sin(theta)"
    known = {one.name: one for one in chosen.constants}
    for name, truth, unit in (("w", W, "1/s**2"), ("b", B, "1/s")):
        one = known[name]
        assert one.low is not None
        assert one.high is not None
        assert one.error is not None
        assert one.low < truth < one.high
        assert one.high - one.value == pytest.approx(1.96 * one.error, rel=0.03)  # normal, for 180 samples
        assert one.unit == unit
    assert (swing.explains, chosen.examined, chosen.worse_by) == (True, True, 0.0)


def test_the_next_measurement_tells_the_chosen_law_from_its_rival(swing: Discovery) -> None:
    told = swing.next_measurement
    assert told is not None
    rival = swing.rivals[told.rival]
    assert "theta**3" in rival.equation
    truth = pendulum((told.start["theta"], told.start["omega"]), np.array([0.0, told.t]))[-1]
    value = truth[0 if told.variable == "theta" else 1]
    assert told.chosen_value == pytest.approx(value, abs=0.1 * abs(told.rival_value - value))
    assert told.sigmas == pytest.approx(abs(told.chosen_value - told.rival_value) / SIGMA, rel=0.3)
    assert told.sentence.startswith(f"These data cannot tell {swing.chosen and swing.chosen.equation} from ")


def test_on_the_front_no_law_is_plainer_and_nearer_than_another(swing: Discovery) -> None:
    assert len(swing.front) > 1
    assert [law.complexity for law in swing.front] == sorted({law.complexity for law in swing.front})
    assert [law.chi2 for law in swing.front] == sorted({law.chi2 for law in swing.front}, reverse=True)
    assert swing.chosen in swing.front


def test_the_front_holds_the_chosen_law_even_if_another_is_plainer_and_nearer(
    swinging: Task, found: Climb
) -> None:
    plain, *_, longer = sorted(found.laws, key=lambda law: law.written.parsed.operators)
    far = replace(longer, chi2=1.01 * plain.reduced * longer.samples)
    told = discovery_of(swinging, replace(found, laws=(far, plain)), "extended")
    assert told.chosen is not None
    assert [law.complexity for law in told.front] == [one.written.parsed.operators for one in (plain, longer)]
    assert told.front[-1] == told.chosen


def test_a_law_that_was_fitted_to_more_rows_is_no_farther_for_it(swinging: Task, found: Climb) -> None:
    best = found.laws[0]
    more = replace(best, samples=10 * best.samples, chi2=9.0 * best.chi2)  # nearer, a row
    alone = discovery_of(swinging, replace(found, laws=(best,)), "extended")
    told = discovery_of(swinging, replace(found, laws=(more, best)), "extended")
    assert [law.chi2 for law in told.front] == [pytest.approx(0.9 * alone.front[0].chi2)]


def test_terms_that_resampled_data_ask_for_are_sure(swing: Discovery) -> None:
    sure = {one.term: one.probability for one in swing.inclusion}
    assert sure["omega"] == 1.0
    assert sure["sin(theta)"] >= 0.5
    assert all(0.0 < share <= 1.0 for share in sure.values())


def test_residuals_of_the_true_law_are_those_of_white_noise(swing: Discovery) -> None:
    for one in swing.residuals:
        assert one.samples == 90
        assert one.chi2 == pytest.approx(1.0, abs=0.5)  # the noise is estimated
        assert max(map(abs, one.autocorrelation)) < 4.0 / np.sqrt(90)
        assert np.interp(0.5, (np.arange(19) + 0.5) / 19, one.quantiles) == pytest.approx(0.0, abs=0.4)
        assert abs(one.worst) == pytest.approx(max(map(abs, one.quantiles)), rel=1.0)
        assert abs(one.worst) >= max(map(abs, one.quantiles))


def played() -> tuple[Episode, tuple[RecordedEvent, ...]]:
    async def run() -> tuple[Episode, tuple[RecordedEvent, ...]]:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            task, truth = sample_task("free_fall", 3, noise=0.02)
            started = await engine.start(task, truth, config=EpisodeConfig(), policy="search", door="test")
            episode = await engine.run(started.episode_id, make_policy("search"))
            return episode, await log.read(episode.episode_id)

    return anyio.run(run)


def test_an_episode_of_search_records_what_was_found_and_verifies() -> None:
    episode, recorded = played()
    assert episode.discovery is not None
    assert episode.discovery == discover(episode.task, "basic")
    assert sum(turn.submitted.discovery is not None for turn in episode.turns) == 1
    report = verify_stream(episode.episode_id, recorded)
    assert (report.differences, report.recomputed) == ((), True)
    submitted = episode.turns[0].submitted
    encoded = encode(submitted)
    assert decode(encoded.type, 4, encoded.payload, encoded.blob) == submitted


def test_a_discovery_that_is_not_finite_is_not_recorded() -> None:
    submitted = played()[0].turns[0].submitted
    assert submitted.discovery is not None
    assert submitted.discovery.chosen is not None
    broken = replace(
        submitted,
        discovery=replace(submitted.discovery, chosen=replace(submitted.discovery.chosen, chi2=float("nan"))),
    )
    with pytest.raises(StorageError, match="not finite"):
        encode(broken)


def test_a_law_set_beside_the_data_leaves_over_what_its_discovery_says(swinging: Task, found: Climb) -> None:
    claimed = discovery_of(swinging, found, "extended")
    beside = set_beside(swinging, claimed)
    for one, other in zip(beside.residuals, claimed.residuals, strict=True):
        assert one.chi2 == pytest.approx(other.chi2, rel=1e-3)
        assert one.worst_t == other.worst_t
        assert one.worst == pytest.approx(other.worst, rel=1e-2)


def test_so_it_does_where_an_input_drives_a_motion_of_little_noise() -> None:
    share, t = 3e-4, np.linspace(0.0, 20.0, 200)
    u = np.sin(0.8 * t) + 0.4 * np.sin(2.1 * t)
    clean = solve_ivp(
        lambda time, v: -0.5 * v + 1.3 * np.interp(time, t, u), (0.0, 20.0), [1.0],
        t_eval=t, rtol=1e-9, atol=1e-11, max_step=0.02,
    ).y[0]  # fmt: skip
    v = clean + share * clean.std() * Generator(PCG64(3)).standard_normal(len(t))
    rows, inputs = (tuple((one,) for one in values.tolist()) for values in (v, u))
    shown = Trajectory(t=tuple(t.tolist()), states=rows, inputs=inputs)
    task = Task(
        task_id="t", system_id="csv", title="", tier=None, seed=None, time_unit="s", shown=(shown,),
        noise=0.0, variables=(StateVariable(name="v", unit=None, symbol="v", description=""),),
        inputs=(InputVariable(name="u", unit=None, symbol="u", description=""),),
        hint="", measured=True, noises=estimate_noise((shown,)),
    )  # fmt: skip
    claimed = discover(task)
    assert claimed.chosen is not None
    assert claimed.chosen.equation == "dv/dt = -k*v + g*u"
    assert claimed.chosen.params == pytest.approx({"k": 0.5, "g": 1.3}, rel=1e-3)
    (one,), (other,) = set_beside(task, claimed).residuals, claimed.residuals
    # A thousandth of the spread is as far as samples between which an input may do anything are trusted.
    assert one.chi2 == pytest.approx(share**2 / (share**2 + 1e-3**2), rel=0.3)
    assert one.chi2 == pytest.approx(other.chi2, rel=0.02)


def test_an_exact_law_is_no_nearer_to_wrong_ones_for_more_samples() -> None:
    gaps = []
    for count in (60, 400):
        t = np.linspace(0.0, 6.0, count)
        v = 2.0 * np.exp(-0.5 * t) / (3.0 - 2.0 * np.exp(-0.5 * t))  # of dv/dt = -0.5 v - 0.5 v**2 from 2
        shown = Trajectory(t=tuple(t.tolist()), states=tuple((one,) for one in v.tolist()))
        task = Task(
            task_id="t", system_id="s", title="", tier=None, seed=None, time_unit="s", shown=(shown,),
            variables=(StateVariable(name="v", unit=None, symbol="v", description=""),), noise=0.0, hint="",
        )  # fmt: skip
        found = discover(task)
        assert found.chosen is not None
        assert found.chosen.equation == "dv/dt = -k*v - p*v**2"
        assert not found.rivals
        gaps.append(next(law.worse_by for law in found.front if law.equation == "dv/dt = -k*v"))
    assert gaps[1] == pytest.approx(gaps[0], rel=0.02)


def set_beside(task: Task, claimed: Discovery) -> Followed:
    assert claimed.chosen is not None
    law = Hypothesis(equation=claimed.chosen.equation, params=dict(claimed.chosen.params))
    beside = followed(task, None, law, VerifierConfig(functions="extended"))
    assert isinstance(beside, Followed)
    return beside
