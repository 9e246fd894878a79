"""`ollama:<tag>`: a model that an Ollama daemon serves (extra `ollama`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio

from physix.errors import PolicyError
from physix.policies.chat.policy import Chunk, Sampling, Takes
from physix.policies.chat.prompt import Prompt
from physix.policies.chat.tls import tls_context
from physix.settings import Settings

SUGGESTED = "qwen2.5:1.5b-instruct"
# What `done_reason` says of a request that made the daemon load or unload a model and write nothing.
_NO_REPLY = ("load", "unload")


@dataclass(frozen=True, slots=True)
class Daemon:
    """What a daemon answered: the models it has, or why it cannot be used and what helps."""

    models: tuple[str, ...] = ()
    reason: str | None = None
    command: str | None = None


async def look(settings: Settings, *, timeout_s: float = 2.0) -> Daemon:
    """Ask the daemon which models it has."""
    try:
        import ollama
    except ImportError:
        return Daemon(
            reason="the ollama client is not installed", command="pip install 'physix-live[ollama]'"
        )
    import httpx

    client = ollama.AsyncClient(host=settings.ollama_host, timeout=timeout_s, verify=tls_context())
    try:
        with anyio.fail_after(timeout_s):
            listed = await client.list()
    except (ConnectionError, TimeoutError, httpx.HTTPError):
        return Daemon(reason=f"no Ollama answers at {settings.ollama_host}", command="ollama serve")
    except (ollama.ResponseError, ValueError) as error:
        return Daemon(
            reason=f"{settings.ollama_host} is no Ollama: {str(error)[:120]}", command="ollama serve"
        )
    finally:
        await client.close()  # type: ignore[no-untyped-call]  # the client leaves it untyped
    models = tuple(sorted(found.model for found in listed.models if found.model))
    if not models:
        return Daemon(reason="Ollama has no model yet", command=f"ollama pull {SUGGESTED}")
    return Daemon(models=models)


class OllamaBackend:
    """Implements `Backend` over Ollama's streaming chat."""

    takes: Takes = "schema"

    def __init__(self, model: str, settings: Settings) -> None:
        self.model = model
        self._settings = settings

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """See `Backend.stream`."""
        try:
            import ollama
        except ImportError as error:
            raise PolicyError("Install the Ollama client: pip install 'physix-live[ollama]'.") from error
        import httpx

        client = ollama.AsyncClient(host=self._settings.ollama_host, timeout=None, verify=tls_context())
        finished = False
        try:
            options = {
                "temperature": sampling.temperature,
                "num_predict": sampling.max_tokens,
                "seed": sampling.seed,
                # The daemon's default context is shorter than a prompt with its reply.
                "num_ctx": self._settings.prompt_tokens + sampling.max_tokens,
            }
            replies = await client.chat(
                model=self.model,
                messages=prompt.as_chat(),
                stream=True,
                options=options,
                format=sampling.schema,
                think=think_value(self._settings.ollama_think),
            )
            async for part in replies:
                if part.done and part.done_reason in _NO_REPLY:
                    raise PolicyError(
                        f"Ollama wrote nothing: it was told to {part.done_reason} {self.model}."
                    )
                if part.message.thinking:
                    yield Chunk(text=part.message.thinking, thinking=True)
                finished = bool(part.done)
                yield Chunk(
                    text=part.message.content or "",
                    prompt_tokens=part.prompt_eval_count,
                    completion_tokens=part.eval_count,
                    finish=part.done_reason,
                )
        except ollama.ResponseError as error:
            raise PolicyError(_explain(self.model, error.status_code, str(error.error))) from error
        except (ConnectionError, httpx.ConnectError) as error:
            raise PolicyError(
                f"No Ollama answers at {self._settings.ollama_host}; start it with `ollama serve`."
            ) from error
        except (httpx.HTTPError, ValueError) as error:
            raise PolicyError(f"Ollama broke off its reply ({type(error).__name__}: {error}).") from error
        finally:
            with anyio.CancelScope(shield=True):
                await client.close()  # type: ignore[no-untyped-call]  # the client leaves it untyped
        if not finished:
            raise PolicyError("Ollama ended its reply without finishing it.")


def think_value(setting: str) -> bool | str | None:
    """Return what a request's `think` says: None leaves it to the model, a name is one of its levels.

    Source: Ollama's documentation, "Thinking" (docs/capabilities/thinking.mdx).
    """
    return {"auto": None, "on": True, "off": False}.get(setting, setting)


def _explain(model: str, status: int, message: str) -> str:
    if "does not support thinking" in message:
        return f"Ollama's {model} does not think; set PHYSIX_OLLAMA_THINK=auto, or off."
    if status == 404:
        return f"Ollama does not have {model}; fetch it with `ollama pull {model}`."
    return f"Ollama answered {status}: {message[:300]}" if status > 0 else f"Ollama failed: {message[:300]}"
