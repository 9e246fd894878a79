"""The mutants: behaviours that matter, each with the edit that breaks it and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit of one file. `before` occurs there exactly once."""

    name: str  # the behaviour that is broken
    file: str
    before: str
    after: str
    tests: tuple[str, ...]  # of the file's own room


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "of two turns with equal match the earlier counts as best",
        "physix/engine/outcome.py",
        "return best is None or match >= best",
        "return best is None or match > best",
        ("tests/engine/test_outcome.py",),
    ),
    Mutant(
        "the total adds up turn totals instead of what was emitted",
        "physix/engine/outcome.py",
        "total_reward=outcome.total_reward + paid.emitted",
        "total_reward=outcome.total_reward + paid.reward.total",
        ("tests/engine/test_outcome.py",),
    ),
    Mutant(
        "a reply without a hypothesis is no parse failure",
        "physix/engine/outcome.py",
        "parse_failures=outcome.parse_failures + (reply is not None)",
        "parse_failures=outcome.parse_failures",
        ("tests/engine/test_outcome.py",),
    ),
)
