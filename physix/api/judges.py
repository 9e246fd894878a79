"""Judging in processes beside the server's own, so that its interpreter is there for the clients.

A verification holds the interpreter for a millisecond, and one that finds constants for seconds; in a thread
of the server every frame, event and commit of all others would wait for its turn at it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio import to_thread

from physix.engine.frames import HEAD, framed, length, opened
from physix.engine.judging import Asked, Judged
from physix.engine.systems.task import Task, Truth
from physix.engine.verifier.prepared import Same
from physix.engine.verifier.types import Hypothesis, Verification, VerifierConfig
from physix.errors import InfrastructureError

MOST = 8  # processes of a crew where nobody says how many
TRIES = 3  # of a hypothesis over which a process dies
_TASKS = 64  # that a process remembers
_LOGGER = logging.getLogger("physix")
COMMAND = (sys.executable, "-P", "-W", "ignore", "-m", "physix.engine.judge_process")


def usual_number(workers: int) -> int:
    """Return how many processes each of a server's workers gives a crew: its share of the cores but one.

    At least one where there are two cores: the server's interpreter is worth more than a core that is shared.
    """
    cores = os.cpu_count() or 1
    return 0 if cores == 1 else max(1, min(MOST, cores // workers - 1))


class JudgeProcesses:
    """Implements `Judge`. Use `open_judges`, which ends the processes.

    Two crews of at most `processes` each, started when they are needed: those who ask for constants, which
    may take seconds, are not in the way of the others.
    """

    def __init__(self, processes: int, command: Sequence[str] = COMMAND) -> None:
        self._quick, self._fitting = (
            tuple(_Lane(command) for _ in range(max(1, processes))) for _ in range(2)
        )

    @property
    def waiting(self) -> int:
        """See `Judge.waiting`."""
        return sum(max(0, len(lane.asked) - 1) for lane in (*self._quick, *self._fitting))

    async def verify(
        self, task: Task, truth: Truth, hypothesis: Hypothesis, *, best_match: float, config: VerifierConfig
    ) -> Verification:
        """See `Judge.verify`."""
        same = Same(task, truth)
        crew = self._fitting if config.constants == "fitted" else self._quick
        lane = min(crew, key=lambda one: (len(one.asked), not one.knows(same), not one.runs))
        answer = asyncio.get_running_loop().create_future()
        question = _Question(task, truth, same, hypothesis, best_match, config, answer)
        lane.ask(question)
        return await question.answer

    def warm(self) -> None:
        """Start a process before the first hypothesis comes: its imports take most of a second."""
        self._quick[0].start()

    async def close(self) -> None:
        """End all processes, whatever they do: a verdict that nobody waits for is no loss."""
        for lane in (*self._quick, *self._fitting):
            await lane.close()


@asynccontextmanager
async def open_judges(processes: int) -> AsyncIterator[JudgeProcesses | None]:
    """Start the judges of a server and end them with it; None where `processes` is 0."""
    if processes == 0:
        yield None
        return
    judges = JudgeProcesses(processes)
    judges.warm()
    try:
        yield judges
    finally:
        with anyio.CancelScope(shield=True):
            await judges.close()


@dataclass(slots=True, eq=False)
class _Question:
    """A hypothesis, and where its verdict goes."""

    task: Task
    truth: Truth
    same: Same  # of the two
    hypothesis: Hypothesis
    best_match: float
    config: VerifierConfig
    answer: asyncio.Future[Verification]
    tries: int = 0

    def fail(self, why: str) -> None:
        """Say that there is no verdict, unless nobody waits any more."""
        if not self.answer.done():
            self.answer.set_exception(InfrastructureError(why))


class _Lane(asyncio.Protocol):
    """One process and the questions to it, which it answers in their order.

    Where it dies it is started again and asked what it owes; the first of these, over which it died, is
    given up after TRIES.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.asked: deque[_Question] = deque()
        self._command = command
        self._known: OrderedDict[Same, int] = OrderedDict()
        self._numbers = 0
        self._received = bytearray()
        self._starting: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._link: asyncio.Transport | None = None
        self._closed = False

    @property
    def runs(self) -> bool:
        """Whether a process is there or on its way."""
        return self._link is not None or self._starting is not None

    def knows(self, same: Same) -> bool:
        """Tell whether the process has this task."""
        return same in self._known

    def ask(self, question: _Question) -> None:
        """Put a question; its future is answered in time."""
        if self._closed:
            question.fail("The server is about to stop.")
            return
        self.asked.append(question)
        if self._link is not None:
            self._send(self._link, question)
        else:
            self.start()

    def start(self) -> None:
        """Start the process unless there is one."""
        if not self.runs and not self._closed:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await to_thread.run_sync(self._spawned, theirs)
            ours.setblocking(False)
            await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
        except OSError as error:
            ours.close()
            self._starting = None
            while self.asked:
                self.asked.popleft().fail(f"No process that judges can be started: {error}.")

    def _spawned(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [*self._command, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": path},
        )

    def _send(self, link: asyncio.Transport, question: _Question) -> None:
        task: tuple[Task, Truth] | None = None
        forget: int | None = None
        number = self._known.get(question.same)
        if number is None:
            self._numbers += 1
            number = self._known[question.same] = self._numbers
            task = (question.task, question.truth)
            if len(self._known) > _TASKS:
                _, forget = self._known.popitem(last=False)
        else:
            self._known.move_to_end(question.same)
        link.write(
            framed(
                Asked(
                    number=number,
                    task=task,
                    forget=forget,
                    hypothesis=question.hypothesis,
                    best_match=question.best_match,
                    config=question.config,
                )
            )
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("the transport of a socket can be written to")
        self._starting, self._link = None, transport
        for question in self.asked:
            self._send(transport, question)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received += data
        while len(self._received) >= HEAD.size:
            end = HEAD.size + length(bytes(self._received[: HEAD.size]))
            if len(self._received) < end:
                return
            judged: Judged = opened(bytes(self._received[HEAD.size : end]))
            del self._received[:end]
            question = self.asked.popleft()
            if judged.verification is None:
                question.fail(f"The verifier failed: {judged.error}")
            elif not question.answer.done():
                question.answer.set_result(judged.verification)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._link = None
        self._known.clear()
        self._received.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()  # at once: it is dead
        if self._closed:
            return
        _LOGGER.warning("A process that judges has ended; what it owed is judged anew (%d)", len(self.asked))
        if self.asked:
            self.asked[0].tries += 1
            if self.asked[0].tries >= TRIES:
                self.asked.popleft().fail(
                    f"The process that judges ended {TRIES} times over this hypothesis."
                )
        if self.asked:
            self.start()

    async def close(self) -> None:
        """End the process; who still waits is told."""
        self._closed = True
        if self._starting is not None:
            await asyncio.wait([self._starting])
        while self.asked:
            self.asked.popleft().fail("The server is about to stop.")
        if self._process is not None:
            self._process.kill()
            await to_thread.run_sync(self._process.wait)
        if self._link is not None:
            self._link.abort()
