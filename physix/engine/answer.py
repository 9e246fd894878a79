"""Which law an episode came to: the one that everybody judges, prints and draws."""

from __future__ import annotations

from dataclasses import dataclass

from physix.engine.discovery import Constant, Discovery
from physix.engine.episode import Episode, Turn
from physix.engine.verifier.types import Hypothesis


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The law that an episode came to.

    Attributes:
        law: with the constants that were submitted or, where they were left open, fitted.
        constants: as a search determined them, with errors; () where it did not look at this law.
        turn: that submitted it; None where the policy stands by a law that it never submitted.
    """

    law: Hypothesis
    constants: tuple[Constant, ...] = ()
    turn: Turn | None = None


def answer(episode: Episode) -> Answer | None:
    """Return the law that an episode came to by now; None before turn 1.

    The one that passed; else the one that the policy chose, where it recorded what it found; else the one
    that matched best. Not the last one that it tried: who proposes the best first would be judged by its
    worst.
    """
    told = episode.discovery
    if told is not None and told.chosen is not None and not episode.outcome.passed:
        law = Hypothesis(equation=told.chosen.equation, params=dict(told.chosen.params))
        turns = (turn for turn in reversed(episode.turns) if turn.submitted.equation == law.equation)
        return Answer(law=law, constants=told.chosen.constants, turn=next(turns, None))
    number = len(episode.turns) if episode.outcome.passed else episode.outcome.best_turn
    if not number:
        return None
    turn = episode.turns[number - 1]
    equation, fitted = turn.submitted.equation, turn.simulated.simulation.fitted
    return Answer(
        law=Hypothesis(equation=equation, params={**turn.submitted.params, **fitted}),
        constants=() if told is None or fitted else _known(told, equation),
        turn=turn,
    )


def _known(told: Discovery, equation: str) -> tuple[Constant, ...]:
    chosen = () if told.chosen is None else (told.chosen,)
    laws = (*chosen, *told.rivals, *told.front)
    return next((law.constants for law in laws if law.equation == equation), ())
