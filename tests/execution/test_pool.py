"""One step that dies, hangs or eats memory fails alone, and says how."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Recipe
from pipeline.execution.pool.progress_file import ProgressReader, ProgressWriter
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.execution.progress import Progress
from tests.execution import recipes
from tests.processes import ended


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    with WorkerPool(1) as pool:
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
        (recipes.hang_in_a_part, 30, 2**32, Code.TIME_LIMIT, "A call in the step"),
        (recipes.hold_the_interpreter, 0.5, 2**32, Code.TIME_LIMIT, "at most 0.5 s"),
        (recipes.segfault, 30, 2**32, Code.WORKER, "SIGSEGV"),
        (recipes.abort, 30, 2**32, Code.WORKER, "SIGABRT"),
        (recipes.leave, 30, 2**32, Code.WORKER, "exited with status 3"),
        (recipes.leave_quietly, 300, 2**32, Code.WORKER, "exited with status 0"),
        (recipes.ask_to_end, 30, 2**32, Code.WORKER, "SystemExit: enough"),
        (recipes.raise_unpicklable, 30, 2**32, Code.INTERNAL, "Unpicklable: it holds a lock"),
        (recipes.raise_unloadable, 30, 2**32, Code.INTERNAL, "Unloadable: two arguments"),
        (recipes.eat, 60, 400 * 2**20, Code.MEMORY_LIMIT, "memory"),
        (recipes.eat_in_a_child, 60, 400 * 2**20, Code.MEMORY_LIMIT, "memory"),
    ],
)
def test_each_way_to_end_has_a_name_and_the_next_step_runs(
    workers: WorkerPool,
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGKILL, "SIGKILL"), (signal.SIGTERM, "SIGTERM"), (40, "signal 40")],
)
def test_a_worker_that_is_killed_from_outside_names_the_signal(
    workers: WorkerPool, tmp_path: Path, number: int, name: str
) -> None:
    step = replace(job(tmp_path), parameters={"signal": number})
    with pytest.raises(PipelineError) as caught:
        workers.run(recipes.die, step, seconds=60, memory=2**32)
    assert caught.value.code is Code.WORKER
    assert caught.value.message.endswith(f"was killed by {name}.")


def test_what_a_step_says_is_heard_outside_its_process(workers: WorkerPool, tmp_path: Path) -> None:
    heard: list[tuple[str, Progress | None]] = []
    step = replace(job(tmp_path), progress=lambda text, amount=None: heard.append((text, amount)))
    workers.run(recipes.count_slowly, step, seconds=60, memory=2**32)
    assert heard
    for text, amount in heard:
        assert amount is not None
        assert text == f"{amount.done} of 8 pictures"
        assert amount == Progress(amount.done, 8, "pictures")


def test_what_a_worker_leaves_may_be_anything(tmp_path: Path) -> None:
    heard: list[str] = []
    overheard = ProgressReader(tmp_path / "said", lambda text, _=None: heard.append(text))
    overheard.poll()
    for data in (b"", b"{", b"[1]", b'{"text":5,"amount":null}', b'{"text":"' + b"x" * 9999):
        (tmp_path / "said").write_bytes(data)
        overheard.poll()
    assert heard == []
    ProgressWriter(tmp_path / "said")("12 pictures")
    overheard.poll()
    overheard.poll()
    assert heard == ["12 pictures"]


def test_one_poisoned_step_among_many_fails_alone(tmp_path: Path) -> None:
    poison = [recipes.segfault, recipes.leave_quietly, recipes.refuse]
    several = [recipes.shout, *poison, recipes.shout, recipes.shout, recipes.shout]
    with WorkerPool(2) as pool, ThreadPoolExecutor(4) as threads:
        futures = []
        for number, recipe in enumerate(several):
            (tmp_path / str(number)).mkdir()
            step = job(tmp_path / str(number))
            futures.append(threads.submit(pool.run, recipe, step, seconds=60, memory=2**32))
        failed = [future.exception(timeout=120) is not None for future in futures]
    assert failed == [recipe in poison for recipe in several]


def test_a_step_that_is_ended_takes_its_processes_with_it(
    workers: WorkerPool, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError) as caught:
        workers.run(recipes.hang_with_family, job(tmp_path), seconds=3, memory=2**32)
    assert caught.value.code is Code.TIME_LIMIT
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_busy_worker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from dataclasses import replace\n"
        "from pipeline.execution.pool.worker_pool import WorkerPool\n"
        "from tests.execution import recipes\n"
        "from tests.execution.test_pool import job\n"
        "if __name__ == '__main__':\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    step = replace(job(folder), parameters={'name': 'x', 'folder': sys.argv[1]})\n"
        "    WorkerPool(1).run(recipes.mark_and_wait, step, seconds=600, memory=2**32)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    log = tmp_path / "log"
    while not (log.exists() and log.read_text().endswith("\n")):
        assert parent.poll() is None
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    assert ended(int(log.read_text().split()[2]))


def test_a_hanging_step_ends_in_time_while_another_worker_is_idle(tmp_path: Path) -> None:
    with WorkerPool(2) as pool, ThreadPoolExecutor(2) as threads:
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
    with WorkerPool(1) as pool:
        pool.run(recipes.shout, job(tmp_path), seconds=60, memory=2**32)
        (idle,) = started() - before
        idle.kill()
        # Not waited for: that would take its exit status from the pool.
        while idle in started():
            time.sleep(0.05)
        pool.run(recipes.shout, job(tmp_path), seconds=60, memory=2**32)


def test_steps_that_end_while_they_are_looked_at_are_not_taken_for_large(tmp_path: Path) -> None:
    with WorkerPool(1) as pool:
        for _ in range(200):
            pool.run(recipes.nap, job(tmp_path), seconds=60, memory=2**30)
        assert len(set(pids(pool, tmp_path))) == 1


def pids(pool: WorkerPool, folder: Path) -> list[int]:
    """Return the process that each of a few steps ran in."""
    found = []
    for _ in range(3):
        pool.run(recipes.tell_pid, job(folder), seconds=60, memory=2**30)
        found.append(int((folder / "out").read_text()))
    return found


def test_a_recipes_own_fault_is_not_taken_for_the_workers(
    workers: WorkerPool, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="a fault of the recipe"):
        workers.run(recipes.fault, job(tmp_path), seconds=30, memory=2**32)
    with pytest.raises(TimeoutError, match="a server did not answer"):
        workers.run(recipes.time_out, job(tmp_path), seconds=30, memory=2**32)
