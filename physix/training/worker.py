"""A worker of `LocalProcesses`: reads calls from its standard input, answers on its standard output.

Its parent alone speaks with it, over pipes; it ends when the parent does.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any, BinaryIO

from physix.training.executor import HEAD, attempt


def main() -> None:
    """Answer until the pipe closes."""
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a policy prints is no answer
    while (call := _read(calls)) is not None:
        work, jobs = call
        done = attempt(work, jobs)
        data = pickle.dumps((done.results, done.error))
        answers.write(HEAD.pack(len(data)) + data)
        answers.flush()


def _read(calls: BinaryIO) -> Any:
    head = calls.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    return pickle.loads(calls.read(HEAD.unpack(head)[0]))  # noqa: S301  # only the parent writes here


if __name__ == "__main__":
    main()
