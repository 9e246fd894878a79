"""`examples/inference.py` against the real server and a model that follows a script."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from physix.engine.systems.splits import split_task
from tests.api.test_server import free_port, server
from tests.scripted_model import MODEL, SILENCE, scripted_model

ROOT = Path(__file__).parents[2]


def inference(
    *options: str, url: str, model_url: str, cwd: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples/inference.py", *options],
        env={**os.environ, "PHYSIX_URL": url, "API_BASE_URL": model_url, "MODEL_NAME": MODEL, **settings},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_model_is_evaluated_over_the_socket(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _, truth = split_task("train", 0)
    # A wrong law, a reply that holds none, then the true one with its numbers in it.
    equation = truth.equation or ""
    for name, value in truth.params.items():
        equation = equation.replace(name, f"{value!r}", 1)
    with (
        server(tmp_path / "log.db", port),
        scripted_model(["d2y/dt2 = -5"], [], [equation]) as (base, script),
    ):
        options = ("--split", "train", "--tasks", "1", "--max-turns", "8")
        done = inference(*options, url=url, model_url=base, cwd=tmp_path, PHYSIX_RUN="mine")
        assert done.returncode == 0, done.stderr
        kinds = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("[")]
        assert kinds == ["[START]", "[STEP]", "[STEP]", "[STEP]", "[END]"]
        lines = done.stdout.splitlines()
        assert lines[0] == f"[START] task=train/0 env=physix model={MODEL}"
        assert 'action="d2y/dt2 = -5"' in lines[1]
        assert "reward=0.000" in lines[2]
        assert "holds no" in lines[2] or "no equation" in lines[2], lines[2]
        assert "success=true steps=3" in lines[4]
        assert "solved 1.000 [" in done.stdout
        # The model reads its verdict, and why a reply was none, in words.
        chat = script.asked[2]["messages"]
        assert [message["role"] for message in chat] == ["system", "user"] + ["assistant", "user"] * 2
        assert chat[4]["content"] == SILENCE
        assert "Proposals left: 7." in chat[3]["content"]
        # An outage of the model's server is no score.
        unserved = inference(
            "--split", "train", "--tasks", "1", url=url, model_url="http://127.0.0.1:9/v1", cwd=tmp_path
        )
        assert unserved.returncode == 1
        assert "on 0 tasks of train" in unserved.stdout
        assert "1 episodes have no score: APIConnectionError" in unserved.stderr
        rows = httpx.get(f"{url}/api/episodes", params={"run": "mine"}, timeout=60).json()["items"]
        assert [row["outcome"] for row in rows] == ["solved"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    done = inference(url="http://127.0.0.1:9", model_url="", cwd=tmp_path, MODEL_NAME="", MODEL="")
    assert done.returncode == 2
    assert "MODEL_NAME and API_BASE_URL" in done.stderr


@pytest.mark.parametrize("script", ["inference.py", "grpo_trl.py"])
def test_an_example_says_what_it_takes(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "physix serve" in done.stdout
