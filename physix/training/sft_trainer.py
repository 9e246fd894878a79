"""Supervised fine-tuning with TRL: completion-only loss, LoRA or whole, a manifest and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, concatenate_datasets, load_dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from physix.errors import BadInputError
from physix.policies.chat.tool_dialogue import DIALOGUE_VERSION, TOOL_SCHEMA
from physix.training.backends import Backend, Loaded, load, lora_rank
from physix.training.continuing import already_trained, begin_run, train_from_last
from physix.training.data.mined import PARQUET, read_mined
from physix.training.dialogue import check_template, check_words, write_dialogue
from physix.training.manifest import new_manifest
from physix.training.nano.files import fast_tokenizer, load_nano_folder
from physix.training.profiles import Profile, above_zero, at_least, limited, or_else, profile_named
from physix.training.runs import RunWriter

if TYPE_CHECKING:
    from trl import SFTTrainer


_LEAST_CONTEXT = 4_096  # tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class SftOptions:
    """Everything a run depends on."""

    datasets: Sequence[Path]
    profile: str = "qwen2.5-1.5b"
    model: str | None = None
    output_dir: Path = Path("runs/sft")
    num_steps: int = 500
    batch: int = 16
    learning_rate: float | None = None
    seed: int = 0
    save_every: int = 100
    report_to: str = "none"
    threads: int = 1
    lora_rank: int | None = None
    max_completion_tokens: int | None = None


class MetricsToRun(TrainerCallback):
    """Hands what the trainer logs to the run's files."""

    def __init__(self, run: RunWriter) -> None:
        self._run = run

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write one line of numbers."""
        values = {name: float(v) for name, v in (logs or {}).items() if isinstance(v, int | float)}
        if "loss" in values:
            self._run.log(state.global_step, values)


def train_sft(options: SftOptions, backend: Backend) -> Path:
    """Train and return the folder of the model or adapter. An interrupted run in `output_dir` is continued.

    Raises:
        BadInputError: the profile or the dataset is not there, a number makes no run, or `output_dir` holds
            a run with other settings.
    """
    profile = limited(profile_named(options.profile), options.lora_rank, options.max_completion_tokens)
    source = options.model or profile.model
    options = _settled(options, profile, backend, source)
    torch.set_num_threads(options.threads)
    rows, digest, renderer = read_all(options.datasets)
    check_words(renderer, instruct=profile.instruct)
    manifest = new_manifest(
        run_id=options.output_dir.name,
        kind="sft",
        profile=profile.name,
        model=source,
        seed=options.seed,
        config={k: _plain(v) for k, v in asdict(options).items()},
        backend=backend.name,
        backend_reason=backend.reason,
        dataset_sha256=digest,
    )
    out = options.output_dir / "model"
    if already_trained(options.output_dir, manifest, options.num_steps):
        return out
    loaded = _load(options, profile, backend, source)
    check_template(loaded.tokenizer, rows)
    run = begin_run(options.output_dir, manifest)
    with run.ending():
        trainer = _trainer(options, profile, loaded, rows, run)
        train_from_last(trainer, run)
        trainer.save_model(str(out))
        write_dialogue(out, renderer)
        run.finish("finished")
    return out


def _settled(options: SftOptions, profile: Profile, backend: Backend, source: str) -> SftOptions:
    """Return the options with the values that count where they leave the choice to the profile.

    Raises:
        BadInputError: a number makes no run, or the adapter's rank is another one.
    """
    at_least(
        ("--num-steps", options.num_steps, 1),
        ("--batch", options.batch, 1),
        ("--save-every", options.save_every, 1),
        ("--threads", options.threads, 1),
    )
    above_zero(("--learning-rate", options.learning_rate))
    return replace(
        options,
        learning_rate=or_else(options.learning_rate, profile.learning_rate_sft),
        max_completion_tokens=profile.max_completion_tokens,
        lora_rank=lora_rank(backend, source, options.lora_rank, profile.lora_rank),
    )


def _trainer(
    options: SftOptions, profile: Profile, loaded: Loaded, rows: Dataset, run: RunWriter
) -> SFTTrainer:
    from trl import SFTConfig, SFTTrainer

    from physix.training.completion_loss import CompletionLossTrainer

    on_cpu = not torch.cuda.is_available()
    trainer_class = CompletionLossTrainer if profile.small else SFTTrainer
    return trainer_class(
        model=loaded.model,
        args=SFTConfig(
            output_dir=str(options.output_dir / "checkpoints"),
            max_steps=options.num_steps,
            per_device_train_batch_size=options.batch,
            learning_rate=options.learning_rate,
            lr_scheduler_type="linear" if profile.small else "cosine",
            warmup_steps=min(50, options.num_steps // 10),
            # Rows of one length a batch: padding is a third of the tokens otherwise.
            train_sampling_strategy="group_by_length" if profile.small else "random",
            completion_only_loss=True,
            # TRL would cut rows at 1,024 tokens and drop those whose completion is gone, in silence.
            max_length=None,
            logging_steps=1,
            save_steps=options.save_every,
            save_total_limit=2,
            seed=options.seed,
            data_seed=options.seed,
            use_cpu=on_cpu,
            bf16=not on_cpu,
            gradient_checkpointing=not on_cpu,
            report_to=options.report_to,
            disable_tqdm=True,
        ),
        train_dataset=rows,
        processing_class=loaded.tokenizer,
        peft_config=loaded.peft_config,
        callbacks=[MetricsToRun(run)],
    )


def read_all(folders: Sequence[Path]) -> tuple[Dataset, str, str]:
    """Return the rows of several mined datasets in one, their hashes joined by `+`, and their renderer.

    Raises:
        BadInputError: a folder holds no mined dataset, or they are rendered in different words.
    """
    read = [read_rows(folder) for folder in folders]
    renderers = {renderer for _, _, renderer in read}
    if len(renderers) != 1:
        raise BadInputError(f"The datasets are rendered in different words: {', '.join(sorted(renderers))}.")
    digest = "+".join(digest for _, digest, _ in read)
    return concatenate_datasets([rows for rows, _, _ in read]), digest, renderers.pop()


def read_rows(folder: Path) -> tuple[Dataset, str, str]:
    """Return a mined dataset's prompts and completions, the hash in its manifest, and its renderer.

    Raises:
        BadInputError: the folder holds no mined dataset, or only a part of one.
    """
    found = read_mined(folder)
    rows = load_dataset("parquet", data_files=str(folder / PARQUET), split="train")
    rows = rows.select_columns(["prompt", "completion"])
    if found.renderer == DIALOGUE_VERSION:
        # The template then tells of the tool in the words in which GRPO will.
        # A list, not JSON: Unsloth hands the column to the template as it is.
        rows = rows.add_column("tools", [[TOOL_SCHEMA]] * len(rows))
    return rows, found.sha256, found.renderer


def _plain(value: object) -> float | int | str | bool | None:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return value if value is None or isinstance(value, float | int | str | bool) else str(value)


def _load(options: SftOptions, profile: Profile, backend: Backend, source: str) -> Loaded:
    if not profile.instruct:
        if not source:
            raise BadInputError("The nano profile needs --model: a folder that `physix train nano` made.")
        model, _, _ = load_nano_folder(Path(source))
        return Loaded(model=model, tokenizer=fast_tokenizer(Path(source)))
    # Unsloth cuts rows at the context that it was told: a compact prompt is longer than its reply.
    context = max(_LEAST_CONTEXT, profile.max_completion_tokens * 2)
    return load(
        backend,
        source,
        lora_rank=options.lora_rank or profile.lora_rank,
        context=context,
        seed=options.seed,
        small=profile.small,
    )
