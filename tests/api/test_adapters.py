"""The adapters, each in an environment of its own: `make test-adapters` installs them."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.api.test_server import free_port, server
from tests.scripted_model import MODEL, Script, scripted_model

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = Path(os.environ.get("PHYSIX_ADAPTER_ENVIRONMENTS", ROOT / ".venv/adapters"))
# Two calls in the first message, of which one counts; then one a message.
PROPOSALS = (["d2y/dt2 = -5", "d2y/dt2 = 0"], ["d2y/dt2 = -10"], ["d2y/dt2 = -9.81"])


def environment(name: str) -> Path:
    found = ENVIRONMENTS / name / "bin"
    if not (found / "python").exists():
        pytest.skip(f"{name} needs an environment apart from openenv's: run make test-adapters")
    return found


def run(binaries: Path, command: Sequence[str | Path], port: int, cwd: Path, **settings: str) -> str:
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "adapters"),
            "PHYSIX_URL": f"http://127.0.0.1:{port}",
            **settings,
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def answers(script: Script) -> list[str]:
    """Return what the model read of its proposals, in the last request."""
    return [str(message["content"]) for message in script.asked[-1]["messages"] if message["role"] == "tool"]


def first_calls_counted(script: Script) -> None:
    first, second, third, fourth = answers(script)
    assert "Proposals left: 7." in first
    assert second.startswith("Not judged")
    assert "Proposals left: 6." in third
    assert "Proposals left: 5." in fourth


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("verifiers", ["first is turned down: False", "second is turned down: True", "reward 0.33"]),
        ("inspect", ["turned down 1", "success score 0.33"]),
    ],
)
def test_a_scripted_policy_plays_through_the_adapter(tmp_path: Path, name: str, said: list[str]) -> None:
    binaries, port = environment(name), free_port()
    with server(tmp_path / "log.db", port):
        script = ROOT / f"adapters/examples/play_{name}.py"
        told = run(binaries, [binaries / "python", script], port, tmp_path)
    assert [words for words in said if words not in told] == []


@pytest.mark.soak
def test_vf_eval_plays_and_scores_a_model(tmp_path: Path) -> None:
    binaries, port = environment("verifiers"), free_port()
    with server(tmp_path / "log.db", port), scripted_model(*PROPOSALS) as (model_url, script):
        options = ["-m", MODEL, "--client.base-url", model_url, "--client.api-key-var", "ANY_KEY"]
        harness = ["--env.agent.harness.id", "null", "--env.agent.runtime.type", "subprocess"]
        tasks = ["--env.taskset.split", "train", "--env.taskset.num-tasks", "1"]
        command = [str(binaries / "vf-eval"), "physix-discovery", "--no-push", *options, *harness, *tasks]
        run(binaries, command, port, tmp_path, ANY_KEY="any")
    (traces,) = tmp_path.glob("outputs/*/traces.jsonl")
    (episode,) = [json.loads(line) for line in traces.read_text().splitlines()]
    (trace,) = episode["traces"]
    assert trace["errors"] == []
    assert trace["rewards"]["best_total"]["score"] == pytest.approx(0.304, abs=0.001)
    first_calls_counted(script)


@pytest.mark.soak
def test_inspect_eval_of_a_file_plays_and_scores_a_model(tmp_path: Path) -> None:
    binaries, port = environment("inspect"), free_port()
    with server(tmp_path / "log.db", port), scripted_model(*PROPOSALS) as (model_url, script):
        settings = {"LOCAL_BASE_URL": model_url, "LOCAL_API_KEY": "any"}
        options = ["--model", f"openai-api/local/{MODEL}", "--log-dir", str(tmp_path), "--log-format", "json"]
        command = [str(binaries / "inspect"), "eval", "physix_eval.py", "-T", "split=train", "-T", "limit=1"]
        examples = ROOT / "adapters/examples"  # Inspect takes a file by a relative path
        run(binaries, [*command, *options, "--display", "none"], port, examples, **settings)
    (log,) = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
    (score,) = log["results"]["scores"]
    assert score["metrics"]["mean"]["value"] == pytest.approx(0.304, abs=0.001)
    first_calls_counted(script)
