"""Unsloth needs CUDA, which no test machine has: a fake module stands in for it and for the device."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from physix.errors import BadInputError
from physix.training.backends import choose

FAKE = """
import json, os, sys
early = [name for name in ("transformers", "trl", "peft") if name in sys.modules]
calls = [{"call": "import", "already_imported": early}]

class FastLanguageModel:
    @staticmethod
    def from_pretrained(**options):
        calls.append({"call": "from_pretrained", **options})
        return "model", "tokenizer"

    @staticmethod
    def get_peft_model(model, **options):
        calls.append({"call": "get_peft_model", "on": model, "r": options["r"]})
        return "adapted"
"""
DRIVER = """
import json, sys, types
import torch
torch.cuda.is_available = lambda: True
from physix.training import loop, sft
from physix.training.backends import choose, load
backend = choose(sys.argv[1])
loaded = load(backend, "some/model", lora_rank=4, context=64, seed=1) if backend.name == "unsloth" else None
import unsloth
print(json.dumps({"backend": backend.name, "reason": backend.reason, "calls": unsloth.calls,
                  "model": loaded and loaded.model}))
"""


def drive(tmp_path: Path, requested: str, fake: str = FAKE) -> dict[str, Any]:
    (tmp_path / "unsloth.py").write_text(fake)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, requested],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_unsloth_is_imported_before_transformers_and_then_loads_and_adapts(tmp_path: Path) -> None:
    found = drive(tmp_path, "auto")
    assert found["backend"] == "unsloth"
    assert found["model"] == "adapted"
    first, second, third = found["calls"]
    assert first == {"call": "import", "already_imported": []}
    assert (second["call"], second["model_name"], second["load_in_4bit"]) == (
        "from_pretrained",
        "some/model",
        False,
    )
    assert third == {"call": "get_peft_model", "on": "model", "r": 4}


def test_auto_falls_back_and_says_why() -> None:
    backend = choose("auto")
    assert backend.name == "peft"
    assert "unsloth" in backend.reason or "CUDA" in backend.reason


def test_what_was_asked_for_by_name_is_never_replaced() -> None:
    with pytest.raises(BadInputError, match="cannot be used"):
        choose("unsloth")
    with pytest.raises(BadInputError, match="Unknown backend"):
        choose("jax")
    assert choose("full").name == "full"
    assert choose("peft").reason == "asked for"
