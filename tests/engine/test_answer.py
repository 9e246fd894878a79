"""Which law an episode came to: the one that passed, else the one that was chosen, else the best match."""

from dataclasses import replace

import anyio

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.answer import answer
from physix.engine.discovery import Constant, Discovery, Effort, Law
from physix.engine.systems import sample_task
from physix.engine.verifier.types import Hypothesis, VerifierConfig
from physix.store import open_log

K = 9.0


def law(equation: str, **params: float) -> Law:
    constants = tuple(Constant(name=name, value=value, error=0.1) for name, value in params.items())
    return Law(
        equation=equation, params=params, constants=constants, complexity=1, terms=1, chi2=1.0, worse_by=0.0,
        explains=True, examined=True,
    )  # fmt: skip


def found(chosen: Law | None, rivals: tuple[Law, ...] = ()) -> Discovery:
    return Discovery(
        chosen=chosen, explains=chosen is not None, sentence="", front=(), rivals=rivals, inclusion=(),
        residuals=(), next_measurement=None, effort=Effort(tier=0, laws=1, evaluations=1),
    )  # fmt: skip


def played(*turns: tuple[str, dict[str, float | None]], told: Discovery | None = None) -> Episode:
    """Return an episode on a noise-free spring of which these are the turns; the first one tells of it."""
    task, truth = sample_task("spring_mass", 3, noise=0.0)
    rules = EpisodeConfig(verifier=VerifierConfig(constants="fitted"), max_turns=max(1, len(turns)))

    async def run() -> Episode:
        async with open_log("memory://") as log:
            engine = EpisodeEngine(log)
            episode = await engine.start(task, truth, config=rules, policy="search", door="test")
            for number, (equation, params) in enumerate(turns):
                given = Hypothesis(equation=equation, params=params)
                provenance = Provenance(policy="search")
                discovery = told if number == 0 else None
                episode = await engine.submit(
                    episode.episode_id, given, provenance=provenance, discovery=discovery
                )
            return episode

    return anyio.run(run)


def true_stiffness() -> float:
    _, truth = sample_task("spring_mass", 3, noise=0.0)
    return float(truth.params["k"] / truth.params.get("m", 1.0))


def test_the_law_that_passed_is_it_whatever_was_chosen() -> None:
    chosen = law("d2x/dt2 = -c*x**3", c=1.0)
    passed = law("d2x/dt2 = -k*x", k=true_stiffness())
    episode = played((passed.equation, dict(passed.params)), told=found(chosen, (passed,)))
    came_to = answer(episode)
    assert came_to is not None
    assert episode.outcome.solved
    assert came_to.law == Hypothesis(equation=passed.equation, params=dict(passed.params))
    assert came_to.constants == passed.constants
    assert came_to.turn == episode.turns[0]


def test_without_one_it_is_the_chosen_law_even_if_it_was_never_submitted() -> None:
    chosen = law("d2x/dt2 = -c*x**3", c=1.0)
    came_to = answer(played(("d2x/dt2 = -a", {"a": 1.0}), told=found(chosen)))
    assert came_to is not None
    assert (came_to.law.equation, came_to.constants) == (chosen.equation, chosen.constants)
    assert came_to.turn is None


def test_without_a_search_it_is_the_best_match_with_the_constants_that_were_fitted() -> None:
    episode = played(("d2x/dt2 = -a", {"a": None}), ("d2x/dt2 = a*x", {"a": 1.0}))
    came_to = answer(episode)
    assert came_to is not None
    best = episode.turns[(episode.outcome.best_turn or 0) - 1]
    assert came_to.turn == best
    assert came_to.constants == ()
    assert came_to.law.params == {**best.submitted.params, **best.simulated.simulation.fitted}
    assert None not in came_to.law.params.values()


def test_a_search_that_found_nothing_chooses_nothing() -> None:
    told = replace(found(None), sentence="No candidate law could be simulated on these data.")
    came_to = answer(played(("d2x/dt2 = -a", {"a": 1.0}), told=told))
    assert came_to is not None
    assert came_to.law.equation == "d2x/dt2 = -a"


def test_before_turn_1_there_is_none() -> None:
    assert answer(played()) is None
