"""GRPO that rehearses: every step also takes a supervised step on rows that were demonstrated.

Reinforcement on six systems alone wears off what was learnt from demonstrations on four; a batch of
those rows in the same update keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from trl import GRPOTrainer

from physix.errors import BadInputError
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.training.data.mined import PARQUET, read_mined
from physix.training.data.mining import SftRow
from physix.training.dialogue import check_words
from physix.training.nano.model import number_ids
from physix.training.nano.sft import (
    Batches,
    NanoSftConfig,
    blurred_targets,
    completion_loss,
    tokenise,
)


class Rehearsal:
    """The supervised loss of a step; batch n depends on the seed and n alone, so that a run can resume."""

    def __init__(
        self, dataset: Path, systems: Sequence[str], tokenizer: NanoTokenizer, *, weight: float, seed: int
    ) -> None:
        """Read the rows of the given systems; none given stands for all.

        Raises:
            BadInputError: the folder holds no mined dataset, or no rows of these systems.
        """
        path = dataset / PARQUET
        check_words(read_mined(dataset).renderer, instruct=False)
        rows = [SftRow(**row) for row in pq.read_table(path).to_pylist()]
        wanted = [row for row in rows if not systems or row.system_id in systems]
        config = NanoSftConfig(seed=seed)
        if len(wanted) < config.batch:
            raise BadInputError(
                f"{path} has {len(wanted)} rows of {', '.join(systems) or 'any system'}; "
                f"a batch needs {config.batch}."
            )
        self.weight = weight
        self._batches = Batches(tokenise(wanted, tokenizer), tokenizer, config)
        self._numbers = torch.tensor(number_ids(tokenizer))
        self._blur = blurred_targets(config.blur)

    def loss(self, model: Any, step: int) -> torch.Tensor:
        """Return the mean supervised loss of a step's batch, not yet weighted."""
        ids, labels = self._batches[step]
        return completion_loss(model, ids, labels, self._blur, self._numbers)


class RehearsingTrainer(GRPOTrainer):
    """TRL's trainer with the rehearsal's loss added; the metric `rehearsal` is that loss."""

    def __init__(self, *, rehearsal: Rehearsal, **settings: Any) -> None:
        super().__init__(**settings)
        self._rehearsal = rehearsal

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return the loss of GRPO plus that of the rehearsal."""
        loss: torch.Tensor = super().compute_loss(
            model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch
        )
        rehearsed = self._rehearsal.loss(self.accelerator.unwrap_model(model), int(self.state.global_step))
        self._metrics["train"]["rehearsal"].append(float(rehearsed.detach()))
        # An update is the mean over its micro-batches; so is the rehearsal.
        return loss + self._rehearsal.weight * rehearsed / self.current_gradient_accumulation_steps
