"""Supervised training of a nano model on rows mined from the log. Plain PyTorch, one thread.

TRL's SFTTrainer does the same at 1.4 times the cost a step at this size; the larger profiles use it
(`physix.training.sft`).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import Qwen2ForCausalLM

from physix.errors import BadInputError
from physix.policies.nano.codec import SAMPLES
from physix.policies.nano.tokenizer import NanoTokenizer
from physix.training.data.mining import SftRow
from physix.training.nano.model import CONTEXT, number_ids

_ODD = re.compile(r"d2q/dt2 =(?: ?[-+][0-9]{3}e-?[0-9]\*(?:sin\(q\)|q|v|v\*abs\(v\)|q\*\*3))+")
_IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoSftConfig:
    """The settings of a run; recorded with it.

    Attributes:
        jitter: standard deviation, in levels of 999, of the noise added to the samples of a prompt.
        blur: standard deviation of the target around a number, as a share of it: 411 for 412 is hardly wrong.
    """

    steps: int = 3000
    batch: int = 64
    learning_rate: float = 2e-3
    warmup: int = 100
    final_share: float = 0.02
    weight_decay: float = 0.02
    jitter: float = 3.0
    blur: float = 0.006
    seed: int = 0
    threads: int = 1
    bf16: bool = True
    save_every: int = 250


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Rows as ids: `ids[i]` ends with the completion, which begins at `starts[i]`."""

    ids: list[np.ndarray[tuple[int], np.dtype[np.int64]]]
    starts: list[int]
    curves: list[int]  # where the motion's tokens begin
    mirrored: list[bool]  # whether the mirror image of the motion obeys the same law


def tokenise(rows: Sequence[SftRow], tokenizer: NanoTokenizer) -> TokenRows:
    """Return the rows that fit the context, as ids."""
    found = TokenRows([], [], [], [])
    for row in rows:
        if not (isinstance(row.prompt, str) and isinstance(row.completion, str)):
            raise BadInputError("These rows are chat; mine rows for nano with render=nano.")
        prompt = tokenizer.encode(row.prompt)
        ids = prompt + tokenizer.encode(row.completion) + [tokenizer.end]
        if len(ids) > CONTEXT:
            continue
        found.ids.append(np.asarray(ids))
        found.starts.append(len(prompt))
        found.curves.append(len(tokenizer.encode(row.prompt[: row.prompt.index("\nqv ") + 4])))
        found.mirrored.append(row.turn == 1 and _ODD.fullmatch(row.completion) is not None)
    return found


class Batches:
    """Batches of similar length; batch n depends on the seed and n alone, so that a run can resume."""

    def __init__(self, rows: TokenRows, tokenizer: NanoTokenizer, config: NanoSftConfig) -> None:
        self._rows, self._config, self._pad = rows, config, tokenizer.pad
        self._numbers = np.asarray(number_ids(tokenizer))
        self._values = np.full(len(tokenizer), -1)
        self._values[self._numbers] = np.arange(1000)
        self.per_epoch = max(1, len(rows.ids) // config.batch)
        self._epoch, self._order = -1, np.zeros((0, 0), dtype=int)

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and labels, shape (batch, length), of step 0, 1, ..."""
        epoch, at = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        rng = np.random.default_rng([self._config.seed, 2, step])
        chosen = self._order[at]
        longest = max(len(self._rows.ids[i]) for i in chosen)
        ids = np.full((len(chosen), longest), self._pad)
        labels = np.full((len(chosen), longest), _IGNORED)
        for line, i in enumerate(chosen):
            row = self._augmented(i, rng)
            ids[line, : len(row)] = row
            labels[line, self._rows.starts[i] : len(row)] = row[self._rows.starts[i] :]
        return torch.from_numpy(ids), torch.from_numpy(labels)

    def _shuffled(self, epoch: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        rng = np.random.default_rng([self._config.seed, 1, epoch])
        size = self._config.batch
        order = rng.permutation(len(self._rows.ids))[: self.per_epoch * size]
        lengths = np.asarray([len(ids) for ids in self._rows.ids])
        chunks = [order[i : i + 32 * size] for i in range(0, len(order), 32 * size)]
        order = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks])
        batches = order.reshape(self.per_epoch, size)
        return batches[rng.permutation(len(batches))]

    def _augmented(self, i: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        row = self._rows.ids[i].copy()
        span = slice(self._rows.curves[i], self._rows.curves[i] + 2 * SAMPLES)
        levels = self._values[row[span]]
        if self._rows.mirrored[i] and rng.random() < 0.5:
            levels = 999 - levels
        blurred = np.rint(levels + self._config.jitter * rng.standard_normal(len(levels)))
        row[span] = self._numbers[np.clip(blurred, 0, 999).astype(int)]
        return row


def completion_loss(
    model: Qwen2ForCausalLM,
    ids: torch.Tensor,
    labels: torch.Tensor,
    blur: torch.Tensor,
    numbers: torch.Tensor,
) -> torch.Tensor:
    """Return the mean loss over the completion's tokens; a number's neighbours share in its target.

    Args:
        model: predicts the next token.
        ids: shape (batch, length).
        labels: the same where the loss looks, -100 elsewhere.
        blur: shape (1000, 1000), row n the target distribution around the number n.
        numbers: shape (1000,), the ids of the numbers.
    """
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    wanted = labels[:, 1:]
    mask = wanted != _IGNORED
    logits = model.lm_head(hidden[:, :-1][mask]).float()
    target = wanted[mask]
    log_probability = functional.log_softmax(logits, dim=-1)
    loss = -log_probability.gather(1, target[:, None])[:, 0]
    values = _values_of(target, numbers, logits.shape[1])
    is_number = values >= 0
    soft = -(log_probability[is_number][:, numbers] * blur[values[is_number]]).sum(dim=1)
    loss = loss.masked_scatter(is_number, soft)
    return loss.mean()


def _values_of(target: torch.Tensor, numbers: torch.Tensor, size: int) -> torch.Tensor:
    table = torch.full((size,), -1, dtype=torch.long)
    table[numbers] = torch.arange(1000)
    return table[target]


def blurred_targets(share: float) -> torch.Tensor:
    """Return, for every number of three digits, a bell over its neighbours; shape (1000, 1000)."""
    values = torch.arange(1000.0)
    width = torch.clamp(values * share, min=0.05)[:, None]
    bell = torch.exp(-0.5 * ((values[None, :] - values[:, None]) / width) ** 2)
    bell[:, :100] *= (values[:, None] < 100).float()  # a number has no leading zero
    return bell / bell.sum(dim=1, keepdim=True)


def learning_rate_at(step: int, config: NanoSftConfig) -> float:
    """Return the rate of a step: linear warm-up, then a cosine to `final_share` of the peak."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    share = config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return config.learning_rate * share


def train_nano(
    model: Qwen2ForCausalLM,
    tokenizer: NanoTokenizer,
    rows: TokenRows,
    config: NanoSftConfig,
    out: Path,
    *,
    log: Callable[[int, dict[str, float]], None],
    evaluate: Callable[[Qwen2ForCausalLM], dict[str, float]] | None = None,
    evaluate_every: int = 500,
) -> None:
    """Train in place; `log` gets the metrics of a step, out/checkpoint.pt what a resumed run needs.

    A checkpoint in `out` is continued from; on one machine the result is bit for bit that of a run that
    was never interrupted.
    """
    torch.set_num_threads(config.threads)
    out.mkdir(parents=True, exist_ok=True)
    batches = Batches(rows, tokenizer, config)
    numbers = torch.tensor(number_ids(tokenizer))
    blur = blurred_targets(config.blur)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=config.weight_decay
    )
    first = _resume(model, optimizer, out)
    model.train()
    began = time.process_time()
    for step in range(first, config.steps):
        ids, labels = batches[step]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bf16):
            loss = completion_loss(model, ids, labels, blur, numbers)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        done = step + 1
        line: dict[str, float] = {}
        if done % 10 == 0 or done == config.steps:
            line = {
                "step": done,
                "loss": round(float(loss.detach()), 5),
                "lr": learning_rate_at(step, config),
            }
            line |= {
                "cpu_s": round(time.process_time() - began, 1),
                "epoch": round(done / batches.per_epoch, 3),
            }
        if evaluate is not None and (done % evaluate_every == 0 or done == config.steps):
            model.eval()
            line |= evaluate(model)
            model.train()
        if line:
            log(done, line)
        if done % config.save_every == 0 or done == config.steps:
            _save(model, optimizer, done, out)
    model.eval()


def _save(model: Qwen2ForCausalLM, optimizer: torch.optim.Optimizer, step: int, out: Path) -> None:
    part = out / "checkpoint.pt.part"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, part)
    part.replace(out / "checkpoint.pt")


def _resume(model: Qwen2ForCausalLM, optimizer: torch.optim.Optimizer, out: Path) -> int:
    path = out / "checkpoint.pt"
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    step: int = saved["step"]
    return step


def prompts_of(rows: Sequence[SftRow]) -> Iterator[str]:
    """Yield what a tokenizer is trained on."""
    for row in rows:
        yield str(row.prompt)
        yield str(row.completion)
