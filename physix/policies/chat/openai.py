"""`openai:<model>`: any server that speaks OpenAI's chat API (extra `openai`)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio

from physix.errors import BadInputError, PolicyError
from physix.policies.chat.policy import Chunk, Sampling, Takes
from physix.policies.chat.pool import pool_of, urls_of
from physix.policies.chat.prompt import Prompt
from physix.policies.chat.tls import tls_context
from physix.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.shared_params import ResponseFormatJSONSchema

_EXAMPLE = "export PHYSIX_OPENAI_BASE_URL=http://HOST:PORT/v1"
_INSTALL = "pip install 'physix-live[openai]'"


@dataclass(frozen=True, slots=True)
class Server:
    """What a server answered: the models it has, or why it cannot be used and what helps."""

    models: tuple[str, ...] = ()
    reason: str | None = None
    command: str | None = None


async def look(settings: Settings, *, timeout_s: float = 2.0) -> Server:
    """Ask the server which models it has."""
    if settings.openai_base_url is None:
        return Server(
            reason="no server is set", command="export PHYSIX_OPENAI_BASE_URL=http://127.0.0.1:8080/v1"
        )
    if find_spec("openai") is None:
        return Server(reason="the openai client is not installed", command=_INSTALL)
    try:
        urls = urls_of(settings.openai_base_url)
    except BadInputError as error:
        return Server(reason=str(error), command=_EXAMPLE)
    found: list[Server] = []

    async def ask(url: str) -> None:
        found.append(await _look_at(url, settings, timeout_s))

    async with anyio.create_task_group() as all_of_them:
        for url in urls:
            all_of_them.start_soon(ask, url)
    answered = [one for one in found if one.reason is None]
    if not answered:
        return found[0]
    return Server(models=tuple(sorted({model for one in answered for model in one.models})))


async def _look_at(url: str, settings: Settings, timeout_s: float) -> Server:
    import openai

    try:
        with anyio.fail_after(timeout_s):
            async with _client(url, settings) as client:
                listed = await client.models.list()
                return Server(models=tuple(sorted(model.id for model in listed.data)))
    except (openai.APIConnectionError, TimeoutError):
        reason = f"no server answers at {url}"
    except openai.AuthenticationError:
        return Server(reason="the server refuses the key", command="export PHYSIX_OPENAI_API_KEY=...")
    except (openai.OpenAIError, ValueError, TypeError) as error:
        reason = f"{url} does not list its models: {str(error)[:120]}"
    return Server(reason=reason, command=_EXAMPLE)


class _AwayError(PolicyError):
    """The server failed or has no room; another one may do."""


class _NotHereError(PolicyError):
    """The server does not have the model; another one may."""


class OpenAIBackend:
    """Implements `Backend` over streaming chat completions."""

    takes: Takes = "schema"

    def __init__(self, model: str, settings: Settings) -> None:
        self.model = model
        self._settings = settings

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """See `Backend.stream`. Another server is asked where one fails before it wrote anything."""
        if self._settings.openai_base_url is None:
            raise PolicyError("No server is set: export PHYSIX_OPENAI_BASE_URL=http://HOST:PORT/v1.")
        if find_spec("openai") is None:
            raise PolicyError(f"Install the OpenAI client: {_INSTALL}.")
        pool = pool_of(urls_of(self._settings.openai_base_url), most=self._settings.openai_in_flight)
        tried: list[str] = []
        while True:
            endpoint = pool.free(tried)
            if endpoint is None:
                await pool.wait(self._settings.model_timeout_s / 4)
                yield Chunk()  # a sign of life: waiting for one's turn is no silence of a server
                continue
            tried.append(endpoint.url)
            last = len(tried) == len(pool.endpoints)
            wrote, began = False, time.monotonic()
            with pool.asking(endpoint):
                try:
                    async with aclosing(self._ask(endpoint.url, prompt, sampling)) as chunks:
                        async for chunk in chunks:
                            wrote = True
                            pool.answered(endpoint)
                            yield chunk
                    return
                except (_AwayError, _NotHereError) as error:
                    if isinstance(error, _AwayError):
                        pool.failed(endpoint)
                    if wrote or last:
                        raise PolicyError(str(error)) from error
                except anyio.get_cancelled_exc_class():
                    # A pause says nothing of the server; that nothing came for as long as anyone waits does.
                    if not wrote and time.monotonic() - began >= 0.9 * self._settings.model_timeout_s:
                        pool.failed(endpoint)
                    raise

    async def _ask(self, url: str, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Chunk]:
        """Yield one server's reply."""
        import openai

        began, finished = False, None
        try:
            async with _client(url, self._settings) as client:
                replies = await client.chat.completions.create(
                    model=self.model,
                    messages=_messages(prompt),
                    temperature=sampling.temperature,
                    max_tokens=sampling.max_tokens,
                    seed=sampling.seed,
                    stream=True,
                    stream_options={"include_usage": True},
                    response_format=_format(sampling) or openai.omit,
                )
                async with replies:
                    async for part in replies:
                        began = True
                        usage = part.usage
                        if usage is not None:
                            yield Chunk(
                                prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens
                            )
                        if not part.choices:
                            continue
                        choice = part.choices[0]
                        # Servers of reasoning models send their thinking beside the content.
                        extra = choice.delta.model_extra or {}
                        thought = extra.get("reasoning_content") or extra.get("reasoning")
                        if isinstance(thought, str) and thought:
                            yield Chunk(text=thought, thinking=True)
                        if choice.delta.refusal:
                            raise PolicyError(f"The model refused: {choice.delta.refusal[:300]}")
                        if choice.delta.content:
                            yield Chunk(text=choice.delta.content)
                        finished = choice.finish_reason or finished
                        if choice.finish_reason:
                            yield Chunk(finish=choice.finish_reason)
        except openai.NotFoundError as error:
            raise _NotHereError(f"The server does not have {self.model}: {error.message[:200]}") from error
        except openai.APIStatusError as error:
            said = f"The server answered {error.status_code}: {error.message[:300]}"
            busy = error.status_code == 429 or error.status_code >= 500
            raise (_AwayError(said) if busy else PolicyError(said)) from error
        except openai.APIConnectionError as error:
            said = "The server broke off its reply." if began else f"No server answers at {url}."
            raise _AwayError(said) from error
        except openai.APIError as error:
            raise _AwayError(f"The server broke off its reply: {error.message[:300]}") from error
        except (OSError, ValueError) as error:
            raise _AwayError(f"The server broke off its reply ({type(error).__name__}: {error}).") from error
        if finished is None:
            raise PolicyError("The server ended its reply without finishing it.")
        if finished == "content_filter":
            raise PolicyError("The server's content filter withheld the reply.")


def _messages(prompt: Prompt) -> list[ChatCompletionMessageParam]:
    made: list[ChatCompletionMessageParam] = []
    for message in prompt.messages:
        if message.role == "system":
            made.append({"role": "system", "content": message.content})
        elif message.role == "user":
            made.append({"role": "user", "content": message.content})
        else:
            made.append({"role": "assistant", "content": message.content})
    return made


def _format(sampling: Sampling) -> ResponseFormatJSONSchema | None:
    if sampling.schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "hypothesis", "schema": sampling.schema}}


def _client(url: str, settings: Settings) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    key = settings.openai_api_key
    # The client insists on a key; local servers ignore it. Its own fallback, OPENAI_API_KEY, would send
    # one server's key to another. Retries are the engine's, and recorded.
    api_key = key.get_secret_value() if key else "none"
    return AsyncOpenAI(
        base_url=url,
        api_key=api_key,
        max_retries=0,
        timeout=None,
        http_client=DefaultAsyncHttpxClient(verify=tls_context()),
    )
