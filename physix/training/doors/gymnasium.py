"""PhysiX as a Gymnasium environment of texts, in this process: no server needed.

`gymnasium` is an extra (`pip install 'physix-live[gymnasium]'`) and imported here alone.
"""

from __future__ import annotations

import json
import string
from typing import Any

import gymnasium
from anyio.from_thread import BlockingPortal, start_blocking_portal
from gymnasium.spaces import Text

from physix.engine import Episode, EpisodeConfig, EpisodeEngine, Provenance
from physix.engine.systems import SYSTEMS, sample_task
from physix.engine.systems.task import Task
from physix.engine.verifier.types import Hypothesis
from physix.errors import BadInputError
from physix.limits import MAX_SEED
from physix.store import Log, open_log

MAX_ACTION = 1_024
MAX_OBSERVATION = 16_384
_CHARACTERS = frozenset(string.printable)
_ROWS = 20


class PhysiXTextEnv(gymnasium.Env[str, str]):
    """One episode at a time; an action is an equation, an observation is what an agent reads.

    The action is the text of an equation with its numbers in it (`d2y/dt2 = -9.81`), or a JSON object
    with `equation` and `params`. The reward is the improvement over the best total so far, so that a
    return is at most 1. `terminated` says that the law was found, `truncated` that the turns are used up.

    Args:
        system_id: a system; None draws one that is not held out, from the seed.
        max_turns: 1 to 64.
        db: the log that the episodes go to; the default keeps them in memory.

    Raises:
        BadInputError: there is no such system.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, system_id: str | None = None, *, max_turns: int = 8, db: str = "memory://") -> None:
        if system_id is not None and system_id not in SYSTEMS:
            raise BadInputError(f"Unknown system {system_id[:40]!r}. Systems: {', '.join(SYSTEMS)}.")
        self.action_space = Text(MAX_ACTION, min_length=0, charset=_CHARACTERS)
        self.observation_space = Text(MAX_OBSERVATION, charset=_CHARACTERS)
        self._system_id = system_id
        self._config = EpisodeConfig(max_turns=max_turns, reward_mode="gain")
        self._portals = start_blocking_portal()
        self._portal: BlockingPortal = self._portals.__enter__()
        self._opened = self._portal.wrap_async_context_manager(open_log(db))
        log: Log = self._opened.__enter__()
        self._engine = EpisodeEngine(log)
        self._episode: Episode | None = None
        self._closed = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode on the task that the seed draws.

        Raises:
            BadInputError: an option is given; there is none.
        """
        super().reset(seed=seed)
        if options:
            raise BadInputError(f"reset takes no options here; {sorted(options)[0]!r} was given.")
        drawn = int(self.np_random.integers(MAX_SEED))
        fitting = [system.id for system in SYSTEMS.values() if not system.held_out]
        task, truth = sample_task(self._system_id or fitting[drawn % len(fitting)], drawn)

        async def start() -> Episode:
            return await self._engine.start(
                task, truth, config=self._config, policy="gymnasium", door="training"
            )

        self._episode = self._portal.call(start)
        return _clean(_question(task)), {"episode_id": self._episode.episode_id}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play one turn. A text that is no equation is a turn with reward 0.

        Raises:
            BadInputError: there is no episode yet.
            EpisodeFinishedError: it has ended.
        """
        before = self._episode
        if before is None:
            raise BadInputError("There is no episode yet: call reset first.")
        hypothesis = _hypothesis(action)

        async def play() -> Episode:
            return await self._engine.submit(
                before.episode_id,
                hypothesis,
                provenance=Provenance(policy="gymnasium"),
                expected_version=before.version,
            )

        episode = self._episode = self._portal.call(play)
        rewarded = episode.turns[-1].rewarded
        reason = episode.finished.reason if episode.finished else None
        left = episode.config.max_turns - len(episode.turns)
        told = f"Match {rewarded.reward.match:.3f}. {rewarded.mismatch} Proposals left: {left}."
        info = {"total": rewarded.reward.total, "match": rewarded.reward.match}
        return _clean(told), rewarded.emitted, reason == "solved", reason == "budget_exhausted", info

    def close(self) -> None:
        """Close the log."""
        if not self._closed:
            self._closed = True
            self._opened.__exit__(None, None, None)
            self._portals.__exit__(None, None, None)


def _hypothesis(action: str) -> Hypothesis:
    text = action[:MAX_ACTION]
    try:
        given = json.loads(text)
        return Hypothesis(equation=str(given["equation"]), params=_numbers(given.get("params", {})))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Hypothesis(equation=text)


def _numbers(params: Any) -> dict[str, float | None]:
    return {str(name)[:64]: float(value) for name, value in list(params.items())[:16]}


def _question(task: Task) -> str:
    variables = ", ".join(f"{v.name} [{v.unit or '?'}]: {v.description}" for v in task.variables)
    shown = task.shown[0]
    stride = max(1, (len(shown.t) - 1) // (_ROWS - 1))
    samples = list(zip(shown.t, shown.states, strict=True))[::stride]
    rows = [" ".join(f"{x:.4g}" for x in (t, *state)) for t, state in samples]
    header = " ".join(["t", *(v.name for v in task.variables)])
    return "\n".join([task.hint, f"Variables: {variables}", header, *rows])


def _clean(text: str) -> str:
    return "".join(c if c in _CHARACTERS else "?" for c in text)[:MAX_OBSERVATION]
