"""Turns worth imitating, mined from the log: named rules, counted, the same bytes every time.

R² on the shown data alone keeps wrong laws in a third of the episodes, so the rules look at what
holds on other initial states too. That number chooses rows; it is never part of a prompt, which
holds what the policy saw and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from physix.engine import Episode, EpisodeLabelled, Turn
from physix.engine.episode import evolve, observe
from physix.engine.ports import EventLog
from physix.engine.systems import SYSTEMS
from physix.engine.systems.splits import is_for_evaluation
from physix.engine.systems.task import MEASURED
from physix.errors import BadInputError
from physix.training.data.renderers import Prompt, Renderer, renderer_named

BATCH = 500

Keep = Literal["improving", "best"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningRules:
    """Which turns become rows. Every rule counts what it refuses.

    Attributes:
        render: "chat" (English), "tool" (the tool calls that GRPO of instruct models plays) or "nano".
        min_generalisation: R² on hidden trajectories that a turn must exceed, unless it recovers the law.
        keep: "improving" keeps each turn that generalises better than all before; "best" the best alone.
        hindsight: also pair the episode's best law with what was known before earlier turns.
        best_of: rows to keep a task and turn, the best first; 0 keeps all.
        balance: largest number of rows a system and turn; 0 for no limit.
        systems, policies: what to mine; empty for all.
        canonical: write the equation as the parser reads it, not as the policy wrote it.
    """

    render: str = "chat"
    min_generalisation: float = 0.9
    keep: Keep = "improving"
    hindsight: bool = False
    best_of: int = 4
    balance: int = 0
    systems: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    canonical: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_generalisation <= 1.0:
            raise BadInputError(f"min_generalisation is {self.min_generalisation}; it must be from 0 to 1.")
        if self.best_of < 0 or self.balance < 0:
            raise BadInputError("best_of and balance count rows; they cannot be negative.")
        unknown = [name for name in self.systems if name not in SYSTEMS and name != MEASURED]
        if unknown:
            raise BadInputError(f"Unknown systems: {', '.join(unknown)[:200]}. Known: {', '.join(SYSTEMS)}.")


NANO_RULES = MiningRules(render="nano", min_generalisation=0.98, keep="best", hindsight=True, best_of=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SftRow:
    """One prompt with the completion to learn."""

    prompt: Prompt
    completion: Prompt
    episode_id: str
    task_id: str
    system_id: str
    policy: str
    turn: int  # that the prompt asks for
    kind: Literal["played", "hindsight"]
    generalisation: float


@dataclass(slots=True)
class MiningReport:
    """What a run of the miner did; becomes the manifest."""

    rules: MiningRules
    position: int = 0  # of the last event that was read
    episodes: int = 0
    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    by_system_and_turn: Counter[str] = field(default_factory=Counter)
    renderer: str = ""
    sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, in an order that never changes."""
        return {
            "query": asdict(self.rules),
            "renderer": self.renderer,
            "log_position": self.position,
            "episodes": self.episodes,
            "rows": self.rows,
            "refused": dict(sorted(self.refused.items())),
            "by_system_and_turn": dict(sorted(self.by_system_and_turn.items())),
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A row that could be: the law of `turn`, asked before turn `index` + 1."""

    episode_id: str
    position: int
    index: int
    turn: int
    task_id: str
    system_id: str
    generalisation: float


async def mine(
    log: EventLog, rules: MiningRules, report: MiningReport | None = None
) -> AsyncIterator[SftRow]:
    """Yield the rows in the order of the log; `report`, if given, is filled in as they pass.

    The log is read twice, so that no rule that compares episodes needs them all in memory. Events
    that are appended meanwhile are left for the next time.
    """
    report = report if report is not None else MiningReport(rules=rules)
    renderer = renderer_of(rules)
    report.renderer = renderer.version
    chosen = await _choose(log, rules, report)
    taker = RowTaker(report)
    async for episode in finished_episodes(log, until=report.position):
        for candidate in chosen.pop(episode.episode_id, ()):
            row = taker.take(render_row(episode, candidate, renderer, rules))
            if row is not None:
                yield row
    report.sha256 = taker.sha256


def renderer_of(rules: MiningRules) -> Renderer:
    """Return what writes the rows."""
    return renderer_named(rules.render)


class RowTaker:
    """Takes rows in the order of the dataset: no two alike, each counted and part of the digest."""

    def __init__(self, report: MiningReport) -> None:
        self._report = report
        self._digest = hashlib.sha256()
        self._seen: set[str] = set()

    @property
    def sha256(self) -> str:
        """The digest of the rows taken so far."""
        return self._digest.hexdigest()

    def take(self, row: SftRow | None) -> SftRow | None:
        """Return the row if it is new; None is one that cannot be expressed."""
        if row is None:
            self._report.refused["not expressible"] += 1
            return None
        key = hashlib.sha256(json.dumps([row.prompt, row.completion]).encode()).hexdigest()
        if key in self._seen:
            self._report.refused["duplicate"] += 1
            return None
        self._seen.add(key)
        self._digest.update(row_json(row).encode() + b"\n")
        self._report.rows += 1
        self._report.by_system_and_turn[f"{row.system_id}/{row.turn}"] += 1
        return row


def row_json(row: SftRow) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(asdict(row), ensure_ascii=False, sort_keys=True)


async def finished_episodes(log: EventLog, *, until: int | None = None) -> AsyncIterator[Episode]:
    """Yield the episodes in the order in which they finished, up to a position."""
    running: dict[str, Episode] = {}
    position = 0
    while batch := await log.read_all(after_position=position, limit=BATCH):
        for recorded in batch:
            if until is not None and recorded.position > until:
                return
            position = recorded.position
            if isinstance(recorded.event, EpisodeLabelled):
                continue  # it may follow the end, and says nothing to learn from
            episode = evolve(running.get(recorded.episode_id), recorded)
            running[recorded.episode_id] = episode
            if episode.finished is not None:
                yield running.pop(recorded.episode_id)


async def _choose(log: EventLog, rules: MiningRules, report: MiningReport) -> dict[str, list[Candidate]]:
    candidates: list[Candidate] = []
    order = 0
    running: dict[str, Episode] = {}
    while batch := await log.read_all(after_position=report.position, limit=BATCH):
        for recorded in batch:
            report.position = recorded.position
            if isinstance(recorded.event, EpisodeLabelled):
                continue
            episode = evolve(running.get(recorded.episode_id), recorded)
            running[recorded.episode_id] = episode
            if episode.finished is None:
                continue
            del running[recorded.episode_id]
            report.episodes += 1
            order += 1
            refusal, found, refused = look_at(episode, rules)
            report.refused.update(refused)
            if refusal is not None:
                report.refused[refusal] += 1
            candidates += [replace(candidate, position=order) for candidate in found]
    return keep(candidates, rules, report)


def look_at(episode: Episode, rules: MiningRules) -> tuple[str | None, list[Candidate], Counter[str]]:
    """Return why a finished episode is left out, or the rows it could give, and how many turns were refused.

    The candidates have no place in the log yet.
    """
    refusal = _refusal(episode, rules)
    if refusal is not None:
        return refusal, [], Counter()
    alone = MiningReport(rules=rules)
    found = list(_candidates(episode, 0, rules, alone))
    return None, found, alone.refused


def keep(
    candidates: Sequence[Candidate], rules: MiningRules, report: MiningReport
) -> dict[str, list[Candidate]]:
    """Return what is kept by the rules that compare episodes, by episode; candidates know their places."""
    kept = _balanced(_best_of(candidates, rules, report), rules, report)
    by_episode: dict[str, list[Candidate]] = {}
    for candidate in sorted(kept, key=lambda c: (c.position, c.index, c.turn)):
        by_episode.setdefault(candidate.episode_id, []).append(candidate)
    return by_episode


def _refusal(episode: Episode, rules: MiningRules) -> str | None:
    """Return the rule that keeps a whole episode out."""
    task, labels = episode.task, episode.started.labels
    system = SYSTEMS.get(task.system_id)
    if system is not None and system.held_out:
        return "held-out system"
    if is_for_evaluation(task, labels.get("split")):
        return "evaluation split"
    if rules.systems and task.system_id not in rules.systems:
        return "other system"
    if rules.policies and episode.started.policy not in rules.policies:
        return "other policy"
    if not episode.started.truth.hidden:
        return "nothing to generalise to"
    return None if episode.turns else "no turn"


def _candidates(
    episode: Episode, order: int, rules: MiningRules, report: MiningReport
) -> Iterator[Candidate]:
    best, kept = -1.0, []
    for index, turn in enumerate(episode.turns):
        score = turn.rewarded.generalisation or 0.0
        if not _holds(turn, rules):
            report.refused["does not generalise"] += 1
        elif score <= best:
            report.refused["no improvement"] += 1
        else:
            kept.append(index)
        best = max(best, score)
    if rules.keep == "best":
        report.refused["improved upon later"] += max(0, len(kept) - 1)
        kept = kept[-1:]
    for turn_index in kept:
        first = 0 if rules.hindsight else turn_index
        for index in range(first, turn_index + 1):
            yield Candidate(
                episode_id=episode.episode_id,
                position=order,
                index=index,
                turn=turn_index,
                task_id=f"{episode.task.task_id}|{episode.task.hint}",
                system_id=episode.task.system_id,
                generalisation=episode.turns[turn_index].rewarded.generalisation or 0.0,
            )


def _holds(turn: Turn, rules: MiningRules) -> bool:
    correctness = turn.rewarded.correctness
    if correctness is not None and correctness.verdict in ("exact", "recovered"):
        return True
    return (turn.rewarded.generalisation or 0.0) > rules.min_generalisation


def _best_of(candidates: Sequence[Candidate], rules: MiningRules, report: MiningReport) -> list[Candidate]:
    if not rules.best_of:
        return list(candidates)
    groups: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault((candidate.task_id, candidate.index), []).append(candidate)
    kept = []
    for group in groups.values():
        ranked = sorted(group, key=lambda c: (-c.generalisation, c.position, c.turn))
        kept += ranked[: rules.best_of]
        report.refused["better ones for the task"] += max(0, len(ranked) - rules.best_of)
    return kept


def _balanced(candidates: Sequence[Candidate], rules: MiningRules, report: MiningReport) -> list[Candidate]:
    if not rules.balance:
        return list(candidates)
    counts: Counter[tuple[str, int]] = Counter()
    kept = []
    for candidate in sorted(candidates, key=lambda c: (c.position, c.index, c.turn)):
        counts[candidate.system_id, candidate.index] += 1
        if counts[candidate.system_id, candidate.index] <= rules.balance:
            kept.append(candidate)
        else:
            report.refused["balance"] += 1
    return kept


def render_row(
    episode: Episode, candidate: Candidate, renderer: Renderer, rules: MiningRules
) -> SftRow | None:
    """Return the row of a candidate; None if a renderer has no words for it."""
    # `observe` is what the policy itself was given: no truth and no score on hidden motions.
    observation = observe(replace(episode, turns=episode.turns[: candidate.index], finished=None))
    turn = episode.turns[candidate.turn]
    prompt = renderer.prompt(observation)
    completion = renderer.completion(observation, turn, canonical=rules.canonical)
    if prompt is None or completion is None:
        return None
    return SftRow(
        prompt=prompt,
        completion=completion,
        episode_id=episode.episode_id,
        task_id=episode.task.task_id,
        system_id=episode.task.system_id,
        policy=episode.started.policy,
        turn=candidate.index + 1,
        kind="played" if candidate.index == candidate.turn else "hindsight",
        generalisation=candidate.generalisation,
    )


def rules_from(where: Mapping[str, str]) -> MiningRules:
    """Return rules from `name=value` pairs, as the command line and the API take them.

    Raises:
        BadInputError: a name is unknown or a value has the wrong form.
    """
    known: dict[str, Any] = {}
    base = NANO_RULES if where.get("render") == "nano" else MiningRules()
    for name, text in where.items():
        known[name] = _value(name, text)
    return replace(base, **known)


def _value(name: str, text: str) -> object:
    try:
        match name:
            case "render" if text in ("chat", "tool", "nano"):
                return text
            case "keep" if text in ("improving", "best"):
                return text
            case "min_generalisation":
                return float(text)
            case "best_of" | "balance":
                return int(text)
            case "hindsight" | "canonical" if text in ("true", "false"):
                return text == "true"
            case "systems" | "policies":
                return tuple(part for part in text.split(",") if part)
    except ValueError:
        pass
    raise BadInputError(
        f"Rule {name[:40]}={text[:40]!r} is not understood. Rules: render=chat|tool|nano, "
        "keep=improving|best, min_generalisation=0..1, best_of=N, balance=N, hindsight=true|false, "
        "canonical=true|false, systems=a,b, policies=a,b."
    )
