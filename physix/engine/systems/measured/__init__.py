"""Measured data: any file in, a table with proposed roles, then a task."""

from physix.engine.systems.measured.choice import Choice, all_roles, choose
from physix.engine.systems.measured.read import read_table, table_from_columns
from physix.engine.systems.measured.table import (
    Column,
    Dialect,
    Problem,
    Role,
    RoleKind,
    Roles,
    Table,
    describe,
)
from physix.engine.systems.measured.task import (
    MeasuredTask,
    measured_task,
    review,
    task_from_csv,
    task_from_table,
)

__all__ = [
    "Choice",
    "Column",
    "Dialect",
    "MeasuredTask",
    "Problem",
    "Role",
    "RoleKind",
    "Roles",
    "Table",
    "all_roles",
    "choose",
    "describe",
    "measured_task",
    "read_table",
    "review",
    "table_from_columns",
    "task_from_csv",
    "task_from_table",
]
