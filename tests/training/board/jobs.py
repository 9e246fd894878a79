"""Work for executors: a worker imports this module by its name."""

from __future__ import annotations

import os
from pathlib import Path


def squares(jobs: tuple[int, ...]) -> list[int]:
    if 13 in jobs:
        raise ValueError("no luck")
    return [job * job for job in jobs]


def die_once(jobs: tuple[str, ...]) -> list[str]:
    marker = Path(jobs[0])
    if not marker.exists():
        marker.write_text("seen")
        os._exit(9)
    return [marker.read_text()]


def die(_jobs: tuple[str, ...]) -> list[str]:
    os._exit(9)


def chatter(jobs: tuple[int, ...]) -> list[str]:
    os.write(1, b"a policy that prints\n")
    return [os.environ["OMP_NUM_THREADS"] for _ in jobs]
