"""A process that judges: reads hypotheses from the socket it was born with, answers with verdicts.

Its parent alone speaks with it; it ends when the parent does. A task comes once, with a number, and is the
same object for every hypothesis about it: what the verifier computes of it is computed once here as well.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys

from physix.engine.frames import framed, read_frame
from physix.engine.judging import Asked, Judged
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier import verify


def main() -> None:
    """Judge until the socket closes."""
    # Ctrl-C reaches the whole group; the parent says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As in the server: what the imports made stays, and verdicts are many small tuples and few cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    tasks: dict[int, tuple[Task, Truth]] = {}
    with socket.socket(fileno=int(sys.argv[1])) as link, link.makefile("rb") as source:
        while (asked := read_frame(source)) is not None:
            link.sendall(framed(_judged(asked, tasks)))


def _judged(asked: Asked, tasks: dict[int, tuple[Task, Truth]]) -> Judged:
    if asked.forget is not None:
        del tasks[asked.forget]
    if asked.task is not None:
        tasks[asked.number] = asked.task
    task, truth = tasks[asked.number]
    try:
        return Judged(verify(task, truth, asked.hypothesis, best_match=asked.best_match, config=asked.config))
    except Exception as error:  # a fault of ours: the next hypothesis is judged all the same
        return Judged(None, f"{type(error).__name__}: {str(error)[:500]}")


if __name__ == "__main__":
    main()
