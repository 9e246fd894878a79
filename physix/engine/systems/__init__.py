"""Systems, the tasks sampled from them, and tasks made of measurements."""

from physix.engine.systems.base import System
from physix.engine.systems.measured import task_from_csv
from physix.engine.systems.registry import SYSTEMS, sample_task
from physix.engine.systems.sampling import DEFAULT_NOISE
from physix.engine.systems.task import StateVariable, Task, Trajectory, Truth

__all__ = [
    "DEFAULT_NOISE",
    "SYSTEMS",
    "StateVariable",
    "System",
    "Task",
    "Trajectory",
    "Truth",
    "sample_task",
    "task_from_csv",
]
