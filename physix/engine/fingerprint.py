"""What the bits of a simulation depend on, recorded with every episode."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def environment_fingerprint() -> dict[str, str]:
    """Return interpreter, libraries, C library and CPU of this process.

    Rewards are promised to be equal bit for bit only between equal fingerprints: `math`
    comes from the C library, and NumPy chooses its kernels by CPU features.
    """
    libc, libc_version = platform.libc_ver()
    return {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "libc": f"{libc or platform.system()} {libc_version}".strip(),
        "machine": platform.machine(),
        "cpu": _cpu_features(),
    }


def _cpu_features() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    names = " ".join(sorted(flags.partition(":")[2].split()))
    return hashlib.sha256(names.encode()).hexdigest()[:12]
