"""Peak memory and CPU of whole-log commands: flat in the size of the log, or not.

    python bench/peaks.py sqlite:////tmp/small.db sqlite:////tmp/large.db [--only export rebuild]

Runs `physix log stats`, `export`, `archive`, `rebuild` and `verify` on each log, each in its own process.
`bench/lists.py` writes such logs; what it copied beyond 10,000 episodes has no seals of its own to verify.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = ("stats", "export", "archive", "rebuild", "verify")


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("logs", nargs="+", metavar="URL")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=COMMANDS)
    asked = parser.parse_args()
    for command in asked.only:
        for url in asked.logs:
            with tempfile.TemporaryDirectory() as folder:
                print(
                    f"{command:8} {url.rpartition('/')[2]:12} {run(command, url, Path(folder))}", flush=True
                )


def run(command: str, url: str, folder: Path) -> str:
    where = {"export": [str(folder / "log.jsonl")], "archive": [str(folder / "archive")]}.get(command, [])
    began = time.perf_counter()
    words = [sys.executable, "-m", "physix.cli", "log", command, *where, "--db", url]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = process.stderr.read() if process.stderr else ""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    failed = f"; exit code {code}: {told.strip()[-160:]}" if code else ""
    return (
        f"{used.ru_maxrss / 1024:6.0f} MiB at most, {used.ru_utime + used.ru_stime:7.1f} s of CPU, "
        f"{time.perf_counter() - began:7.1f} s{failed}"
    )


if __name__ == "__main__":
    main()
