"""PhysiX as a Gymnasium environment of texts, in this process: no server needed.

`gymnasium` is an extra (`pip install 'physix-live[gymnasium]'`) and imported here alone. Importing this
module registers the environment, so `gymnasium.make("physix.training.doors.gymnasium:PhysiX-v0")` makes one.
"""

from __future__ import annotations

import atexit
import os
import string
import weakref
from functools import lru_cache
from typing import Any

import gymnasium
from anyio.from_thread import BlockingPortal, start_blocking_portal
from gymnasium.spaces import Text

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance, observe
from physix.engine.ports import EventLog
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.splits import count, split_task
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.types import Profile, VerifierConfig
from physix.errors import BadInputError, EpisodeFinishedError
from physix.limits import MAX_SEED
from physix.policies.chat.prompt import briefing, table_header, table_rows
from physix.settings import Settings
from physix.store import open_log
from physix.store.memory import MemoryLog
from physix.training.doors.words import reply_of

MAX_ACTION = 4_096
MAX_OBSERVATION = 16_384
_CHARACTERS = frozenset(string.printable)
_ROWS = 20
_MEMORY = "memory://"
_OPTIONS = ("system_id", "split", "index")
GYMNASIUM_ID = "PhysiX-v0"


class PhysiXTextEnv(gymnasium.Env[str, str]):
    """One episode at a time; an action is what a model wrote, an observation is what it reads.

    The action is a reply with a hypothesis in it: an equation with its numbers (`d2y/dt2 = -9.81`), or a
    JSON object with `equation` and `params`; a reply that holds none is a turn with reward 0. The reward is
    the improvement over the best total so far, so that a return is at most 1. `terminated` says
    that the law was found, `truncated` that the turns are used up.

    Args:
        system_id: a system; None draws one that is not held out, from the seed.
        split: draw the tasks of a split instead; None: any seed.
        index: of the split's tasks, the same at every reset; None draws one from the seed.
        max_turns: 1 to 64.
        profile: `strict` pays for laws that hold on hidden motions, `classic` is the seed's contract.
        db: the log that the episodes go to; the default keeps one episode in memory.

    Raises:
        BadInputError: there is no such system, split or index, or they contradict each other.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(
        self,
        system_id: str | None = None,
        *,
        split: str | None = None,
        index: int | None = None,
        max_turns: int = 8,
        profile: Profile = "strict",
        db: str = _MEMORY,
    ) -> None:
        self._wanted = _checked({"system_id": system_id, "split": split, "index": index})
        self.action_space = Text(MAX_ACTION, min_length=0, charset=_CHARACTERS)
        self.observation_space = Text(MAX_OBSERVATION, charset=_CHARACTERS)
        verifier = VerifierConfig(profile=profile)
        self._config = EpisodeConfig(max_turns=max_turns, reward_mode="gain", verifier=verifier)
        self._log = None if db == _MEMORY else _Opened(db)
        # Whoever forgets to close an environment leaves no file open.
        self._closing = weakref.finalize(self, _close, self._log)
        self._engine: EpisodeEngine | None = None
        self._episode: Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode on the task that the seed draws; one that still runs is abandoned.

        `options` may hold `system_id`, or `split` and `index`, in place of the environment's own.

        Raises:
            BadInputError: an option is unknown or out of range.
        """
        super().reset(seed=seed)
        wanted = self._wanted if not options else _checked(options)
        drawn = int(self.np_random.integers(MAX_SEED))
        self._leave()
        task, truth = _task(wanted, drawn)
        # In memory nobody reads an episode again: a log of its own goes with it.
        engine = EpisodeEngine(_in_memory() if self._log is None else self._log.log)

        async def start() -> Episode:
            return await engine.start(task, truth, config=self._config, policy="gymnasium", door="training")

        self._engine, self._episode = engine, _portal().call(start)
        return _clean(_question(self._episode)), {"episode_id": self._episode.episode_id}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play one turn. Whatever a model wrote is a turn: a text that is no hypothesis has reward 0.

        Raises:
            BadInputError: there is no episode yet.
            EpisodeFinishedError: it has ended.
        """
        before, engine = self._episode, self._engine
        if before is None or engine is None:
            raise BadInputError("There is no episode yet: call reset first.")
        if before.finished is not None:
            raise EpisodeFinishedError(before.episode_id, len(before.turns), before.finished.reason)
        task, rules = before.task, before.config.verifier
        reply = reply_of(
            str(action)[:MAX_ACTION], task.variables, inputs=task.inputs, constants=rules.constants
        )

        async def play() -> Episode:
            return await engine.submit(
                before.episode_id,
                reply.hypothesis,
                provenance=Provenance(policy="gymnasium"),
                expected_version=before.version,
            )

        episode = self._episode = _portal().call(play)
        rewarded = episode.turns[-1].rewarded
        reason = episode.finished.reason if episode.finished else None
        left = episode.config.max_turns - len(episode.turns)
        said = reply.unreadable or rewarded.mismatch
        told = f"Match {rewarded.reward.match:.3f}. {said} Proposals left: {left}."
        info = {"total": rewarded.reward.total, "match": rewarded.reward.match}
        return _clean(told), rewarded.emitted, reason == "solved", reason == "budget_exhausted", info

    def close(self) -> None:
        """Abandon the episode that still runs, and close the log. May be called again."""
        if self._closing.alive:
            self._leave()
            self._closing()

    def _leave(self) -> None:
        episode, engine = self._episode, self._engine
        self._episode = None
        if self._log is None or engine is None or episode is None or episode.finished is not None:
            return
        _portal().call(engine.abandon, episode.episode_id)


class _Opened:
    """A log of a database, open until it is closed."""

    def __init__(self, db: str) -> None:
        self._context = _portal().wrap_async_context_manager(open_log(db))
        self.log: EventLog = self._context.__enter__()

    def close(self) -> None:
        self._context.__exit__(None, None, None)


def _close(opened: _Opened | None) -> None:
    if opened is not None:
        opened.close()


def _portal() -> BlockingPortal:
    return _portal_of(os.getpid())  # a forked process has no threads of its parent's


@lru_cache(maxsize=1)
def _portal_of(_process: int) -> BlockingPortal:
    """Return the one event loop that all environments of a process share."""
    context = start_blocking_portal()
    portal = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return portal


def _in_memory() -> EventLog:
    return _portal().call(MemoryLog)


def _checked(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return which tasks are wanted, after checking that there are such."""
    unknown = sorted(wanted.keys() - set(_OPTIONS))
    if unknown:
        raise BadInputError(f"Unknown option {str(unknown[0])[:40]!r}. Options: {', '.join(_OPTIONS)}.")
    system_id, split, index = (wanted.get(name) for name in _OPTIONS)
    if system_id is not None and system_id not in SYSTEMS:
        raise BadInputError(f"Unknown system {str(system_id)[:40]!r}. Systems: {', '.join(SYSTEMS)}.")
    if system_id is not None and split is not None:
        raise BadInputError("A split's tasks are fixed: give system_id or split, not both.")
    if index is not None:
        if split is None:
            raise BadInputError("index needs a split.")
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count(split):
            raise BadInputError(f"index is {str(index)[:40]}; {split} has tasks 0 to {count(split) - 1}.")
    elif split is not None:
        count(split)
    return {"system_id": system_id, "split": split, "index": index}


def _task(wanted: dict[str, Any], drawn: int) -> tuple[Task, Truth]:
    split, index = wanted["split"], wanted["index"]
    if split is not None:
        number = drawn % count(split) if index is None else index
        return split_task(split, number, salt=Settings().eval_salt)
    fitting = [system.id for system in SYSTEMS.values() if not system.held_out]
    return sample_task(wanted["system_id"] or fitting[drawn % len(fitting)], drawn)


def _question(episode: Episode) -> str:
    task = episode.task
    variables = ", ".join(f"{v.name} [{v.unit or '?'}]: {v.description}" for v in task.variables)
    rows = table_rows(task.shown[0], _ROWS)
    told = briefing(observe(episode), episode.config.verifier.profile)
    return "\n".join([told, "", task.hint, f"Variables: {variables}", table_header(task), *rows])


def _clean(text: str) -> str:
    return "".join(c if c in _CHARACTERS else "?" for c in text)[:MAX_OBSERVATION]


# A side effect of importing, as Gymnasium has no other way: `make("module:id")` imports the module.
gymnasium.register(
    id=GYMNASIUM_ID,
    entry_point="physix.training.doors.gymnasium:PhysiXTextEnv",
    disable_env_checker=True,  # it would hold what a model writes to the characters of the action space
)
