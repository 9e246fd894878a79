"""Cold starts: `physix --version` and the server until /health answers. `python bench/startup.py`."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


def version() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "physix.cli", "--version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def server() -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PHYSIX_PORT": str(port), "PHYSIX_DB": f"sqlite:///{folder}/log.db"}
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "physix.api.app"], env=environment)
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                    return time.perf_counter() - began
                except urllib.error.URLError:
                    time.sleep(0.02)
        finally:
            process.kill()
            process.wait()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, measure in (("physix --version", version), ("server ready", server)):
        seconds = sorted(measure() for _ in range(5))
        print(f"{name:18} median {seconds[2]:.2f} s, min {seconds[0]:.2f}, max {seconds[-1]:.2f}")


if __name__ == "__main__":
    main()
