"""doit's threads share one console, one store and one pool of workers, and all are closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.cache.cache import Cache
from pipeline.doit_plugin import engine as room
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import PipelineError
from pipeline.execution.pool import worker_pool
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.graph import open_cache
from pipeline.report.console.open_console import open_console
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
    monkeypatch.setattr(room, "open_console", made.slowly("console", open_console))
    monkeypatch.setattr(open_cache, "open_cache", made.slowly("store", open_cache.open_cache))
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
    engine = Engine(project.root)
    found = at_once(lambda: (engine.console, engine.history, engine.workers, engine._builder))
    assert len(set(found)) == 1
    assert {kind: len(values) for kind, values in made.made.items()} == {
        "console": 1,
        "store": 1,
        "workers": 1,
    }
    assert made.closed == []
    engine.close()
    assert set(made.made["store"]) | set(made.made["workers"]) == set(made.closed)


def test_steps_that_begin_together_share_them_too(
    project: Project, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As doit's threads do after `doit -a`, where nobody has asked before what is current."""
    monkeypatch.chdir(project.root)
    for _ in range(2):
        project.doit()
    engine = Engine(project.root)
    assert engine._snapshot is not None
    assert at_once(lambda: engine._execute("source:tiny.red")) == [{"outcome": "built"}] * THREADS
    engine.close()
    assert {kind: len(values) for kind, values in made.made.items() if kind != "console"} == {
        "store": 1,
        "workers": 1,
    }
    assert set(made.made["store"]) | set(made.made["workers"]) == set(made.closed)


def test_a_thread_that_comes_after_the_end_opens_nothing(
    project: Project, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    engine = Engine(project.root)
    engine.close()
    with pytest.raises(PipelineError, match="The run has ended"):
        _ = engine._builder
    assert "store" not in made.made
