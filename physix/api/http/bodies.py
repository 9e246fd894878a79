"""What clients send. An unknown field is a mistake, and every bound is one of `physix.limits`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from physix.engine.events import RewardMode
from physix.engine.systems.measured import RoleKind
from physix.engine.verifier.types import Constants, FunctionSet, Profile
from physix.limits import (
    DEFAULT_TURNS,
    MAX_COLUMN_NAME,
    MAX_FILE_COLUMNS,
    MAX_HOLD_BACK,
    MAX_LABEL_NAME,
    MAX_LABEL_VALUE,
    MAX_LABELS,
    MAX_MEMBERS,
    MAX_POLICY_NAME,
    MAX_RECORDED_EQUATION,
    MAX_RECORDED_PARAMS,
    MAX_RECORDED_RATIONALE,
    MAX_SYSTEM_ID,
    MAX_TURNS,
    MAX_UNIT,
    PERSON,
)

Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
StrictInt = Annotated[int, Field(strict=True)]


class Body(BaseModel):
    """A request body: an unknown field is a mistake, not an option."""

    model_config = ConfigDict(extra="forbid")


class ColumnRole(Body):
    """What a column of measured data is."""

    kind: RoleKind
    of: str | None = Field(
        default=None, max_length=MAX_COLUMN_NAME, description="rate, sigma: of which column"
    )
    order: Literal[1, 2] | None = Field(
        default=None, description="state without a rate column: 2 estimates its velocity"
    )
    unit: str | None = Field(default=None, max_length=MAX_UNIT, description="replaces what the file says")


class TableBody(Body):
    """A table of measurements and how to read it."""

    csv: str | None = Field(default=None, description="the text of a file of measurements")
    csv_base64: Base64Bytes | None = Field(
        default=None, description="or its bytes, where the server is to find out the encoding"
    )
    roles: dict[str, ColumnRole] = Field(
        default_factory=dict,
        max_length=MAX_FILE_COLUMNS,
        description="what a column is, by its name in /api/csv/check; those not named keep the proposal",
    )
    hold_back: Finite | None = Field(
        default=None,
        ge=0.0,
        le=MAX_HOLD_BACK,
        description="share of the last rows, or of the runs, kept hidden; null: 0.25 from 40 rows on",
    )
    held_back_csv: str | None = Field(default=None, description="another table, kept hidden")
    hint: str = ""
    title: str = ""


class NewTask(TableBody):
    """What to work on, from a system and seed or from a CSV, and by which rules."""

    system_id: str | None = Field(default=None, max_length=MAX_SYSTEM_ID)
    seed: StrictInt = 0
    noise: Finite | None = None
    trajectories: StrictInt = 1
    max_turns: StrictInt = Field(default=DEFAULT_TURNS, ge=1, le=MAX_TURNS)
    profile: Profile = "classic"
    constants: Constants | None = Field(
        default=None,
        description="who finds the numbers; absent: what a policy is made for (/api/policies), else declared",
    )
    functions: FunctionSet | None = Field(
        default=None, description="basic or extended; absent: extended for measured data, else basic"
    )
    reward_mode: RewardMode = "total"


class NewSession(NewTask):
    """Start an episode."""

    policy: str = Field(
        default=PERSON, max_length=MAX_POLICY_NAME, description="who will play; `you` for a person"
    )


class NewComparison(NewTask):
    """Start the same task under several policies."""

    policies: list[Annotated[str, Field(min_length=1, max_length=MAX_POLICY_NAME)]] = Field(
        min_length=1, max_length=MAX_MEMBERS
    )


class ForkBody(Body):
    """Where to branch, and who goes on."""

    turn: StrictInt = Field(ge=0, le=MAX_TURNS)
    policy: str | None = Field(default=None, max_length=MAX_POLICY_NAME, description="absent: the original's")
    max_turns: StrictInt | None = Field(default=None, ge=1, le=MAX_TURNS)


class HypothesisBody(Body):
    """A person's hypothesis."""

    equation: str = Field(max_length=MAX_RECORDED_EQUATION)
    params: dict[str, Finite | None] = Field(default_factory=dict, max_length=MAX_RECORDED_PARAMS)
    rationale: str = Field(default="", max_length=MAX_RECORDED_RATIONALE)


class LabelsBody(Body):
    """What to put on an episode: a tag has an empty value, the note is `note`, null takes a label away."""

    labels: dict[
        Annotated[str, Field(min_length=1, max_length=MAX_LABEL_NAME)],
        Annotated[str, Field(max_length=MAX_LABEL_VALUE)] | None,
    ] = Field(min_length=1, max_length=MAX_LABELS)


class PolicyBody(Body):
    """Which policy plays; absent: the one the session was started for.

    `temperature` is for chat models; absent, the server's setting holds.
    """

    policy: str | None = Field(default=None, max_length=MAX_POLICY_NAME)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
