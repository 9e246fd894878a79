"""What a mutant is."""

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
