"""One step that dies, hangs or eats memory fails alone, and says how."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.work.action import Job, Recipe
from pipeline.work.pool import Workers
from tests.work import recipes


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1) as pool:
        yield pool


def started() -> set[psutil.Process]:
    """Return the worker processes that there are."""
    found = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child)
    return found


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
        (recipes.eat_in_a_child, 60, 400 * 2**20, Code.MEMORY_LIMIT, "memory"),
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


def test_a_hanging_step_ends_in_time_while_another_worker_is_idle(tmp_path: Path) -> None:
    with Workers(2) as pool, ThreadPoolExecutor(2) as threads:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        # Both workers are up before one hangs.
        warm = [
            threads.submit(pool.run, recipes.shout, job(tmp_path / name), seconds=60, memory=2**32)
            for name in ("one", "two")
        ]
        for future in warm:
            future.result()
        with pytest.raises(PipelineError) as caught:
            pool.run(recipes.hang, job(tmp_path / "one"), seconds=1.5, memory=2**32)
        assert caught.value.code is Code.TIME_LIMIT


def test_a_worker_that_dies_while_idle_costs_nothing(tmp_path: Path) -> None:
    before = started()
    with Workers(1) as pool:
        pool.run(recipes.shout, job(tmp_path), seconds=60, memory=2**32)
        (idle,) = started() - before
        idle.kill()
        # Not waited for: that would take its exit status from the pool.
        while idle in started():
            time.sleep(0.05)
        pool.run(recipes.shout, job(tmp_path), seconds=60, memory=2**32)


def test_steps_that_end_while_they_are_looked_at_are_not_taken_for_large(tmp_path: Path) -> None:
    with Workers(1) as pool:
        for _ in range(200):
            pool.run(recipes.nap, job(tmp_path), seconds=60, memory=2**30)
        assert len(set(pids(pool, tmp_path))) == 1


def pids(pool: Workers, folder: Path) -> list[int]:
    """Return the process that each of a few steps ran in."""
    found = []
    for _ in range(3):
        pool.run(recipes.tell_pid, job(folder), seconds=60, memory=2**30)
        found.append(int((folder / "out").read_text()))
    return found


def test_a_recipes_own_fault_is_not_taken_for_the_workers(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault of the recipe"):
        workers.run(recipes.fault, job(tmp_path), seconds=30, memory=2**32)
