"""doit's threads share one console, one cache and one pool of workers, and all are closed."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.cache.cache import Cache
from pipeline.doit_plugin.loader import StepTasks
from pipeline.errors import PipelineError
from pipeline.execution.pool import worker_pool
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.graph import open_cache
from pipeline.report.console import run_display
from pipeline.report.console.open_console import open_console
from pipeline.report.console.protocol import Verbosity
from pipeline.report.console.run_display import RunDisplay
from pipeline.report.events import StepStarted
from tests.tiny import Project

THREADS = 8


class Made:
    """What was made of each kind, slowly, and what was closed."""

    def __init__(self) -> None:
        self.made: dict[str, list[Any]] = {}
        self.closed: list[Any] = []

    def slowly(self, kind: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def making(*arguments: Any, **named: Any) -> Any:
            time.sleep(0.05)  # Long enough for every thread to find that there is none.
            self.made.setdefault(kind, []).append(make(*arguments, **named))
            return self.made[kind][-1]

        return making

    def noting(self, close: Callable[[Any], None]) -> Callable[[Any], None]:
        def closing(value: Any) -> None:
            self.closed.append(value)
            close(value)

        return closing


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.setattr(run_display, "open_console", made.slowly("console", open_console))
    monkeypatch.setattr(open_cache, "open_cache", made.slowly("cache", open_cache.open_cache))
    monkeypatch.setattr(worker_pool, "WorkerPool", made.slowly("workers", WorkerPool))
    monkeypatch.setattr(Cache, "close", made.noting(Cache.close))
    monkeypatch.setattr(WorkerPool, "close", made.noting(WorkerPool.close))
    return made


def at_once(ask: Callable[[], object]) -> list[object]:
    ready = threading.Barrier(THREADS)

    def asking(_: int) -> object:
        ready.wait()
        return ask()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(asking, range(THREADS)))


def test_threads_that_begin_together_share_all_that_there_is(
    project: Project, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    tasks = StepTasks(project.root)
    own = tasks.project
    found = at_once(lambda: (own.graph, own.history, own.workers, own.builder))
    assert len(set(found)) == 1
    display = RunDisplay(io.StringIO(), Verbosity.NORMAL, own.verified)
    at_once(lambda: display(StepStarted(step="ir:tiny")))
    assert {kind: len(values) for kind, values in made.made.items()} == {
        "console": 1,
        "cache": 1,
        "workers": 1,
    }
    assert made.closed == []
    tasks.close()
    assert set(made.made["cache"]) | set(made.made["workers"]) == set(made.closed)


def test_steps_that_begin_together_share_them_too(
    project: Project, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As doit's threads do after `doit -a`, where nobody has asked before what is current."""
    monkeypatch.chdir(project.root)
    for _ in range(2):
        project.doit()
    tasks = StepTasks(project.root)
    assert tasks._snapshot is not None
    assert at_once(lambda: tasks._execute("source:tiny.red")) == [{"outcome": "built"}] * THREADS
    tasks.close()
    assert {kind: len(values) for kind, values in made.made.items() if kind != "console"} == {
        "cache": 1,
        "workers": 1,
    }
    assert set(made.made["cache"]) | set(made.made["workers"]) == set(made.closed)


def test_a_thread_that_comes_after_the_end_opens_nothing(
    project: Project, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    tasks = StepTasks(project.root)
    tasks.close()
    with pytest.raises(PipelineError, match="The run has ended"):
        _ = tasks.project.builder
    assert "cache" not in made.made
