"""The shell around the pure core: load, decide off the event loop, append, fold.

It decides nothing itself. All state is in the log; the cache only saves re-reading it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from physix.engine import episode as core
from physix.engine.discovery import Discovery
from physix.engine.episode import Episode, evolve, fold, observe
from physix.engine.events import (
    Door,
    EpisodeConfig,
    Event,
    ForkPoint,
    Provenance,
    RecordedEvent,
)
from physix.engine.judging import JudgeThreads
from physix.engine.ports import EventLog, Judge, Observation, Policy, Proposal, TokenSink
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError, ConflictError, EpisodeNotFoundError, PhysixError, PolicyError
from physix.limits import EPISODE_ID, EPISODE_ID_IN_WORDS

_CACHED_EPISODES = 256
_LOGGER = logging.getLogger("physix")


def _ignore_token(_text: str) -> None:
    """Drop tokens when nobody watches."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a submit command."""

    episode: Episode  # as the command left it, the first time
    repeated: bool  # it was answered before: nothing was appended now, and nothing is paid


class EpisodeEngine:
    """Runs commands against an event log. Safe to share between tasks of one event loop.

    Args:
        log: all state is in it.
        judge: who verifies; None: threads of this process.
    """

    def __init__(self, log: EventLog, judge: Judge | None = None) -> None:
        self._log = log
        self._cache: OrderedDict[str, Episode] = OrderedDict()
        self._judge = judge or JudgeThreads()

    @property
    def log(self) -> EventLog:
        """The log this engine appends to."""
        return self._log

    @property
    def waiting(self) -> int:
        """How many turns wait for a core to judge them."""
        return self._judge.waiting

    async def start(
        self,
        task: Task,
        truth: Truth,
        *,
        config: EpisodeConfig,
        policy: str,
        door: Door,
        episode_id: str | None = None,
        forked_from: ForkPoint | None = None,
        comparison_id: str | None = None,
        token_sha256: str | None = None,
        labels: Mapping[str, str] | None = None,
        command_id: str | None = None,
        command_digest: str = "",
    ) -> Episode:
        """Begin an episode and return it at version 1.

        Repeating a `command_id` with the same `episode_id` and digest begins nothing.

        Raises:
            BadInputError: the config is out of range, or `episode_id` is no id.
            ConflictError: `episode_id` is taken, or the command id belongs to another digest.
        """
        started = core.start(
            task,
            truth,
            config=config,
            policy=policy,
            door=door,
            forked_from=forked_from,
            comparison_id=comparison_id,
            token_sha256=token_sha256,
            labels=labels,
        )
        if episode_id is not None and not re.fullmatch(EPISODE_ID, episode_id):
            raise BadInputError(
                f"episode_id {episode_id[:80]!a} cannot be used; write {EPISODE_ID_IN_WORDS}."
            )
        new_id = episode_id or uuid.uuid4().hex
        recorded = await self._log.append(
            new_id, (started,), expected_version=0, command_id=command_id, command_digest=command_digest
        )
        return self._remember(evolve(None, recorded[0]))

    async def take_up(
        self,
        task: Task,
        truth: Truth,
        *,
        config: EpisodeConfig,
        policy: str,
        door: Door,
        episode_id: str,
        comparison_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Episode:
        """Begin an episode whose id says what is played, or return it as far as it was played before.

        Raises:
            BadInputError: as `start`.
            ConflictError: the log holds another episode under this id. Clients of a server name their own
                episodes: one of theirs, on a task of their choice, must not count as what was to be played.
        """
        try:
            known = await self.load(episode_id)
        except EpisodeNotFoundError:
            return await self.start(
                task,
                truth,
                config=config,
                policy=policy,
                door=door,
                episode_id=episode_id,
                comparison_id=comparison_id,
                labels=labels,
            )
        began = known.started
        asked = (task.task_id, config, policy, door, comparison_id, dict(labels or {}), None)
        holds = (began.task.task_id, began.config, began.policy, began.door, began.comparison_id)
        if asked != (*holds, dict(began.labels), began.token_sha256):
            raise ConflictError(
                f"Episode {episode_id} of the log is another one: {began.policy} on {began.task.task_id}, "
                f"door {began.door}. It does not count; play under another name."
            )
        return known

    async def load(self, episode_id: str) -> Episode:
        """Return the episode as the log has it now.

        Raises:
            EpisodeNotFoundError: the log holds no such episode.
        """
        cached = self._cache.get(episode_id)
        after = cached.version if cached else 0
        episode = fold(await self._log.read(episode_id, after_version=after), cached)
        if episode is None:
            raise EpisodeNotFoundError(episode_id)
        return self._remember(episode)

    async def submit(
        self,
        episode_id: str,
        hypothesis: Hypothesis,
        *,
        provenance: Provenance,
        raw_completion: str | None = None,
        discovery: Discovery | None = None,
        expected_version: int | None = None,
        command_id: str | None = None,
    ) -> Episode:
        """As `answer`, for callers to whom a repeated command is as good as a new one."""
        answered = await self.answer(
            episode_id,
            hypothesis,
            provenance=provenance,
            raw_completion=raw_completion,
            discovery=discovery,
            expected_version=expected_version,
            command_id=command_id,
        )
        return answered.episode

    async def answer(
        self,
        episode_id: str,
        hypothesis: Hypothesis,
        *,
        provenance: Provenance,
        raw_completion: str | None = None,
        discovery: Discovery | None = None,
        expected_version: int | None = None,
        command_id: str | None = None,
    ) -> Answered:
        """Play one turn with this hypothesis and return the episode after it.

        Repeating a `command_id` with the same hypothesis returns the episode as it was after
        the first time and changes nothing.

        Raises:
            EpisodeNotFoundError, EpisodeFinishedError, BadInputError: nothing was appended.
            ConflictError: another writer was first, `expected_version` is not the current one,
                or the command id belongs to another hypothesis.
        """
        digest = ""
        if command_id is not None:
            core.check_recordable(hypothesis, raw_completion)
            digest = _digest(hypothesis)
        episode = self._expected(episode_id, expected_version)
        if episode is None:
            if command_id is not None:
                earlier = await self._log.find_command(episode_id, command_id, digest)
                if earlier is not None:
                    return Answered(await self._as_of(episode_id, earlier[-1].version), repeated=True)
            episode = await self.load(episode_id)
        if expected_version is not None and not episode.settled <= expected_version <= episode.version:
            raise ConflictError(
                f"Episode {episode_id} is at version {episode.version}, not {expected_version}. "
                "Load it again before the next turn."
            )
        core.require_running(episode)
        core.check_recordable(hypothesis, raw_completion)
        verification = await self._judge.verify(
            episode.task,
            episode.started.truth,
            hypothesis,
            best_match=episode.best_match,
            config=episode.config.verifier,
        )
        events = core.played(
            episode,
            hypothesis,
            verification,
            provenance=provenance,
            raw_completion=raw_completion,
            discovery=discovery,
        )
        return await self._append(episode, events, command_id, digest)

    def _expected(self, episode_id: str, version: int | None) -> Episode | None:
        """Return the cached episode if a caller who names this version can play on from it.

        It spares two reads a turn: the append refuses a version that is no longer the current one,
        and answers a command that it has seen before with what that command appended.
        """
        cached = self._cache.get(episode_id)
        if cached is None or cached.version != version or cached.finished is not None:
            return None
        return cached

    async def play_turn(
        self, episode_id: str, policy: Policy, on_token: TokenSink = _ignore_token
    ) -> Episode:
        """Let the policy play one turn; its failures are recorded and retried, then end the episode.

        Raises:
            EpisodeNotFoundError, EpisodeFinishedError, ConflictError: as `submit`.
        """
        episode = await self.load(episode_id)
        core.require_running(episode)
        while episode.finished is None:
            try:
                proposal = await _propose(policy, observe(episode), on_token)
                core.check_recordable(proposal.hypothesis, proposal.raw_completion)
            except (PolicyError, BadInputError) as error:
                reply = error.raw_completion if isinstance(error, PolicyError) else None
                events = core.fail_policy(
                    episode, policy=policy.name, reason=str(error), raw_completion=reply
                )
                episode = (await self._append(episode, events)).episode
                continue
            return await self.submit(
                episode_id,
                proposal.hypothesis,
                provenance=proposal.provenance,
                raw_completion=proposal.raw_completion,
                discovery=proposal.discovery,
                expected_version=episode.version,
            )
        return episode

    async def run(self, episode_id: str, policy: Policy, on_token: TokenSink = _ignore_token) -> Episode:
        """Let the policy play to the end and return the finished episode. Cancellable between turns
        and while the policy thinks; a turn is in the log whole or not at all."""
        episode = await self.load(episode_id)
        while episode.finished is None:
            episode = await self.play_turn(episode_id, policy, on_token)
        return episode

    async def abandon(self, episode_id: str) -> Episode:
        """End the episode as abandoned, however far it has come meanwhile.

        Raises:
            EpisodeNotFoundError, EpisodeFinishedError: nothing was appended.
        """
        while True:
            episode = await self.load(episode_id)
            try:
                return (await self._append(episode, core.abandon(episode))).episode
            except ConflictError:
                # A turn was on its way to the log when its player was told to stop, and came first.
                if (await self.load(episode_id)).version == episode.version:
                    raise

    async def label(
        self, episode_id: str, labels: Mapping[str, str | None], *, command_id: str | None = None
    ) -> Episode:
        """Put labels on an episode, running or ended; None takes one away. What is so already stays.

        Raises:
            EpisodeNotFoundError, BadInputError: nothing was appended.
            ConflictError: the command id belongs to other labels.
        """
        digest = hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()
        if command_id is not None:
            earlier = await self._log.find_command(episode_id, command_id, digest)
            if earlier is not None:
                return await self._as_of(episode_id, earlier[-1].version)
        while True:
            episode = await self.load(episode_id)
            events = core.label(episode, labels)
            if not events:
                return episode
            try:
                return (await self._append(episode, events, command_id, digest)).episode
            except ConflictError:
                # A turn, or a label of somebody else, was first; a command id of other labels stays so.
                if (await self.load(episode_id)).version == episode.version:
                    raise

    async def _append(
        self,
        episode: Episode,
        events: Sequence[Event],
        command_id: str | None = None,
        digest: str = "",
    ) -> Answered:
        try:
            recorded = await self._log.append(
                episode.episode_id,
                events,
                expected_version=episode.version,
                command_id=command_id,
                command_digest=digest,
            )
        except ConflictError:
            now = await self.load(episode.episode_id)
            if now.version == episode.version or now.settled > episode.version:
                raise
            # Somebody labelled it meanwhile; what was decided does not depend on that.
            return await self._append(now, events, command_id, digest)
        # Not by the version: a twin of this command may have been first, from the same version.
        if recorded[0].event is not events[0]:
            return Answered(await self._as_of(episode.episode_id, recorded[-1].version), repeated=True)
        return Answered(self._remember(_extend(episode, recorded)), repeated=False)

    async def _as_of(self, episode_id: str, version: int) -> Episode:
        events = await self._log.read(episode_id)
        episode = fold(recorded for recorded in events if recorded.version <= version)
        if episode is None:
            raise EpisodeNotFoundError(episode_id)
        return episode

    def _remember(self, episode: Episode) -> Episode:
        known = self._cache.get(episode.episode_id)
        if known is None or known.version <= episode.version:
            self._cache[episode.episode_id] = episode
            self._cache.move_to_end(episode.episode_id)
        while len(self._cache) > _CACHED_EPISODES:
            self._cache.popitem(last=False)
        return episode


async def _propose(policy: Policy, observation: Observation, on_token: TokenSink) -> Proposal:
    """Return what a policy proposes; whatever it raises that is not ours is a failure of the policy.

    Raises:
        PolicyError: it has failed; the message says with what.
    """
    try:
        return await policy.propose(observation, on_token)
    except PhysixError:
        raise
    except Exception as error:
        # Other people's numerical code raises whatever it likes; whoever plays many episodes plays on.
        _LOGGER.exception("Policy %s failed", policy.name)
        raise PolicyError(f"{policy.name} failed: {type(error).__name__}: {str(error)[:300]}") from error


def _extend(episode: Episode, recorded: Sequence[RecordedEvent]) -> Episode:
    for one in recorded:
        episode = evolve(episode, one)
    return episode


def _digest(hypothesis: Hypothesis) -> str:
    """Identify the body of a submit command."""
    body = {
        "equation": hypothesis.equation,
        "params": core.recorded_params(hypothesis.params),
        "rationale": hypothesis.rationale,
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
