"""Byte-level BPE in plain Python: what the nano models' text is cut into.

The vocabulary is trained by `physix.training.nano.vocabulary`; a test holds this encoder
against the `tokenizers` library, token by token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

# A number of up to three digits and a power of ten are one token each, whatever stands beside them.
PIECES = r"e-?[0-9]| ?[A-Za-z_][A-Za-z0-9_/]*|[0-9]{1,3}| ?[^\sA-Za-z0-9_]+|\s"
PAD = "<|pad|>"
END = " >"  # what follows a law in the history: an episode is one text that only grows
_PIECES = re.compile(PIECES)


def byte_letters() -> dict[int, str]:
    """Return the printable letter that stands for each byte, as GPT-2 chose them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in letters)
    letters.update({byte: chr(256 + n) for n, byte in enumerate(others)})
    return letters


class NanoTokenizer:
    """Text to token ids and back. `pad` never comes out of text; `end` closes a law."""

    def __init__(self, vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self._ids = vocabulary
        self._texts = {index: token for token, index in vocabulary.items()}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._letters = byte_letters()
        self._bytes = {letter: byte for byte, letter in self._letters.items()}
        self._piece = lru_cache(maxsize=8192)(self._merge)
        self.pad = vocabulary[PAD]
        self.end = vocabulary[END.replace(" ", self._letters[32])]

    @classmethod
    def from_json(cls, text: str) -> NanoTokenizer:
        """Read a `tokenizer.json` as the `tokenizers` library writes it."""
        model = json.loads(text)["model"]
        merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
        return cls(model["vocab"], [(a, b) for a, b in merges])

    def __len__(self) -> int:
        return len(self._ids)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the text's tokens."""
        return [index for piece in _PIECES.findall(text) for index in self._piece(piece)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the tokens, padding left out."""
        letters = "".join(self._texts[index] for index in ids if index != self.pad)
        return bytes(self._bytes[letter] for letter in letters).decode("utf-8", "replace")

    def decode_one(self, index: int) -> str:
        """Return the token as the vocabulary spells it."""
        return self._texts[index]

    def _merge(self, piece: str) -> tuple[int, ...]:
        parts = [self._letters[byte] for byte in piece.encode("utf-8")]
        while len(parts) > 1:
            ranked = [
                (self._ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in self._ranks
            ]
            if not ranked:
                break
            _, at = min(ranked)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(self._ids[part] for part in parts)
