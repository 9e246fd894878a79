"""Trains the nano models' tokenizer: byte-level BPE over what the codec writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from physix.policies.nano.tokenizer import END, PAD, PIECES, byte_letters

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY_SIZE = 2_048


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Return a tokenizer in which every number of three digits is one token, and every word of the texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=2,
        show_progress=False,
        special_tokens=[PAD],
        initial_alphabet=sorted(byte_letters().values()),
    )
    numbers = " ".join(f"{n:03d}" for n in range(1000))
    powers = " ".join(f"100e{n}" for n in range(-9, 10))
    tokenizer.train_from_iterator([*texts, *[numbers] * 20, *[powers] * 20, *[f"0{END} 0"] * 20], trainer)
    return tokenizer
