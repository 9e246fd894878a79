"""The one fold from events to the rows of lists, over what an event's row shows in columns.

The writer folds as it appends, a rebuild folds the columns that it reads, and the log in memory folds
whole events: all through `Tally.advance`, so that their lists cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from physix.engine.events import (
    EpisodeFinished,
    EpisodeLabelled,
    EpisodeStarted,
    Event,
    HypothesisSubmitted,
    PolicyFailed,
    RecordedEvent,
    RewardComputed,
    SimulationRun,
)
from physix.engine.labels import relabelled
from physix.engine.outcome import is_better
from physix.errors import ConflictError
from physix.store.moments import microseconds, moment
from physix.store.rows import EpisodeRow, TurnRow


class Shown(NamedTuple):
    """What lists show of one event: columns of its row.

    `outcome` is that of the turn's simulation, why an episode finished, or `not_parsed` of a policy that
    failed with a reply.
    """

    turn: int | None = None
    outcome: str | None = None
    match: float | None = None
    total: float | None = None
    generalisation: float | None = None
    solved: bool | None = None
    emitted: float | None = None


_NOTHING_SHOWN = Shown()
_UNPARSED = Shown(None, "not_parsed")


def shown(event: Event, outcome: str | None) -> Shown:
    """Return what lists show of an event; `outcome` is that of the turn's simulation."""
    match event:
        case RewardComputed(turn=turn, reward=reward, solved=solved, emitted=emitted):
            return Shown(turn, outcome, reward.match, reward.total, event.generalisation, solved, emitted)
        case EpisodeFinished():
            return Shown(None, event.reason)
        case PolicyFailed(raw_completion=reply) if reply is not None:
            return _UNPARSED
        case _:
            return _NOTHING_SHOWN


@dataclass(slots=True)
class Tally:
    """How an episode stands. Changed in place: it is folded on every append."""

    version: int = 0
    status: str = "running"
    outcome: str = ""
    turns: int = 0
    best_match: float = 0.0
    best_total: float = 0.0
    total_reward: float = 0.0
    parse_failures: int = 0
    policy_failures: int = 0
    generalisation: float | None = None
    started_at: int = 0  # microseconds, as the two below
    updated_at: int = 0
    length: int = 0

    def advance(self, kind: str, version: int, at: int, seen: Shown) -> None:
        """Take in the event of a type and version, recorded at a time, and what its row shows."""
        if kind in HALF_TURN:
            return
        if kind == LABELLED:
            self.version = version  # and nothing else: it is part of no turn, and takes no time
            return
        if version == 1:
            self.started_at = at
        self.version, self.updated_at, self.length = version, at, at - self.started_at
        if seen.outcome == "not_parsed":
            self.parse_failures += 1
        if kind == "RewardComputed":
            self._take_turn(seen)
        elif kind == "EpisodeFinished":
            self.status, self.outcome = "finished", seen.outcome or ""
        elif kind == "PolicyFailed":
            self.policy_failures += 1

    def _take_turn(self, seen: Shown) -> None:
        # A turn shows all of its numbers; a damaged row is for `log verify` to find.
        match, total = seen.match or 0.0, seen.total or 0.0
        if is_better(match, self.best_match if self.turns else None):
            self.best_match, self.generalisation = match, seen.generalisation
        if total > self.best_total:
            self.best_total = total
        self.total_reward += seen.emitted or 0.0
        self.turns = seen.turn or self.turns + 1

    def columns(self) -> dict[str, Any]:
        """Return what an episode's row holds of it, by column."""
        return dict(zip(TALLIED, tallied(self), strict=True))


# Half a turn is nothing to show: its RewardComputed commits with it.
HALF_TURN = frozenset({"HypothesisSubmitted", "SimulationRun"})
LABELLED = EpisodeLabelled.__name__
NUL = "\0"
TALLIED = tuple(Tally.__dataclass_fields__)  # columns of an episode's row
tallied = attrgetter(*TALLIED)


def opening_of(started: EpisodeStarted) -> dict[str, Any]:
    """Return what a list shows of an episode's beginning."""
    task = started.task
    return _opening(
        task.system_id,
        task.title,
        task.tier,
        task.seed,
        started.policy,
        started.door,
        started.config.max_turns,
    )


def opening_of_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same from an EpisodeStarted as it is stored, of any schema: none has renamed these."""
    task = payload["task"]
    return _opening(
        task["system_id"],
        task["title"],
        task["tier"],
        task["seed"],
        payload["policy"],
        payload["door"],
        payload["config"]["max_turns"],
    )


def _opening(
    system_id: str,
    title: str,
    tier: int | None,
    seed: int | None,
    policy: str,
    door: str,
    max_turns: int,
) -> dict[str, Any]:
    return {
        "system_id": system_id,
        "title": storable(title),
        "tier": tier,
        "seed": seed,
        "policy": storable(policy),
        "door": door,
        "max_turns": max_turns,
    }


def project(recorded: Sequence[RecordedEvent]) -> EpisodeRow:
    """Return the list row of an episode, from all its events.

    Raises:
        ConflictError: the events do not begin with EpisodeStarted.
    """
    started = recorded[0].event if recorded else None
    if not isinstance(started, EpisodeStarted):
        name = recorded[0].episode_id if recorded else "without events"
        raise ConflictError(f"Episode {name} must begin with EpisodeStarted.")
    tally = tally_of(recorded)
    return EpisodeRow.model_construct(
        **opening_of(started),
        **{**tally.columns(), **_as_read(tally)},
        episode_id=recorded[0].episode_id,
        position=recorded[0].position,
        matches=tuple(one.event.reward.match for one in recorded if isinstance(one.event, RewardComputed)),
        labels=labels_after(started.labels, [one.event for one in recorded]),
    )


def labels_after(labels: Mapping[str, str], events: Iterable[Event]) -> dict[str, str]:
    """Return labels, as lists hold them, after the changes among some events."""
    for event in events:
        if isinstance(event, EpisodeLabelled):
            labels = relabelled(labels, event.labels)
    return {storable(name): storable(value) for name, value in labels.items()}


def said(recorded: Iterable[RecordedEvent]) -> Iterator[str]:
    """Yield the text that a list is searched for: what a policy said, and the labels of a tagged episode."""
    labels: dict[str, str] = {}
    tagged = False
    for one in recorded:
        match one.event:
            case HypothesisSubmitted() as asked:
                told = (asked.equation, asked.parse.canonical, asked.rationale, asked.raw_completion)
                yield from (storable(text) for text in told if text)
            case PolicyFailed(raw_completion=reply) if reply is not None:
                yield storable(reply)
            case EpisodeStarted():
                labels = dict(one.event.labels)
            case EpisodeLabelled():
                labels, tagged = relabelled(labels, one.event.labels), True
            case _:
                pass
    if tagged:
        yield from (storable(text) for label in labels.items() for text in label)


def _as_read(tally: Tally) -> dict[str, Any]:
    return {
        "outcome": tally.outcome or None,
        "started_at": moment(tally.started_at),
        "updated_at": moment(tally.updated_at),
    }


def tally_of(recorded: Sequence[RecordedEvent], tally: Tally | None = None) -> Tally:
    """Return how an episode stands after some events, from how it stood before them."""
    tally = Tally() if tally is None else tally
    outcome = None
    for one in recorded:
        if isinstance(one.event, SimulationRun):
            outcome = one.event.simulation.outcome
        at = microseconds(one.recorded_at)
        tally.advance(one.event.type, one.version, at, shown(one.event, outcome))
    return tally


def project_turns(recorded: Sequence[RecordedEvent]) -> list[TurnRow]:
    """Return the rows of the whole turns among some consecutive events of an episode."""
    rows = []
    for asked, ran, paid in zip(recorded, recorded[1:], recorded[2:], strict=False):
        if not isinstance(paid.event, RewardComputed):
            continue
        if not isinstance(asked.event, HypothesisSubmitted) or not isinstance(ran.event, SimulationRun):
            continue
        rows.append(
            TurnRow(
                episode_id=paid.episode_id,
                turn=paid.event.turn,
                position=paid.position,
                outcome=ran.event.simulation.outcome,
                equation=storable(asked.event.equation),
                match=paid.event.reward.match,
                total=paid.event.reward.total,
                generalisation=paid.event.generalisation,
                solved=paid.event.solved,
            )
        )
    return rows


def storable(text: str) -> str:
    """Return text as a projection may hold it."""
    # PostgreSQL has no text with NUL in it; the event itself keeps what came.
    return text.replace(NUL, "\ufffd")
