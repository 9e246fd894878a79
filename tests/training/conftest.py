"""A nano model of toy size, made from episodes of the teacher: no hub, no network."""

from pathlib import Path

import anyio
import pytest

from physix.policies.nano.tokenizer import NanoTokenizer
from physix.store import open_log
from physix.training.data.mining import NANO_RULES, SftRow, mine
from physix.training.data.teacher import TeacherPolicy
from physix.training.nano.files import save_nano
from physix.training.nano.model import NanoSize, make_nano
from physix.training.nano.sft import prompts_of
from physix.training.nano.vocabulary import train_tokenizer
from physix.training.rollout import RolloutOptions, TaskPlan, roll_out
from tests.policies.chat.tiny_model import write_transformers

TINY = NanoSize(hidden=32, layers=2, heads=2, kv_heads=1, feed_forward=48)


@pytest.fixture(scope="session")
def teacher_db(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('log') / 'teacher.db'}"

    async def fill() -> None:
        plan = TaskPlan(systems=("spring_mass", "free_fall", "damped_spring"), episodes=60, hint="mostly")
        async with open_log(url) as log:
            async for _ in roll_out(log, plan, TeacherPolicy, RolloutOptions(run_id="t")):
                pass

    anyio.run(fill)
    return url


@pytest.fixture(scope="session")
def rows(teacher_db: str) -> list[SftRow]:
    async def read() -> list[SftRow]:
        async with open_log(teacher_db) as log:
            return [row async for row in mine(log, NANO_RULES)]

    return anyio.run(read)


@pytest.fixture(scope="session")
def tokenizer_json(rows: list[SftRow]) -> str:
    return train_tokenizer(prompts_of(rows)).to_str()


@pytest.fixture(scope="session")
def tokenizer(tokenizer_json: str) -> NanoTokenizer:
    return NanoTokenizer.from_json(tokenizer_json)


@pytest.fixture
def tiny_folder(tmp_path: Path, tokenizer: NanoTokenizer, tokenizer_json: str) -> Path:
    folder = tmp_path / "tiny"
    save_nano(make_nano(tokenizer, TINY, seed=1), tokenizer_json, folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of toy size as a Transformers folder; nobody writes into it."""
    folder = tmp_path_factory.mktemp("models") / "base"
    write_transformers(folder)
    return folder
