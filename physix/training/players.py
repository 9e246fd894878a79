"""Who plays an arm: all that its numbers depend on, whether it can play, and what its server fails at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from physix.engine import EpisodeConfig, EpisodeEngine
from physix.engine.episode import observe
from physix.engine.events import Provenance
from physix.engine.ports import Observation, Policy, Proposal, TokenSink
from physix.engine.systems.task import Task, Truth
from physix.errors import BadInputError, InfrastructureError, PhysixError, PolicyError, UnknownPolicyError
from physix.limits import POLICY_ATTEMPTS
from physix.policies import list_policies, make_policy
from physix.policies.chat.policy import ChatPolicy
from physix.policies.chat.reply import ParseFailure, parse_completion
from physix.policies.local.backend import local_policy, missing
from physix.policies.local.models import sha256_of
from physix.policies.nano import policy as nano
from physix.policies.obedient import zero_law
from physix.policies.registry import EMBEDDED
from physix.settings import Settings
from physix.store import open_log
from physix.training.arms import Arm
from physix.training.data.lessons import mended
from physix.version import __version__

_GIVEN_UP = 8  # episodes in a row that a server broke off before the rest of an arm is not tried


class Obedient:
    """A policy that does what the compact prompt tells and nothing else: the yardstick of what is told."""

    name = "obedient"

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`."""
        task = observation.task
        equation = zero_law(task)
        if observation.history:
            law = mended(observation, [*(v.name for v in task.variables), *(i.name for i in task.inputs)])
            equation = law.text() if law else observation.history[-1].equation
        read = parse_completion(equation, task.variables, constants=observation.constants, inputs=task.inputs)
        if isinstance(read, ParseFailure):
            raise PolicyError(f"The law {equation[:80]!r} cannot be read: {read}.")
        return Proposal(hypothesis=read, provenance=Provenance(policy=self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a language model is asked.

    Attributes:
        temperature: of its replies, where the policy has a bound of its own below what was asked for.
        prompt: version of the words it is asked in.
    """

    temperature: float
    grammar: str
    reply_tokens: int
    prompt_tokens: int
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """An arm with all that its numbers depend on beside the tasks.

    Attributes:
        weights: SHA-256 of the files that its policy is read from; "" where this process reads none, and so
            cannot know (a server's model is known by its name alone).
        sampling: None for policies that ask no language model.
    """

    arm: Arm
    weights: str
    sampling: Sampling | None

    @property
    def run_id(self) -> str:
        """The run that its episodes belong to in the log: a hash over all of this but where files lie."""
        # What a name stands for is what its file holds: a copy elsewhere is the same player.
        who = self.arm.policy.partition(":")[0] if self.weights else self.arm.policy
        key = {"version": __version__, **asdict(replace(self, arm=replace(self.arm, policy=who)))}
        return "measure-" + hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]


def played_by(arm: Arm, settings: Settings, weights: str, first: Observation) -> Player:
    """Return who plays an arm.

    Args:
        weights: of its policy, see `weights_of`.
        first: any of its tasks; the words that a model is asked in show on it.

    Raises:
        UnknownPolicyError, BadInputError: there is no such policy, or it cannot be read.
    """
    policy = policy_of(arm, settings)
    sampling = None
    if isinstance(policy, ChatPolicy):
        sampling = Sampling(
            temperature=policy.temperature,
            grammar=settings.grammar,
            reply_tokens=settings.max_reply_tokens,
            prompt_tokens=settings.prompt_tokens,
            prompt=policy.prompt(first).version,
        )
    return Player(arm=arm, weights=weights, sampling=sampling)


def policy_of(arm: Arm, settings: Settings) -> Policy:
    """Return a fresh policy.

    Raises:
        UnknownPolicyError, BadInputError: as `make_policy`.
    """
    if arm.policy == Obedient.name:
        return Obedient()
    if arm.prompt == "full":
        settings = settings.model_copy(update={"dialogue": "chat"})
    return make_policy(arm.policy, allow_files=True, settings=settings)


async def opening(task: Task, truth: Truth, config: EpisodeConfig) -> Observation:
    """Return what a policy sees at turn 1."""
    async with open_log("memory://") as log:
        engine = EpisodeEngine(log)
        return observe(await engine.start(task, truth, config=config, policy="", door="training"))


def check_here(name: str) -> None:
    """Refuse a policy that lacks a package, a model or an adapter; no server is asked.

    Raises:
        BadInputError: there is no such policy, or it cannot be read.
        PolicyError: it cannot play here; the message says what helps.
    """
    if name.startswith("replay:"):
        raise BadInputError(
            f"{name[:80]} repeats one recorded episode: it cannot be measured on other tasks."
        )
    if name != Obedient.name:
        try:
            make_policy(name, allow_files=True)
        except UnknownPolicyError as error:
            raise BadInputError(f"{error} What is measured may be {Obedient.name!r}, too.") from error
    if name.startswith("local:"):
        local = local_policy(name)
        reason = None if local is None else missing(local)
    else:
        found = next((info for info in list_policies() if info.name == name and not info.reachable), None)
        reason = None if found is None else f"{found.reason}: {found.command}."
    if reason is not None:
        raise PolicyError(f"policy {name} cannot play: {reason}")


def weights_of(name: str) -> str:
    """Return the SHA-256 over what the files of a policy hold, or "" if it is read from none.

    Raises:
        BadInputError: one cannot be read.
    """
    try:
        digests = [(part, sha256_of(path)) for part, path in _files(name)]
    except OSError as error:
        raise BadInputError(f"The files of {name} cannot be read: {error.strerror}.") from error
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest() if digests else ""


def _files(name: str) -> list[tuple[str, Path]]:
    """Return the files that a policy is read from, each with what it is in it."""
    kind, _, rest = name.partition(":")
    if kind == "local" and (local := local_policy(name)) is not None:
        return [("model", local.model.path), *([("adapter", local.adapter)] if local.adapter else [])]
    if kind == "scripted":
        return [("script", Path(rest))]
    if name in EMBEDDED:
        weights = Path(nano.__file__).parent / "weights"
        return [(name, weights / f"{name.removesuffix('-untrained')}.npz")]
    return _of_folder(Path(rest)) if kind == "hf" else []


def _of_folder(folder: Path) -> list[tuple[str, Path]]:
    """Return a checkpoint's files, and for an adapter those of the model below it; none of a hub's name."""
    files = _inside(folder)
    try:
        told = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        below = _inside(Path(told["base_model_name_or_path"]))
    except (OSError, ValueError, KeyError, TypeError):
        return files
    return files + [(f"base/{part}", path) for part, path in below]


def _inside(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        return []
    return [(path.name, path) for path in sorted(folder.iterdir()) if path.is_file()]


class _AnsweredError(Exception):
    """Raised out of a reply at its first word, which ends it: that there is one is all that was asked."""


async def check_answers(arm: Arm, settings: Settings, first: Observation) -> None:
    """Ask a language model for the first word of a reply.

    Raises:
        PolicyError: its server is away, lacks the model, or cannot load it.
    """

    def answered(_text: str) -> None:
        raise _AnsweredError

    policy = policy_of(arm, settings)
    if not isinstance(policy, ChatPolicy):
        return
    try:
        await policy.propose(first, answered)
    except _AnsweredError:
        return
    except Exception as error:
        if reason := _server_failed(error):
            raise PolicyError(f"policy {arm.policy} cannot play: {reason}") from error


def _server_failed(error: Exception) -> str:
    """Return what failed where a policy said nothing; "" where it did, but nothing that can be read."""
    if isinstance(error, PolicyError):
        return str(error) if error.raw_completion is None else ""
    return f"{type(error).__name__}: {str(error)[:300]}"


@dataclass(slots=True)
class Outage:
    """What the server of an arm's policy failed at."""

    episodes: int = 0
    reason: str = ""
    in_a_row: int = 0

    def take(self, error: InfrastructureError) -> None:
        """Count an episode that it broke off."""
        self.episodes += 1
        self.in_a_row += 1
        self.reason = self.reason or str(error)


class Served:
    """A language model whose server may fail: that is no attempt of the model, and breaks the episode off.

    What it wrote and nobody can read is. Once several episodes in a row were broken off, no more is asked.
    """

    def __init__(self, policy: Policy, outage: Outage) -> None:
        self.name = policy.name
        self._policy, self._outage = policy, outage

    async def propose(self, observation: Observation, on_token: TokenSink) -> Proposal:
        """See `Policy.propose`.

        Raises:
            InfrastructureError: the server failed as often as a policy may.
        """
        reason = self._outage.reason
        for _ in range(0 if self._outage.in_a_row >= _GIVEN_UP else POLICY_ATTEMPTS):
            try:
                proposal = await self._policy.propose(observation, on_token)
            except Exception as error:
                if isinstance(error, PhysixError) and not isinstance(error, PolicyError):
                    raise
                reason = _server_failed(error)
                if not reason:
                    self._outage.in_a_row = 0
                    raise
            else:
                self._outage.in_a_row = 0
                return proposal
        raise InfrastructureError(reason)


def served(policy: Policy, outage: Outage) -> Policy:
    """Return a policy as it is to be measured."""
    return Served(policy, outage) if isinstance(policy, ChatPolicy) else policy


def heading(players: Sequence[Player]) -> str:
    """Return the line that says what a table's numbers depend on beside its arms."""
    asked = [(p.arm.policy, p.sampling) for p in players if p.sampling is not None]
    said: list[str] = []
    if asked:
        hottest = max(s.temperature for _, s in asked)
        said.append(f"temperature {hottest:g}")
        cooler = dict.fromkeys((name, s.temperature) for name, s in asked if s.temperature != hottest)
        said += [f"{temperature:g} for {name}" for name, temperature in cooler]
        said.append(f"grammar {', '.join(dict.fromkeys(s.grammar for _, s in asked))}")
        said.append(f"prompt {', '.join(dict.fromkeys(s.prompt for _, s in asked))}")
    line = "; ".join([*said, f"physix-live {__version__}"])
    weights = dict.fromkeys(f"{p.arm.policy} {p.weights[:12]}" for p in players if p.weights)
    return f"Measured with {line}." + (f" SHA-256 of weights: {', '.join(weights)}." if weights else "")


def check_different(players: Sequence[Player]) -> None:
    """Refuse arms that would be played twice.

    Raises:
        BadInputError: two are the same one, though their names differ.
    """
    seen: dict[str, int] = {}
    for number, player in enumerate(players):
        other = seen.setdefault(player.run_id, number)
        if other != number:
            raise BadInputError(
                f"Arms {other} and {number} are the same one: the files of {players[other].arm.policy} and "
                f"{player.arm.policy} hold the same. List it once."
            )
