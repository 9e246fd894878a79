"""`local:<model>`: a GGUF in this process through llama.cpp (extra `local`).

Episodes share one server a model: llama.cpp batches what runs at the same time. A reply streams token by
token; closing the stream stops it at the next one.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from anyio import to_thread

from physix.errors import PolicyError
from physix.policies.chat.policy import Chunk, Sampling, Takes
from physix.policies.chat.prompt import Prompt
from physix.policies.local.models import LocalModel, model_named

INSTALL = "pip install 'physix-live[local]'"
SLOTS = 4  # episodes that are answered side by side
SLOT_TOKENS = 4_096  # of a prompt with its reply
PROMPTS_MIB = 256  # of what was asked before, some forty prompts; llama.cpp's own bound is eight gigabytes
_LOADING = threading.Lock()
_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPolicy:
    """A policy of this kind: a model, and the adapter that is applied to it.

    Attributes:
        hottest: the highest temperature that its replies are sampled at; None for whatever is asked. To mend
            a law is to copy most of it, and a copy suffers from chance.
    """

    name: str
    title: str
    description: str
    model: LocalModel
    adapter: Path | None = None
    hottest: float | None = None


def installed() -> bool:
    """Tell whether llama.cpp can be imported, without importing it."""
    return find_spec("xllamacpp") is not None


def shipped_adapter() -> Path:
    """Return the adapter that this package ships for SmolLM2."""
    return Path(__file__).parent / "weights" / "smollm2-physix.gguf"


def local_policies() -> tuple[LocalPolicy, ...]:
    """Return the policies that this package knows."""
    smollm2 = model_named("smollm2")
    return (
        LocalPolicy(
            name="local:smollm2",
            title="SmolLM2, untrained",
            description="A language model of 135 million parameters, as it was published; in process.",
            model=smollm2,
        ),
        LocalPolicy(
            name="local:smollm2-physix",
            title="SmolLM2, trained",
            description="The same model with the adapter that this package trained; in process.",
            model=smollm2,
            adapter=shipped_adapter(),
            hottest=0.2,
        ),
    )


def local_policy(name: str) -> LocalPolicy | None:
    """Return a policy by name: one of ours or `local:smollm2+<adapter.gguf>`; None if it is neither."""
    for policy in local_policies():
        if policy.name == name:
            return policy
    base, plus, adapter = name.removeprefix("local:").partition("+")
    if plus and adapter:
        return LocalPolicy(
            name=name, title=adapter, description="", model=model_named(base), adapter=Path(adapter)
        )
    return None


class LocalBackend:
    """Implements `Backend` over a llama.cpp server in this process."""

    takes: Takes = "gbnf"

    def __init__(self, policy: LocalPolicy, *, threads: int = 1) -> None:
        self.model = policy.model.title + (f" + {policy.adapter.stem}" if policy.adapter else "")
        self._policy, self._threads = policy, threads

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """See `Backend.stream`."""
        reason = missing(self._policy)
        if reason is not None:
            raise PolicyError(reason)
        server = await to_thread.run_sync(
            _server, self._policy.model.path, self._policy.adapter, self._threads
        )
        parts: SimpleQueue[dict[str, Any] | Exception | None] = SimpleQueue()
        stopped = threading.Event()
        asking = threading.Thread(
            target=_ask,
            args=(server, _request(prompt, sampling), parts, stopped),
            daemon=True,
        )
        asking.start()
        try:
            while (part := await to_thread.run_sync(parts.get, abandon_on_cancel=True)) is not None:
                if isinstance(part, Exception):
                    raise PolicyError(f"llama.cpp failed: {str(part)[:300]}") from part
                yield _chunk(part)
        finally:
            # The thread ends at the next token, and its last word frees whoever still waits for one.
            stopped.set()


def missing(policy: LocalPolicy) -> str | None:
    """Return why a policy cannot play, and what helps; None if it can."""
    if not installed():
        return f"llama.cpp is not installed: {INSTALL}."
    if not policy.model.present:
        return (
            f"{policy.model.title} is not here yet: fetch it with `physix models pull {policy.model.name}`."
        )
    return None if policy.adapter is None else _unusable(policy.adapter)


def _unusable(adapter: Path) -> str | None:
    """Return why a file is no adapter, as far as its first bytes tell; None if it may be one."""
    try:
        with adapter.open("rb") as file:
            begins = file.read(len(_MAGIC))
    except OSError as error:
        return f"The adapter {adapter.name} cannot be read: {error.strerror}."
    if begins != _MAGIC:
        return f"The adapter {adapter.name} is no GGUF file: write one with `physix train gguf`."
    return None


def _request(prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
    request: dict[str, Any] = {
        "messages": prompt.as_chat(),
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        # llama.cpp's own defaults would cut the distribution that the model was trained to sample from.
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
    }
    if sampling.grammar is not None:
        request["grammar"] = sampling.grammar
    return request


def _ask(
    server: Any,
    request: dict[str, Any],
    parts: SimpleQueue[dict[str, Any] | Exception | None],
    stopped: threading.Event,
) -> None:
    def on_part(part: dict[str, Any]) -> bool:
        parts.put(part)
        return stopped.is_set()

    try:
        server.handle_chat_completions(request, on_part)
    except Exception as error:  # whatever the C++ side throws becomes a failed turn
        parts.put(error)
    finally:
        parts.put(None)


def _chunk(part: dict[str, Any]) -> Chunk:
    if "error" in part or "choices" not in part:
        error = part.get("error", part)
        message = error.get("message", error) if isinstance(error, dict) else error
        raise PolicyError(f"llama.cpp refused: {str(message)[:300]}")
    usage = part.get("usage") or {}
    choice = part["choices"][0] if part["choices"] else {}
    delta = choice.get("delta") or {}
    return Chunk(
        text=delta.get("content") or "",
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        finish=choice.get("finish_reason"),
    )


def _server(gguf: Path, adapter: Path | None, threads: int) -> Any:
    with _LOADING:
        return _loaded(gguf, adapter, threads)


def forget_servers() -> None:
    """Let go of every server: for trainers, whose adapter is another one each step."""
    with _LOADING:
        _loaded.cache_clear()


@lru_cache(maxsize=4)
def _loaded(gguf: Path, adapter: Path | None, threads: int) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    # More threads than free cores spin: at half a token a second where other work runs.
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    params.warmup = False
    params.cache_ram_mib = PROMPTS_MIB
    params.endpoint_metrics = False
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    try:
        return xllamacpp.Server(params)
    except Exception as error:
        what = gguf.name if adapter is None else f"the adapter {adapter.name} upon {gguf.name}"
        raise PolicyError(
            f"llama.cpp cannot load {what}: {str(error)[:300]} `physix models pull` checks the model and "
            "fetches it again where it is damaged."
        ) from error
