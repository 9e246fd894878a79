"""What a request gives to work on, a system and seed or a table of measurements; and the check of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anyio import to_thread
from fastapi import APIRouter

from physix.api.http import bodies, views
from physix.api.http.services import Services, Wired
from physix.api.quota import costs
from physix.engine import EpisodeConfig
from physix.engine.systems import sample_task
from physix.engine.systems.measured import (
    Column,
    MeasuredTask,
    Role,
    Table,
    all_roles,
    measured_task,
    read_table,
    review,
)
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.functions import default_functions
from physix.engine.verifier.types import VerifierConfig
from physix.errors import BadInputError
from physix.policies import constants_for

TABLE_PATHS = ("/interactive/sessions", "/api/comparisons", "/api/csv/check")
_PREVIEWED = 50  # rows of a file as it stands

router = APIRouter()


@router.post("/api/csv/check", dependencies=[costs("turns")])
async def check_table(wired: Wired, body: bodies.TableBody) -> views.TableView:
    """Read a table and say what it holds; nothing is started."""
    return await to_thread.run_sync(_checked, body, limiter=wired.reading)


def _checked(body: bodies.TableBody) -> views.TableView:
    table, roles = table_of(body)
    columns, problems = review(table, roles)
    view = views.TableView(
        file_rows=table.rows,
        dialect=table.dialect,
        columns=[_column_view(column) for column in columns],
        problems=list(problems),
    )
    if any(problem.severity == "error" for problem in problems):
        return view
    made = task_of_table(body, table, roles)
    task = made.task
    return view.model_copy(
        update={
            "rows": sum(len(one.t) for one in task.shown),
            "held_back_rows": sum(len(one.t) for one in made.truth.hidden),
            "time_unit": task.time_unit,
            "variables": list(task.variables),
            "inputs": list(task.inputs),
            "noise": task.noise,
            "noises": list(task.noises),
            "shown": list(task.shown),
        }
    )


def _column_view(column: Column) -> views.ColumnView:
    first = column.values[:_PREVIEWED].tolist()
    return views.ColumnView(
        name=column.name,
        label=column.label,
        unit=column.unit,
        role=column.role,
        why=column.why,
        first=[value if math.isfinite(value) else None for value in first],
    )


def config_of(body: bodies.NewTask, policies: Sequence[str]) -> EpisodeConfig:
    """Return the rules that a request asks for, for those who are to play."""
    return EpisodeConfig(
        verifier=VerifierConfig(
            profile=body.profile,
            constants=constants_for(policies, body.constants),
            functions=body.functions or default_functions(measured=body.system_id is None),
        ),
        max_turns=body.max_turns,
        reward_mode=body.reward_mode,
    )


async def task_of(wired: Services, body: bodies.NewTask) -> tuple[Task, Truth]:
    """Return the problem that a request asks for.

    Raises:
        BadInputError: neither or both of a system and a CSV, or one of them is wrong.
    """
    if (body.system_id is None) == (body.csv is None and body.csv_base64 is None):
        raise BadInputError("Give either system_id (with a seed) or csv (with a hint).")
    if body.system_id is None:
        # Megabytes of text take a while to read; other requests go on meanwhile.
        made = await to_thread.run_sync(measured_of, body, limiter=wired.reading)
        return made.task, made.truth
    return sample_task(body.system_id or "", body.seed, noise=body.noise, trajectories=body.trajectories)


def table_of(body: bodies.TableBody) -> tuple[Table, dict[str, Role]]:
    """Return the table in a request, and the role of every column.

    Raises:
        BadInputError: there is no table, or no such column.
    """
    if (body.csv is None) == (body.csv_base64 is None):
        raise BadInputError("Give csv, the text of the table, or csv_base64, its bytes.")
    table = read_table(body.csv if body.csv is not None else body.csv_base64 or b"")
    given = {
        name: Role(kind=role.kind, of=role.of, order=role.order, unit=role.unit)
        for name, role in body.roles.items()
    }
    return table, all_roles(table, given)


def measured_of(body: bodies.TableBody) -> MeasuredTask:
    """Return the task behind a table.

    Raises:
        BadInputError: the table is no trajectory.
    """
    table, roles = table_of(body)
    return task_of_table(body, table, roles)


def task_of_table(body: bodies.TableBody, table: Table, roles: dict[str, Role]) -> MeasuredTask:
    """Return the task that these roles make of a table."""
    return measured_task(
        table,
        roles,
        hint=body.hint,
        title=body.title,
        hold_back=body.hold_back,
        held_back=read_table(body.held_back_csv) if body.held_back_csv is not None else None,
    )
