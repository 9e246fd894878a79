"""Which policies there are, and making one by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from physix.engine.ports import EventLog, Policy
from physix.engine.systems.task import Task
from physix.engine.verifier.types import Constants
from physix.errors import UnknownPolicyError
from physix.settings import Settings

if TYPE_CHECKING:
    from physix.policies.chat.policy import Backend, Dialogue

DEFAULT_POLICY = "search"
EMBEDDED = ("nano", "nano-early", "nano-untrained")  # models that come with the package


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A policy as a list shows it; `reason` and `command` help where it is not reachable."""

    name: str
    title: str
    description: str
    reachable: bool
    reason: str | None = None
    command: str | None = None
    is_default: bool = False
    constants: Constants | None = None  # the setting that it is made for; None: any


def list_policies() -> list[PolicyInfo]:
    """Return the policies that need no server, with what is installed right now."""
    return [
        PolicyInfo(
            name="search",
            title="Structure search",
            description="Sparse regression and refitted constants, one refinement a turn; no model needed.",
            reachable=True,
            is_default=True,
        ),
        *_embedded(),
        *_in_process(),
        _extra("sindy", "PySINDy", "pysindy", "Sparse regression with PySINDy over a grid of thresholds."),
        _extra(
            "sindy-defaults",
            "PySINDy as it comes",
            "pysindy",
            "One fit of PySINDy at its defaults: what a first try gives.",
            extra="sindy",
        ),
        _extra(
            "operon", "Operon", "pyoperon", "Genetic programming with Operon on smoothed rates of change."
        ),
    ]


def _extra(name: str, title: str, package: str, description: str, *, extra: str = "") -> PolicyInfo:
    there = find_spec(package) is not None
    return PolicyInfo(
        name=name,
        title=title,
        description=description,
        reachable=there,
        reason=None if there else f"{package} is not installed",
        command=None if there else f"pip install 'physix-live[{extra or name}]'",
    )


async def discover_policies(settings: Settings | None = None) -> list[PolicyInfo]:
    """Return every policy that can be named, servers asked right now which models they have."""
    from physix.policies.chat import ollama, openai

    settings = settings or Settings()
    found: dict[str, list[PolicyInfo]] = {}

    async def ask_ollama() -> None:
        daemon = await ollama.look(settings)
        what = f"A model on the Ollama at {settings.ollama_host}."
        found["ollama"] = _served("ollama", "Ollama", what, daemon.models, daemon.reason, daemon.command)

    async def ask_openai() -> None:
        server = await openai.look(settings)
        what = f"A model on {settings.openai_base_url or 'an OpenAI-compatible server'}."
        found["openai"] = _served("openai", "OpenAI API", what, server.models, server.reason, server.command)

    async with anyio.create_task_group() as both:
        both.start_soon(ask_ollama)
        both.start_soon(ask_openai)
    return [*list_policies(), *found["ollama"], *found["openai"], *_local(settings)]


def _served(
    kind: str, title: str, what: str, models: tuple[str, ...], reason: str | None, command: str | None
) -> list[PolicyInfo]:
    """Return one entry a model, or one that says what is missing."""
    if reason is not None:
        example = "<tag>" if kind == "ollama" else "<model>"
        return [
            PolicyInfo(
                name=f"{kind}:{example}",
                title=title,
                description=what,
                reachable=False,
                reason=reason,
                command=command,
            )
        ]
    return [
        PolicyInfo(name=f"{kind}:{model}", title=model, description=what, reachable=True) for model in models
    ]


def _local(settings: Settings) -> list[PolicyInfo]:
    from physix.policies.chat import hf

    there = hf.installed()
    return [
        PolicyInfo(
            name=f"hf:{model}",
            title=model,
            description="A checkpoint in the server's own process, through Transformers.",
            reachable=there,
            reason=None if there else "Transformers is not installed",
            command=None if there else hf.INSTALL,
        )
        for model in _allowed_checkpoints(settings)
    ]


def _allowed_checkpoints(settings: Settings) -> list[str]:
    return [model.strip() for model in settings.hf_models.split(",") if model.strip()]


def make_policy(name: str, *, allow_files: bool = False, settings: Settings | None = None) -> Policy:
    """Return a fresh policy; nothing is contacted or loaded before it proposes.

    Args:
        name: see docs/policies.md; `replay:` needs a log, see `open_policy`.
        allow_files: whether the name may point at a file or make this process load a checkpoint.
            Never for names from the network: those may only name what PHYSIX_HF_MODELS lists.
        settings: where the servers are; None to read the environment.

    Raises:
        UnknownPolicyError: no such policy.
        BadInputError: the script cannot be read.
    """
    kind, _, rest = name.partition(":")
    if name in EMBEDDED:
        from physix.policies.nano.policy import make_nano_policy

        return make_nano_policy(name)
    if name == "search":
        from physix.policies.search.policy import SearchPolicy

        return SearchPolicy()
    if name in ("sindy", "sindy-defaults", "operon"):
        from physix.policies.search import regressors

        make = {
            "sindy": regressors.make_sindy,
            "sindy-defaults": regressors.make_sindy_as_it_comes,
            "operon": regressors.make_operon,
        }
        return make[name]()
    if allow_files and kind == "scripted" and rest:
        from physix.policies.scripted import ScriptedPolicy

        return ScriptedPolicy.from_file(Path(rest))
    settings = settings or Settings()
    if kind == "local":
        local = _local_model(name, settings, allow_files=allow_files)
        if local is not None:
            return local
    if kind in ("ollama", "openai", "hf") and rest and not rest.startswith("<"):
        backend = _backend(kind, rest, settings, allow_files=allow_files)
        if backend is not None:
            from physix.policies.chat.policy import ChatPolicy

            constrain = settings.grammar == "on" or (settings.grammar == "auto" and kind == "ollama")
            return ChatPolicy(
                name, backend, settings, dialogue=_dialogue(kind, rest, settings), constrain=constrain
            )
    known = [info.name for info in list_policies()]
    known += ["ollama:<tag>", "openai:<model>", "replay:<episode>"]
    known += [f"hf:{model}" for model in _allowed_checkpoints(settings)]
    raise UnknownPolicyError(name, [*known, "hf:<path or id>", "scripted:<file>"] if allow_files else known)


def _dialogue(kind: str, model: str, settings: Settings) -> Dialogue:
    """Return the words that a model is asked in: those it was trained in, where its folder tells."""
    if settings.dialogue != "auto":
        return settings.dialogue
    if kind == "hf":
        from physix.policies.chat.hf import trained_dialogue

        return trained_dialogue(model)
    return "chat"


def _local_model(name: str, settings: Settings, *, allow_files: bool) -> Policy | None:
    """Return a model that runs in this process through llama.cpp; only files may name another adapter."""
    from physix.policies.chat.policy import ChatPolicy
    from physix.policies.local.backend import LocalBackend, local_policies, local_policy

    if not allow_files and name not in {one.name for one in local_policies()}:
        return None
    found = local_policy(name)
    if found is None:
        return None
    backend = LocalBackend(found, threads=settings.local_threads)
    dialogue = "compact" if settings.dialogue == "auto" else settings.dialogue
    return ChatPolicy(
        name,
        backend,
        settings,
        dialogue=dialogue,
        constrain=settings.grammar != "off",
        hottest=found.hottest,
    )


def _backend(kind: str, model: str, settings: Settings, *, allow_files: bool) -> Backend | None:
    if kind == "ollama":
        from physix.policies.chat.ollama import OllamaBackend

        return OllamaBackend(model, settings)
    if kind == "openai":
        from physix.policies.chat.openai import OpenAIBackend

        return OpenAIBackend(model, settings)
    if not allow_files and model not in _allowed_checkpoints(settings):
        return None
    from physix.policies.chat.hf import HfBackend

    return HfBackend(model, settings)


def cannot_be_asked(name: str, task: Task) -> str | None:
    """Return why a policy has no way to read a task; None: it can be asked."""
    if name in EMBEDDED:
        from physix.policies.nano.codec import frames

        if not frames(task):
            return f"{name} reads motions of second order only"
    return None


async def open_policy(
    name: str, log: EventLog, settings: Settings | None = None, *, allow_files: bool = False
) -> Policy:
    """Return a fresh policy, one that repeats a recorded episode included.

    Raises:
        UnknownPolicyError, BadInputError: as `make_policy`.
        EpisodeNotFoundError: the episode to repeat is not in the log.
    """
    if name.startswith("replay:"):
        from physix.policies.replay import ReplayPolicy

        return await ReplayPolicy.of(name, log)
    return make_policy(name, allow_files=allow_files, settings=settings)


def constants_for(policies: Iterable[str], wanted: Constants | None = None) -> Constants:
    """Return who finds the numbers where these policies play by the same rules.

    Args:
        policies: their names.
        wanted: what was asked for; it stands. None: what one of them is made for, else "declared".
    """
    if wanted is not None:
        return wanted
    # A model of `local:` was taught to name constants: where laws must bring their numbers it solves nothing.
    return "fitted" if any(name.startswith("local:") for name in policies) else "declared"


def _in_process() -> list[PolicyInfo]:
    """Return the language models that run here once they were fetched."""
    from physix.policies.local.backend import INSTALL, installed, local_policies, missing

    found = []
    for policy in local_policies():
        reason = missing(policy)
        command = f"physix models pull {policy.model.name}" if installed() else INSTALL
        found.append(
            PolicyInfo(
                name=policy.name,
                title=policy.title,
                description=policy.description,
                reachable=reason is None,
                reason=reason,
                command=None if reason is None else command,
                constants=constants_for([policy.name]),
            )
        )
    return found


def _embedded() -> list[PolicyInfo]:
    """Return the models that come with the package."""
    return [
        PolicyInfo(
            name="nano",
            title="Nano, trained",
            description="A language model of a million parameters, trained by this package; in process.",
            reachable=True,
        ),
        PolicyInfo(
            name="nano-early",
            title="Nano, early",
            description="The same network after 70 of its 1,700 steps: readable laws, often wrong.",
            reachable=True,
        ),
        PolicyInfo(
            name="nano-untrained",
            title="Nano, untrained",
            description="The same network before training, to show what training did.",
            reachable=True,
        ),
    ]
