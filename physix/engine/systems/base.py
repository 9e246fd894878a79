"""What a system is: a law, the experiments that show it, and the words for both.

A system is a class of about fifty lines that fills in the attributes and the three abstract methods
below, plus one line in `registry.SYSTEMS`. `rhs` is written by hand rather than compiled from
`equation`, so that a mistake in either shows up as a truth that does not fit its own data.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from physix.engine.systems.task import StateVariable

HIDDEN_TRAJECTORIES = 2
_CANDIDATES = 24  # starts among which the default looks for those that lie apart


class System(ABC):
    """A family of motions with sampled parameters.

    Attributes:
        id: registry id, lower case with underscores; part of every task id.
        title: what moves, in a few words.
        tier: 1 (easy) to 3 (hard).
        held_out: never used for training, so that evaluation can ask what transfers.
        description: one sentence for people who already know the law; never shown to agents.
        hard: what is hard about finding the law, in a sentence for the same people.
        variables: the state, in the order of `rhs`; velocities name their position in `rate_of`.
        equation: the law in the verifier's grammar, over `variables`, `t` and the parameters.
        hints: wordings of what an onlooker would say. No law, no parameter, no number.
        samples: points per trajectory.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    tier: ClassVar[int]
    held_out: ClassVar[bool] = False
    description: ClassVar[str]
    hard: ClassVar[str] = ""
    variables: ClassVar[tuple[StateVariable, ...]]
    equation: ClassVar[str]
    hints: ClassVar[tuple[str, ...]]
    samples: ClassVar[int] = 100

    @abstractmethod
    def sample_experiment(self, rng: Generator) -> tuple[dict[str, float], float]:
        """Return the parameters of the law and the seconds each trajectory lasts.

        They are drawn together because a duration is only informative for given parameters:
        too short hides damping, too long shows nothing but rest. Both are rounded to four
        significant digits before use.
        """

    @abstractmethod
    def sample_initial(
        self, rng: Generator, params: Mapping[str, float], duration_s: float
    ) -> tuple[float, ...]:
        """Return one initial state, in the order of `variables`."""

    def sample_hidden_initials(
        self,
        rng: Generator,
        params: Mapping[str, float],
        duration_s: float,
        shown: tuple[float, ...],
    ) -> tuple[tuple[float, ...], ...]:
        """Return the two starts of the hidden trajectories, given the start of the first shown one.

        They decide which laws are told apart: whatever goes together along the shown motion (time
        and speed, height and speed, amplitude and phase) should not go together along these, yet
        the law must hold there. By default, of 24 starts as `sample_initial` draws them, the two
        that lie farthest from the shown one and from each other, each variable in units of its
        spread. Override it where the box of `sample_initial` is too narrow for that.
        """
        drawn = np.array([self.sample_initial(rng, params, duration_s) for _ in range(_CANDIDATES)])
        spread = drawn.std(axis=0)
        scaled = drawn / np.where(spread > 0.0, spread, 1.0)
        nearest = np.linalg.norm(scaled - np.array(shown) / np.where(spread > 0.0, spread, 1.0), axis=1)
        chosen: list[tuple[float, ...]] = []
        for _ in range(HIDDEN_TRAJECTORIES):
            farthest = int(nearest.argmax())
            chosen.append(tuple(drawn[farthest].tolist()))
            nearest = np.minimum(nearest, np.linalg.norm(scaled - scaled[farthest], axis=1))
        return tuple(chosen)

    @abstractmethod
    def rhs(self, state: Sequence[float], t: float, params: Mapping[str, float]) -> list[float]:
        """Return the time derivative of `state`, in the order of `variables`."""


def second_order(
    name: str, unit: str, symbol: str, description: str, *, rate: str, rate_symbol: str
) -> tuple[StateVariable, StateVariable]:
    """Return a second-order variable and its rate of change."""
    return (
        StateVariable(name=name, unit=unit, symbol=symbol, description=description),
        StateVariable(
            name=rate,
            unit=f"{unit}/s",
            symbol=rate_symbol,
            description=f"rate of change of {name}",
            rate_of=name,
        ),
    )


def random_sign(rng: Generator) -> float:
    """Return -1.0 or 1.0, each half of the time."""
    return 1.0 if rng.random() < 0.5 else -1.0


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Return a number in [low, high] whose order of magnitude is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
