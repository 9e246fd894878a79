"""Settings from the environment: `PHYSIX_HOST`, `PHYSIX_PORT`, `PHYSIX_DB`, ..."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from physix.limits import MAX_TABLE_BYTES, PUBLIC_SALT


class Settings(BaseSettings):
    """How one server or command runs. Flags of the command line win over the environment."""

    model_config = SettingsConfigDict(env_prefix="PHYSIX_", extra="ignore")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=1, le=65_535, description="port to listen on")
    db: str = Field(default="sqlite:///physix.db", description="the event log")
    workers: int = Field(default=1, ge=1, le=256, description="server processes that share port and log")
    judges: int | None = Field(
        default=None,
        ge=0,
        le=64,
        description="processes that judge turns, and as many that find constants, started when needed; "
        "0: threads of the server; None: under `physix serve` the cores of each worker but one, else 0",
    )
    runs: str = Field(default="runs", description="the folder of training runs that the server shows")
    boards: str = Field(default="boards", description="the folder of boards that the server shows and plays")
    board_workers: int = Field(
        default=0, ge=0, le=1_024, description="episodes of a board at a time; 0: one for each core"
    )
    public: bool = Field(default=False, description="serve strangers: no token, quotas for each client")
    token: SecretStr | None = Field(
        default=None, description="what every client must send; None: anyone may play"
    )
    operator_token: SecretStr | None = Field(
        default=None, description="reads what is held back from players; None: made when the server starts"
    )
    hold_truth: bool | None = Field(
        default=None, description="keep the truth of sampled tasks from players too; None: with public"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("http://localhost:5173",),
        description="pages of other origins that may call the API, separated by commas; * for all",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="names by which clients reach this server, beside addresses, names without a dot and "
        "PHYSIX_HOST; separated by commas; * for all, which is the default with public",
    )
    proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas",
    )
    frame_ancestors: str = Field(
        default="'self'", pattern=r"^[\w'*:/. -]+$", description="whose pages may frame the page"
    )
    max_sessions: int = Field(
        default=64, ge=1, description="OpenEnv sessions at a time, in all processes of a server"
    )
    max_csv_body_bytes: int = Field(
        default=MAX_TABLE_BYTES, ge=1_024, description="of a request that carries measured data"
    )
    max_body_bytes: int = Field(default=262_144, ge=1_024, description="of any other request, and of a frame")
    eval_salt: str = Field(
        default=PUBLIC_SALT, min_length=1, max_length=256, description="draws the evaluation tasks"
    )
    idle_s: float = Field(default=3_600.0, gt=0, description="a silent socket is closed after this long")
    public_sessions_per_minute: int = Field(default=30, ge=1, description="of each client, with public")
    public_turns_per_minute: int = Field(default=120, ge=1, description="of each client, with public")
    public_sockets: int = Field(
        default=16, ge=1, description="open at a time by each client, with public, in all processes"
    )
    body_s: float = Field(default=60.0, gt=0, description="how long the body of a request may take to arrive")

    # Where models are served. Only these settings name servers; a request never does.
    ollama_host: str = Field(default="http://127.0.0.1:11434", description="the Ollama daemon")
    ollama_think: str = Field(
        default="auto",
        pattern=r"^[\w-]{1,32}$",
        description="whether Ollama's models think before they answer: auto, as each does by itself; on; off;"
        " or a level that `/api/show` lists for the model, such as low",
    )
    openai_base_url: str | None = Field(
        default=None, description="a server with OpenAI's chat API; several of one model, separated by commas"
    )
    openai_in_flight: int = Field(
        default=64, ge=1, le=4_096, description="requests at a time to each such server, from each process"
    )
    openai_api_key: SecretStr | None = Field(default=None, description="its key, if it asks for one")
    hf_models: str = Field(default="", description="models that requests may name, separated by commas")

    temperature: float = Field(default=0.7, ge=0.0, le=2.0, description="of a model's replies")
    grammar: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="hand servers a grammar of the task's replies: auto, to those known to take one "
        "(Ollama and local models); on, to OpenAI-compatible ones too",
    )
    dialogue: Literal["auto", "chat", "tool", "compact"] = Field(
        default="auto",
        description="the words that models are asked in, which must be those of their training: auto, what a "
        "checkpoint's folder says, else chat",
    )
    local_threads: int = Field(
        default=1, ge=1, le=256, description="of a local model; more than there are idle cores is far slower"
    )
    max_reply_tokens: int = Field(default=1_024, ge=16, le=32_768, description="a longer reply is cut")
    prompt_tokens: int = Field(default=2_048, ge=1_536, description="what a prompt is thinned to")
    model_timeout_s: float = Field(
        default=120.0, gt=0.0, description="the longest silence of a model's server"
    )
    retry_wait_s: float = Field(default=1.0, ge=0.0, description="before the second attempt; doubles")
    outage_s: float = Field(
        default=120.0, ge=0.0, description="how long a door waits for a server that is away; 0 tries once"
    )
    resume_runs: bool = Field(default=False, description="play on, at start-up, what a stop interrupted")

    @property
    def holds_truth(self) -> bool:
        """Whether the truth of sampled tasks is kept from players."""
        return self.public if self.hold_truth is None else self.hold_truth

    @field_validator("cors_origins", "allowed_hosts", "proxies", mode="before")
    @classmethod
    def _separate(cls, given: object) -> object:
        """Read `a,b` and `["a", "b"]` alike; origins have no path, so a slash at the end is a slip."""
        if not isinstance(given, str):
            return given
        parts = (part.strip(" \t\"'").rstrip("/") for part in given.strip().strip("[]").split(","))
        return tuple(part for part in parts if part)

    @classmethod
    def with_flags(cls, **flags: Any) -> Self:
        """Return the environment's settings with the flags that were given; None is one that was not."""
        return cls(**{name: value for name, value in flags.items() if value is not None})
