"""Values between a process and a child of its own: each pickle after its length.

Only for pipes and sockets that nobody else can write to: who reads a pickle runs it.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, BinaryIO

HEAD = struct.Struct(">Q")  # before each pickle: its length


def framed(value: object) -> bytes:
    """Return a value as it is sent."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(data)) + data


def length(head: bytes) -> int:
    """Return how many bytes follow a head."""
    return int(HEAD.unpack(head)[0])


def opened(data: bytes) -> Any:
    """Return the value that follows a head."""
    return pickle.loads(data)  # noqa: S301  # the other end is ours


def read_frame(source: BinaryIO) -> Any:
    """Return the next value, None where there is no other."""
    head = source.read(HEAD.size)
    return None if len(head) < HEAD.size else opened(source.read(length(head)))
