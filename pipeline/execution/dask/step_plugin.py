"""The folder and the supervised processes of a Dask worker's steps, as a plugin of the worker."""

from __future__ import annotations

import multiprocessing.process
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from distributed import WorkerPlugin
from distributed.utils import sync

from pipeline.execution.pool.worker_pool import WorkerPool

_NAME = "wasi-nn-pipeline"
_adding = threading.Lock()


class StepPlugin(WorkerPlugin):
    """Ends the process of a step with its task, and keeps its outputs as long as the result."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._idle: list[WorkerPool] = []
        self._running: dict[Any, WorkerPool] = {}
        self._folders: dict[Any, Path] = {}

    def setup(self, worker: Any) -> None:
        """Make the folder; called by Dask."""
        self._folder = Path(worker.local_directory) / "wasi-nn"
        self._folder.mkdir(parents=True, exist_ok=True)
        # Dask's nanny starts workers as daemons, which multiprocessing forbids to have children.
        # Ours end with their parent anyway.
        multiprocessing.process.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
        # Set by Dask for its own process. It makes image decoding allocate memory anew for each
        # image, a quarter of the time.
        os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)

    def teardown(self, worker: Any) -> None:
        """End all processes; called by Dask."""
        with self._guard:
            pools = [*self._idle, *self._running.values()]
            self._idle, self._running = [], {}
        for pool in pools:
            pool.close()

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """End what belongs to a task that is cancelled or forgotten; called by Dask."""
        with self._guard:
            cancelled = start == "executing" and finish not in ("memory", "error", "rescheduled")
            pool = self._running.pop(key, None) if cancelled else None
            folder = self._folders.pop(key, None) if finish in ("released", "forgotten") else None
        # Dask's event loop must not wait for either.
        if pool is not None:
            threading.Thread(target=pool.close).start()
        if folder is not None:
            threading.Thread(target=shutil.rmtree, args=(folder, True)).start()

    def step_folder(self, key: Any) -> Path:
        """Return a new folder, which is removed when Dask releases the task's result."""
        folder = Path(mkdtemp(prefix="step-", dir=self._folder))
        with self._guard:
            self._folders[key] = folder
        return folder

    @contextmanager
    def pool(self, key: Any) -> Iterator[WorkerPool]:
        """Yield a supervised process, which is killed when the task is cancelled."""
        with self._guard:
            pool = self._running[key] = self._idle.pop() if self._idle else WorkerPool(1)
        try:
            yield pool
        finally:
            with self._guard:
                if self._running.pop(key, None) is not None:
                    self._idle.append(pool)


def step_plugin(worker: Any) -> StepPlugin:
    """Return a worker's plugin, which its first step adds.

    Registered with the scheduler, it would fail the start of later workers without the pipeline.
    """
    with _adding:
        if _NAME not in worker.plugins:
            sync(worker.loop, worker.plugin_add, StepPlugin(), _NAME, catch_errors=False)
        plugin: StepPlugin = worker.plugins[_NAME]
        return plugin
