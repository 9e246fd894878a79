"""Language models that run in the server's own process: which there are, and fetching one."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from physix.api.access import Caller
from physix.errors import ForbiddenError, PhysixError
from physix.policies.local.backend import INSTALL, installed, local_policies
from physix.policies.local.models import MODELS, LocalModel, model_named, pull

router = APIRouter()


class ModelView(BaseModel):
    """A model that this server can run, and how far fetching it has come."""

    name: str
    title: str
    licence: str
    source: str
    bytes: int
    state: Literal["absent", "fetching", "present", "failed"]
    doing: str | None = Field(description="what is being done while it is fetched")
    done_bytes: int
    total_bytes: int
    reason: str | None = Field(description="why fetching failed, or what else is missing")
    policies: list[str] = Field(description="what it plays as once it is here")
    may_fetch: bool = Field(description="whether the caller may have it fetched: the operator may")


class Fetching:
    """The fetches of one server: one a model at a time, each told by how far it has come."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[str, int, int]] = {}
        self._failed: dict[str, str] = {}

    def view(self, model: LocalModel, *, operator: bool) -> ModelView:
        """Return a model as it stands now."""
        at = self._states.get(model.name)
        failed = self._failed.get(model.name)
        state: Literal["absent", "fetching", "present", "failed"] = "absent"
        if model.present:
            state = "present"
        elif at is not None:
            state = "fetching"
        elif failed is not None:
            state = "failed"
        doing, done, total = at or (None, model.size if model.present else 0, model.wheel_bytes)
        return ModelView(
            name=model.name,
            title=model.title,
            licence=model.licence,
            source=model.source,
            bytes=model.size,
            state=state,
            doing=doing,
            done_bytes=done,
            total_bytes=total,
            reason=failed
            if state == "failed"
            else (None if installed() else f"llama.cpp is missing: {INSTALL}"),
            policies=[policy.name for policy in local_policies() if policy.model is model],
            may_fetch=operator,
        )

    def begin(self, model: LocalModel) -> bool:
        """Mark a model as being fetched; False if it is already, or is here."""
        if model.present or model.name in self._states:
            return False
        self._failed.pop(model.name, None)
        self._states[model.name] = ("beginning", 0, model.wheel_bytes)
        return True

    async def fetch(self, model: LocalModel) -> None:
        """Fetch a model that `begin` marked; what goes wrong is told by `view`."""

        def note(doing: str, done: int, total: int) -> None:
            self._states[model.name] = (doing, done, total)

        try:
            await to_thread.run_sync(partial(pull, model, note), abandon_on_cancel=True)
        except (PhysixError, OSError) as error:
            self._failed[model.name] = str(error)[:500]
        finally:
            self._states.pop(model.name, None)


@router.get("/api/models")
async def models(request: Request, caller: Caller) -> list[ModelView]:
    """List the models that run in this process, fetched or not."""
    fetching: Fetching = request.app.state.fetching
    return [fetching.view(model, operator=caller.operator) for model in MODELS.values()]


@router.post("/api/models/{name}/pull", status_code=202)
async def fetch(request: Request, caller: Caller, name: Annotated[str, Path(max_length=40)]) -> ModelView:
    """Begin to fetch a model; `GET /api/models` tells how far it has come. For the operator alone."""
    if not caller.operator:
        raise ForbiddenError("", "Only the operator of the server may have a model fetched.")
    model = model_named(name)
    fetching: Fetching = request.app.state.fetching
    if fetching.begin(model):
        request.app.state.fetch_tasks.start_soon(fetching.fetch, model)
    return fetching.view(model, operator=True)
