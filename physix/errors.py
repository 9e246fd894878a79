"""Every exception this package raises on purpose.

PhysixError
├── BadInputError            the caller sent something that can be put right
│   ├── UnknownSystemError
│   ├── UnknownPolicyError
│   ├── TaskIndexError       a split has no such task
│   └── CsvError             a table that is no trajectory, with the row where known
├── ForbiddenError           the episode belongs to whoever holds its token, or its truth is held back
├── EpisodeNotFoundError
├── PromptNotFoundError
├── DiscoveryNotFoundError
├── RunNotFoundError
├── BoardNotFoundError
├── EpisodeFinishedError     a turn after the end
├── ConflictError            another writer was first, or a command id was reused
├── QuotaError               a public server has given this client enough for the minute
├── InfrastructureError      a server stayed away or failed: no episode may be scored by it
├── StorageError             the log cannot be opened, read or written
└── PolicyError              a policy or its server failed to propose

An equation that does not parse or a simulation that blows up is no exception:
it is a turn with a low reward.
"""

from __future__ import annotations

from collections.abc import Sequence


class PhysixError(Exception):
    """Base of all errors raised by PhysiX-Live."""


class BadInputError(PhysixError):
    """Input that the caller can put right; the message says how."""


class UnknownSystemError(BadInputError):
    """No system has this id."""

    def __init__(self, system_id: str, known: Sequence[str]) -> None:
        super().__init__(f"Unknown system {system_id[:80]!r}. Known systems: {', '.join(known)}.")


class UnknownPolicyError(BadInputError):
    """No policy has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"Unknown policy {name[:80]!r}. Known policies: {', '.join(known)}.")


class TaskIndexError(BadInputError, IndexError):
    """A split has no task of this index. An IndexError too: OpenEnv's task routes answer those with 400."""


class CsvError(BadInputError):
    """A CSV that cannot become a task."""


class ForbiddenError(PhysixError):
    """The episode has a secret token, or its task a truth that is held back, and the caller may not."""

    def __init__(self, episode_id: str, reason: str | None = None) -> None:
        super().__init__(
            reason
            or f"Episode {episode_id[:80]} belongs to another client: give the token that its reset returned."
        )


class EpisodeNotFoundError(PhysixError):
    """The log holds no such episode."""

    def __init__(self, episode_id: str) -> None:
        super().__init__(f"No episode {episode_id[:80]!r} in this log.")


class PromptNotFoundError(PhysixError):
    """No such turn was played, or its policy was asked nothing that the log can tell."""

    def __init__(self, episode_id: str, turn: int) -> None:
        super().__init__(
            f"Turn {turn} of episode {episode_id[:80]} has no prompt: it was not played, or not by a "
            "language model that this version can ask."
        )


class DiscoveryNotFoundError(PhysixError):
    """No search has said what it found in this episode."""

    def __init__(self, episode_id: str) -> None:
        super().__init__(
            f"Episode {episode_id[:80]} has no discovery: let the policy `search` play a turn of it."
        )


class RunNotFoundError(PhysixError):
    """No training run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"No training run {run_id[:80]!r} here.")


class BoardNotFoundError(PhysixError):
    """No board has this id."""

    def __init__(self, board_id: str) -> None:
        super().__init__(f"No board {board_id[:80]!r} here; `physix board list` names them.")


class EpisodeFinishedError(PhysixError):
    """A turn was submitted to an episode that has ended."""

    def __init__(self, episode_id: str, turns: int, reason: str) -> None:
        super().__init__(
            f"Episode {episode_id} ended ({reason}) after {turns} turns and accepts no more. Start a new one."
        )


class ConflictError(PhysixError):
    """The stream moved on, or a command id came back with another body."""


class QuotaError(PhysixError):
    """A client of a public server asked for more than a minute allows; the message says when to come back."""


class InfrastructureError(PhysixError):
    """A server that an episode needs stayed away or failed. It says nothing of the agent: score nothing."""


class StorageError(PhysixError):
    """The event log cannot be used; the message says why and what to do."""


class PolicyError(PhysixError):
    """A policy, or the server behind it, did not produce a hypothesis.

    Attributes:
        raw_completion: the reply, where there was one and it held no hypothesis.
    """

    def __init__(self, message: str, raw_completion: str | None = None) -> None:
        super().__init__(message)
        self.raw_completion = raw_completion


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a task group's, which is why its others ended; any other is its own."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def in_one_line(error: OSError) -> str:
    """Return what the system refused, and for which file, without the number of the error."""
    # A library's own OSError may hold a page of advice: its first line says what happened.
    said = (error.strerror or str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return f"{said}: {error.filename}" if error.strerror and error.filename else said
