"""A mined dataset as files: Parquet that `datasets` loads, a card, a manifest. Same log, same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from physix.errors import BadInputError
from physix.store import open_log
from physix.training.data.mining import MiningReport, MiningRules, SftRow, mine

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 1_000


async def write_sft(db: str, rules: MiningRules, out: Path) -> dict[str, Any]:
    """Mine the log behind `db` into `out` and return the manifest.

    Raises:
        BadInputError: no row passed the rules, or pyarrow is not installed.
        StorageError: the log cannot be read.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise BadInputError("Writing Parquet needs pyarrow: pip install 'physix-live[train]'.") from error
    report = MiningReport(rules=rules)
    path = _folder(out) / "train.parquet"
    async with open_log(db, read_only=True) as log:
        schema = _schema(pa, chat=rules.render != "nano")
        # Dictionary encoding off: small files either way, and nothing left to a heuristic.
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
            async for rows in _batches(mine(log, rules, report)):
                writer.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema=schema))
    if not report.rows:
        raise BadInputError(
            f"No turn passed the rules; refused: {dict(report.refused) or 'nothing to refuse'}."
        )
    return _describe(report, out, path)


def _folder(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return out


def _describe(report: MiningReport, out: Path, path: Path) -> dict[str, Any]:
    manifest = {**report.as_dict(), "parquet_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(card(manifest), encoding="utf-8")
    return manifest


async def _batches(rows: AsyncIterator[SftRow]) -> AsyncIterator[list[SftRow]]:
    batch: list[SftRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


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
    return f"""---
license: mit
task_categories: [text-generation]
tags: [physics, equation-discovery, physix-live]
configs:
  - config_name: default
    data_files: train.parquet
---
# Turns worth imitating

{manifest["rows"]} rows from {manifest["episodes"]} finished episodes of a PhysiX-Live log (up to position
{manifest["log_position"]}), rendered as `{manifest["renderer"]}`. A row is a prompt, which holds
what the policy saw and nothing else, and the completion to learn. Held-out systems and evaluation
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
