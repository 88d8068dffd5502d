"""One step that dies, hangs or eats memory fails alone, and says how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.work.action import Job, Recipe
from pipeline.work.pool import Workers
from tests.work import recipes


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1) as pool:
        yield pool


def job(folder: Path) -> Job:
    return Job(inputs={}, outputs={"out": folder / "out"}, parameters={}, scratch=folder)


@pytest.mark.parametrize(
    ("recipe", "seconds", "memory", "code", "word"),
    [
        (recipes.refuse, 30, 2**32, Code.TENSOR, "It cannot be."),
        (recipes.hang, 1.5, 2**32, Code.TIME_LIMIT, "time limit"),
        (recipes.segfault, 30, 2**32, Code.WORKER, "SIGSEGV"),
        (recipes.leave, 30, 2**32, Code.WORKER, "exit status 3"),
        (recipes.eat, 60, 400 * 2**20, Code.MEMORY_LIMIT, "memory"),
    ],
)
def test_each_way_to_end_has_a_name_and_the_next_step_runs(
    workers: Workers,
    tmp_path: Path,
    recipe: Recipe,
    seconds: float,
    memory: int,
    code: Code,
    word: str,
) -> None:
    with pytest.raises(PipelineError) as caught:
        workers.run(recipe, job(tmp_path), seconds=seconds, memory=memory)
    assert caught.value.code is code
    assert word in caught.value.render()
    workers.run(recipes.shout, job(tmp_path), seconds=60, memory=2**32)
    assert (tmp_path / "out").exists()
