"""A pool of supervised worker processes with a time and memory limit for each step."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from queue import LifoQueue
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Recipe
from pipeline.execution.pool.progress_file import ProgressReader, ProgressWriter
from pipeline.execution.pool.worker_process import (
    CALL_OVERDUE,
    OUT_OF_MEMORY,
    OVERDUE,
    initialize_worker,
    perform,
)
from pipeline.execution.process import end_tree

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pebble import ProcessPool

_START_SECONDS = 120.0
_GRACE_SECONDS = 3.0
_LOOK_SECONDS = 0.5
_ATTEMPTS = 3


@dataclass
class _Worker:
    """A pool of one process, and the process id if known."""

    pool: ProcessPool
    pid: int | None = None


class _Vanished(Exception):
    """A worker exited with status 0 in the middle of a step."""


class _Overdue(Exception):
    """A worker did not end itself at its time limit."""


class WorkerPool:
    """A pool of worker processes; a step that crashes, hangs or exhausts memory fails alone.

    ``with WorkerPool(2) as workers: workers.run(recipe, job, seconds=60, memory=2**31)``.
    """

    def __init__(self, count: int) -> None:
        # Fork hangs after wasmtime has run a guest; Windows only has spawn.
        self._context = multiprocessing.get_context("spawn")
        # One pool per worker: workers of one pool share a channel, and one that idles for a
        # minute stops the others.
        self._free: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(count):
            self._free.put(None)
        self._started: list[ProcessPool] = []
        self._guard = threading.Lock()
        self._closed = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one step in a worker and wait for it; ``memory`` is in resident bytes.

        Raises the recipe's exception, or PipelineError: TIME_LIMIT, MEMORY_LIMIT, WORKER.
        """
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        worker = self._free.get()
        try:
            # Beside the scratch folder, which belongs to the recipe.
            progress_path = job.scratch.with_name(f"{job.scratch.name}.said")
            reader = ProgressReader(progress_path, job.progress)
            task = [recipe, replace(job, progress=ProgressWriter(progress_path)), seconds, memory]
            for _ in range(_ATTEMPTS):
                try:
                    worker = worker or _Worker(self._start())
                    if worker.pid is None or not _is_alive(worker.pid):
                        # The pool starts a new process for one that ended while idle.
                        worker.pid = _pid(worker.pool)
                    return _finished(worker.pool, worker.pid, task, seconds, reader).result()
                except BrokenProcessPool as error:
                    # The worker ended between two steps, so this one has not started.
                    worker, lost = None, error
            raise PipelineError(
                Code.WORKER, "The worker process of the step was lost.", found=str(lost)
            )
        except (ProcessExpired, _Vanished) as end:
            # The pool starts a new process.
            if worker is not None:
                worker.pid = None
            raise _exit_error(getattr(end, "exitcode", 0), seconds, memory) from None
        except _Overdue:
            worker = None
            raise _exit_error(OVERDUE, seconds, memory) from None
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """Stop every worker, including busy ones."""
        with self._guard:
            self._closed = True
            pools, self._started = self._started, []
        for pool in pools:
            pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it untyped
        for pool in pools:
            pool.join()

    def _start(self) -> ProcessPool:
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessPool

        with self._guard:
            if self._closed:
                raise BrokenProcessPool("the pool is closed")
            pool = ProcessPool(max_workers=1, initializer=initialize_worker, context=self._context)
            self._started.append(pool)
        return pool


def _is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not yet waited for does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pid(pool: ProcessPool) -> int:
    """Start the pool's process and return its id; raises BrokenProcessPool."""
    from concurrent.futures.process import BrokenProcessPool

    from pebble import ProcessExpired

    try:
        found: int = pool.schedule(os.getpid).result(_START_SECONDS)
    except (RuntimeError, ProcessExpired, TimeoutError) as error:
        raise BrokenProcessPool(str(error)) from None
    return found


def _finished(
    pool: ProcessPool, pid: int, task: list[object], seconds: float, reader: ProgressReader
) -> Future[None]:
    """Run a step and return its finished future.

    Raises BrokenProcessPool, _Vanished, and _Overdue after ending the pool.
    """
    from concurrent.futures import wait
    from concurrent.futures.process import BrokenProcessPool

    import psutil

    # The worker ends itself at its limits; this is for one that cannot, such as in a native call
    # that holds the interpreter.
    until = time.monotonic() + seconds + _GRACE_SECONDS
    try:
        future: Future[None] = pool.schedule(perform, args=task)
    except RuntimeError as error:
        raise BrokenProcessPool(str(error)) from None
    while not wait([future], timeout=_LOOK_SECONDS).done:
        reader.poll()
        # The pool does not report a process that exited with 0; any other it reports, with a delay.
        if not psutil.pid_exists(pid) and not wait([future], timeout=_LOOK_SECONDS).done:
            future.cancel()
            raise _Vanished
        if time.monotonic() > until:
            end_tree(pid)
            pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it untyped
            raise _Overdue
    return future


def _exit_error(exitcode: int, seconds: float, memory: int) -> PipelineError:
    """Return the error for a worker's exit status."""
    if exitcode == OVERDUE:
        return PipelineError(
            Code.TIME_LIMIT,
            "The step exceeded its time limit.",
            expected=f"at most {seconds:g} s",
            hint="Raise the limit in the config if the step is slow.",
        )
    if exitcode == OUT_OF_MEMORY:
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The step exceeded its memory limit.",
            expected=f"at most {memory // 2**20} MiB resident",
            hint="Raise the memory limit in the config if the step needs more.",
        )
    if exitcode == CALL_OVERDUE:
        return PipelineError(
            Code.TIME_LIMIT,
            "A call in the step exceeded its time limit.",
            hint="A guest sleeps or a model is too slow: raise the limit if necessary.",
        )
    if exitcode < 0:
        hint = "SIGKILL often means that the machine ran out of memory." if -exitcode == 9 else ""
        return PipelineError(
            Code.WORKER,
            f"The worker process of the step was killed by {_signal_name(-exitcode)}.",
            hint=hint,
        )
    return PipelineError(
        Code.WORKER, f"The worker process of the step exited with status {exitcode}."
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
