"""A worker of `LocalProcesses`: reads calls from its standard input, answers on its standard output.

Its parent alone speaks with it, over pipes; it ends when the parent does.
"""

from __future__ import annotations

import os
import sys

from physix.engine.frames import framed, read_frame
from physix.training.executor import attempt


def main() -> None:
    """Answer until the pipe closes."""
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a policy prints is no answer
    while (call := read_frame(calls)) is not None:
        work, jobs = call
        done = attempt(work, jobs)
        answers.write(framed((done.results, done.error)))
        answers.flush()


if __name__ == "__main__":
    main()
