"""Settings from the environment: `PHYSIX_HOST`, `PHYSIX_PORT`, `PHYSIX_DB`, ..."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """How one server or command runs. Flags of the command line win over the environment."""

    model_config = SettingsConfigDict(env_prefix="PHYSIX_", extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535)
    db: str = "sqlite:///physix.db"
    runs: str = "runs"  # the folder of training runs that the server shows
    public: bool = False
    token: str | None = None
    max_sessions: int = Field(default=64, ge=1)
    max_body_bytes: int = Field(default=262_144, ge=1_024)
    eval_salt: str = Field(default="physix-public-1", min_length=1, max_length=256)
    idle_s: float = Field(default=3_600.0, gt=0)
    public_sessions_per_minute: int = Field(default=30, ge=1)
    public_turns_per_minute: int = Field(default=120, ge=1)
