"""OpenEnv's own runtime checks against a server in a process of this machine.

`openenv validate` runs them against an image that it builds, which needs Docker. Its own code collects and
judges the evidence here as well; what only an image shows (that it builds, that it has no network) is not
checked.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import httpx
from openenv.validation import CheckResult, Subject
from openenv.validation.graders.runtime.basic import (
    ObservationSchemaGrader,
    RewardWellFormedGrader,
    StateContractGrader,
)
from openenv.validation.runtime.collector import collect_runtime_evidence
from openenv.validation.runtime.contracts import load_runtime_plan

from physix.errors import InfrastructureError

_START_S = 300.0


def runtime_checks(subject: Subject) -> Iterator[CheckResult]:
    """Yield what OpenEnv's graders find in an episode that its collector plays over /ws.

    Raises:
        InfrastructureError: the server did not start.
    """
    manifest = subject.manifest
    plan = load_runtime_plan(subject.root, manifest.execution)
    with _served() as url:
        evidence = collect_runtime_evidence(url, plan, episode_timeout_s=manifest.resources.episode_timeout_s)
    seen = replace(subject, runtime_evidence=evidence)
    for grader in (RewardWellFormedGrader(), ObservationSchemaGrader(), StateContractGrader()):
        yield grader.run(seen)


@contextmanager
def _served() -> Iterator[str]:
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        process = subprocess.Popen(  # noqa: S603  # our own server
            [sys.executable, "-m", "physix.api.app", "--port", str(port)],
            env={**os.environ, "PHYSIX_DB": f"sqlite:///{folder}/log.db"},
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url, process)
            yield url
        finally:
            process.kill()
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=30.0).is_success:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise InfrastructureError("The server to check did not start.")
        time.sleep(0.1)
