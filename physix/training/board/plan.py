"""What a board is to play, as values: the same plan names the same episodes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from physix.engine.verifier.types import Profile
from physix.errors import BadInputError
from physix.limits import FILE_NAME, MAX_BOARD_EPISODES, MAX_BOARD_WORDS, MAX_TURNS, PERSON
from physix.training.board.suites import Problem, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Policies × problems × repetitions.

    Attributes:
        name: of the board and its folder; the same name plays nothing again that it has.
        drop: share of ODEBench's samples left out.
        repetitions: of each episode, for policies that draw at random.
    """

    name: str
    policies: tuple[str, ...]
    suites: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    noises: tuple[float | None, ...] = (None,)
    drop: float = 0.0
    profile: Profile = "strict"
    max_turns: int = 8
    repetitions: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be played, before anything is.

        Raises:
            BadInputError: the message says what would be right.
        """
        if re.fullmatch(FILE_NAME, self.name) is None or ".." in self.name:
            raise BadInputError(
                f"Board name {self.name[:80]!r} is not allowed: use letters, digits, . _ and -."
            )
        for what, words in (("policy", self.policies), ("suite", self.suites)):
            if not words or len(set(words)) != len(words) or len(words) > MAX_BOARD_WORDS:
                raise BadInputError(f"Name each {what} once: 1 to {MAX_BOARD_WORDS} of them.")
        if PERSON in self.policies:
            raise BadInputError("A person cannot play a board; see `physix policies`.")
        if not 1 <= self.max_turns <= MAX_TURNS:
            raise BadInputError(f"max_turns is {self.max_turns}; it must be from 1 to {MAX_TURNS}.")
        if not 1 <= self.repetitions <= 100:
            raise BadInputError(f"{self.repetitions} repetitions; give 1 to 100.")
        if not 0 < self.episodes <= MAX_BOARD_EPISODES:
            raise BadInputError(f"That is {self.episodes} episodes; a board has 1 to {MAX_BOARD_EPISODES}.")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What every policy is asked.

        Raises:
            BadInputError: an unknown suite, or one that cannot have these seeds or noises.
        """
        found = [one for suite in self.suites for one in problems(suite, self.seeds, self.noises, self.drop)]
        return tuple(dict.fromkeys(found))

    @property
    def episodes(self) -> int:
        """How many episodes there are at most; what a policy cannot be asked is among them."""
        return len(self.problems) * len(self.policies) * self.repetitions

    def jobs(self) -> Iterator[Job]:
        """Yield the work, problem by problem, so that a board that is stopped compares all policies."""
        for repetition in range(self.repetitions):
            for problem in self.problems:
                for policy in self.policies:
                    yield Job(
                        run=self.name,
                        policy=policy,
                        problem=problem,
                        repetition=repetition,
                        profile=self.profile,
                        max_turns=self.max_turns,
                    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One episode to play."""

    run: str
    policy: str
    problem: Problem
    repetition: int
    profile: Profile
    max_turns: int

    @property
    def episode_id(self) -> str:
        """The id that this run, policy, task and repetition always have: played twice, it counts once."""
        rules = f"{self.profile}|{self.max_turns}|{self.repetition}"
        text = f"{self.run}|{self.policy}|{self.problem.key}|{rules}"
        return "b" + hashlib.sha256(text.encode()).hexdigest()[:31]
