"""A mined dataset as files: Parquet that `datasets` loads, a card, a manifest. Same log, same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from physix.errors import BadInputError
from physix.policies.chat.compact import COMPACT_VERSION
from physix.policies.local.models import sha256_of
from physix.store import open_log
from physix.training.data.lessons import Lesson, LessonPlan, chosen, lesson_json, lessons_of, play_lessons
from physix.training.data.mined import CARD, MANIFEST, PARQUET
from physix.training.data.mining import MiningReport, MiningRules, SftRow, mine
from physix.training.data.mining_jobs import mine_with
from physix.training.executor import Executor
from physix.training.folders import writable_folder

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 1_000


async def write_sft(
    db: str, rules: MiningRules, out: Path, executor: Executor | None = None
) -> dict[str, Any]:
    """Mine the log behind `db` into `out` and return the manifest; the same bytes whoever mines.

    Args:
        executor: where episodes are read and rendered; None: here, in one pass after the other.

    Raises:
        BadInputError: no row passed the rules, `out` is no folder to write to, or pyarrow is not installed.
            A dataset that is in `out` already is then left as it was.
        InfrastructureError: a worker could not read its episodes.
        StorageError: the log cannot be read.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BadInputError("Writing Parquet needs pyarrow: pip install 'physix-live[train]'.") from error
    report = MiningReport(rules=rules)
    schema = _schema(pa, chat=rules.render != "nano")
    with _put_in_place(out) as part:
        # Dictionary encoding off: small files either way, and nothing left to a heuristic.
        with pq.ParquetWriter(part / PARQUET, schema, compression="zstd", use_dictionary=False) as writer:
            waiting: list[SftRow] = []

            def write() -> None:
                if waiting:
                    writer.write_table(pa.Table.from_pylist([asdict(row) for row in waiting], schema=schema))
                    waiting.clear()

            async def take(row: SftRow) -> None:
                waiting.append(row)
                if len(waiting) == _ROWS_AT_ONCE:
                    write()

            if executor is None:
                async with open_log(db, read_only=True) as log:
                    async for row in mine(log, rules, report):
                        await take(row)
            else:
                await mine_with(executor, db, rules, report, take)
            write()
        if not report.rows:
            raise BadInputError(
                f"No turn passed the rules; refused: {dict(report.refused) or 'nothing to refuse'}."
            )
        return _describe(report.as_dict(), part)


async def write_lessons(db: str, plan: LessonPlan, run_id: str, out: Path) -> dict[str, Any]:
    """Play lessons into the log behind `db`, write their rows into `out`, and return the manifest.

    Lessons that the log already holds are not played again, so that a run that was cut short goes on.

    Raises:
        BadInputError: pyarrow is not installed, `out` is no folder to write to, or no lesson was solved. A
            dataset that is in `out` already is then left as it was.
        StorageError: the log cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BadInputError("Writing Parquet needs pyarrow: pip install 'physix-live[train]'.") from error
    with _put_in_place(out) as part:
        counts: Counter[str] = Counter()
        rows: list[Lesson] = []
        async with open_log(db) as log:
            async for episode, law in play_lessons(log, plan, run_id):
                counts["episodes"] += 1
                counts["not solved"] += episode.outcome.turns_to_solve is None
                rows += [row for row in lessons_of(episode, law, plan.begin) if chosen(row, plan)]
        if not rows:
            raise BadInputError("No lesson was solved: nothing can be learnt from them.")
        table = pa.Table.from_pylist([asdict(row) for row in rows], schema=_schema(pa, chat=True))
        pq.write_table(table, part / PARQUET, compression="zstd", use_dictionary=False)
        return _describe(_told(plan, counts, rows), part)


def _told(plan: LessonPlan, counts: Counter[str], rows: Sequence[Lesson]) -> dict[str, Any]:
    digest = hashlib.sha256()
    by_system_and_turn: Counter[str] = Counter()
    for row in rows:
        by_system_and_turn[f"{row.system_id}/{row.turn}"] += 1
        digest.update(lesson_json(row).encode() + b"\n")
    return {
        "query": asdict(plan),
        "renderer": COMPACT_VERSION,
        "episodes": counts["episodes"],
        "rows": len(rows),
        "refused": {"not solved": counts["not solved"]},
        "by_system_and_turn": dict(sorted(by_system_and_turn.items())),
        "sha256": digest.hexdigest(),
    }


@contextmanager
def _put_in_place(out: Path) -> Iterator[Path]:
    """Give a folder to write a dataset in, whose files take their places in `out` together at the end.

    Whatever goes wrong before leaves `out` as it was. Should the process die between two files, the
    manifest's hash tells that they do not belong together.
    """
    with tempfile.TemporaryDirectory(prefix=".part-", dir=writable_folder(out)) as name:
        yield Path(name)
        for file in (PARQUET, MANIFEST, CARD):
            os.replace(Path(name) / file, out / file)


def _describe(told: dict[str, Any], part: Path) -> dict[str, Any]:
    manifest = {**told, "parquet_sha256": sha256_of(part / PARQUET)}
    (part / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (part / CARD).write_text(card(manifest), encoding="utf-8")
    return manifest


def _schema(pa: Any, *, chat: bool) -> pa.Schema:
    message = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    text = message if chat else pa.string()
    return pa.schema(
        [
            ("prompt", text),
            ("completion", text),
            ("episode_id", pa.string()),
            ("task_id", pa.string()),
            ("system_id", pa.string()),
            ("policy", pa.string()),
            ("turn", pa.int32()),
            ("kind", pa.string()),
            ("generalisation", pa.float64()),
        ]
    )


def card(manifest: dict[str, Any]) -> str:
    """Return the dataset card."""
    refused = "\n".join(f"| {name} | {count} |" for name, count in manifest["refused"].items())
    counts = "\n".join(f"| {name} | {count} |" for name, count in manifest["by_system_and_turn"].items())
    query = json.dumps(manifest["query"], indent=2)
    # Lessons are found again by their run's name, not by where the log ended.
    reached = f" (up to position {manifest['log_position']})" if "log_position" in manifest else ""
    return f"""---
license: mit
task_categories: [text-generation]
tags: [physics, equation-discovery, physix-live]
configs:
  - config_name: default
    data_files: train.parquet
---
# Turns worth imitating

{manifest["rows"]} rows from {manifest["episodes"]} finished episodes of a PhysiX-Live log{reached},
rendered as `{manifest["renderer"]}`. A row is a prompt, which holds what the policy saw and nothing
else, and the completion to learn. Held-out systems and evaluation
splits are excluded.

Mined with:

```json
{query}
```

| refused because | turns or episodes |
|---|---|
{refused}

| system/turn | rows |
|---|---|
{counts}

SHA-256 of the rows: `{manifest["sha256"]}`
"""
