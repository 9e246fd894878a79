"""Cold starts: `physix --version`; the server until it answers, and until OpenEnv's routes are there.

    python bench/startup.py

Wall time, and beside it the CPU time of the process until then: on a busy machine only the latter is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

Spent = tuple[float, float]  # seconds: wall, CPU


def version() -> Spent:
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "physix.cli", "--version"], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def server() -> tuple[Spent, Spent]:
    """Return what it took to answer, and to be ready for OpenEnv."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PHYSIX_PORT": str(port), "PHYSIX_DB": f"sqlite:///{folder}/log.db"}
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "physix.api.app"], env=environment)
        try:
            answered: Spent | None = None
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
                        now = time.perf_counter() - began, cpu_of(process.pid)
                        answered = answered or now
                        if json.load(answer)["openenv"] == "ready":
                            return answered, now
                except urllib.error.URLError:
                    pass
                time.sleep(0.02)
        finally:
            process.kill()
            process.wait()


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    served = [server() for _ in range(asked.rounds)]
    show("physix --version", [version() for _ in range(asked.rounds)])
    show("server answers", [first for first, _ in served])
    show("OpenEnv is there", [ready for _, ready in served])


def show(name: str, spent: list[Spent]) -> None:
    wall = [seconds for seconds, _ in spent]
    cpu = statistics.median(used for _, used in spent)
    print(f"{name:18} median {statistics.median(wall):.2f} s, min {min(wall):.2f}; CPU {cpu:.2f} s")


if __name__ == "__main__":
    main()
