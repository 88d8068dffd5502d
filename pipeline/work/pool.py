"""Supervised worker processes: spawned, persistent, each step with its limits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import LifoQueue
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.work.action import Job, Recipe
from pipeline.work.last_resort import TOO_LATE

if TYPE_CHECKING:
    from concurrent.futures import Future

    import psutil
    from pebble import ProcessPool

_OUT_OF_MEMORY = 86
_ORPHANED = 87
_SLACK_SECONDS = 30.0
_ATTEMPTS = 3


@dataclass(frozen=True, eq=False)
class _Step:
    """The step that this worker is busy with, and its memory limit in bytes."""

    limit: int


@dataclass
class _Watch:
    """What the watching thread looks at."""

    step: _Step | None = None


_watch = _Watch()


class Workers:
    """A pool of worker processes; one step that dies, hangs or eats memory fails alone.

    ``with Workers(2) as workers: workers.run(recipe, job, seconds=60, memory=2**31)``.
    """

    def __init__(self, count: int) -> None:
        # One pool for each worker: workers of one pool share a channel, on which an idle one
        # that waits for a minute takes the others down with it.
        self._free: LifoQueue[ProcessPool | None] = LifoQueue()
        for _ in range(count):
            self._free.put(None)
        self._started: list[ProcessPool] = []
        self._guard = threading.Lock()
        self._closed = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one step in a worker and wait for it; ``memory`` is resident bytes.

        Raises what the recipe raised, or PipelineError: TIME_LIMIT, MEMORY_LIMIT, WORKER.
        """
        from concurrent.futures.process import BrokenProcessPool

        from pebble import ProcessExpired

        pool = self._free.get()
        try:
            task = [recipe, replace(job, say=_silent), memory]
            for _ in range(_ATTEMPTS):
                try:
                    pool = pool or self._start()
                    return _finished(pool, task, seconds).result()
                except BrokenProcessPool as error:
                    # Its worker ended between two steps, so this one has not begun.
                    pool, lost = None, error
            raise PipelineError(
                Code.WORKER, "The worker process of this step was lost.", found=str(lost)
            )
        except TimeoutError:
            raise PipelineError(
                Code.TIME_LIMIT,
                "The step was ended, since it ran longer than its time limit.",
                expected=f"at most {seconds:g} s",
                hint="Raise the limit in the config if the step is merely slow.",
            ) from None
        except ProcessExpired as expired:
            raise _ended(expired.exitcode, memory) from None
        finally:
            self._free.put(pool)

    def close(self) -> None:
        """End every worker, also those that are busy."""
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
                raise BrokenProcessPool("the workers are closed")
            # Fork after wasmtime ran a guest hangs; spawn is also what Windows has.
            pool = ProcessPool(
                max_workers=1,
                initializer=_enter,
                initargs=[os.getpid()],
                context=multiprocessing.get_context("spawn"),
            )
            self._started.append(pool)
        return pool


def _finished(pool: ProcessPool, task: list[object], seconds: float) -> Future[None]:
    """Return the step's future once it is done; raises BrokenProcessPool."""
    from concurrent.futures import wait
    from concurrent.futures.process import BrokenProcessPool

    try:
        future: Future[None] = pool.schedule(_perform, args=task, timeout=seconds)
    except RuntimeError as error:
        raise BrokenProcessPool(str(error)) from None
    # Waiting has an end even where the pool itself has lost the step.
    wait([future], timeout=seconds + _SLACK_SECONDS)
    if not future.done():
        pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it untyped
        raise PipelineError(
            Code.WORKER,
            "The worker process of this step was lost.",
            found="it neither ran nor ended",
        )
    return future


def _silent(text: str) -> None:
    """Tell nobody: progress does not leave a worker."""


def _perform(recipe: Recipe, job: Job, memory: int) -> None:
    _watch.step = _Step(memory)
    try:
        recipe(job)
    finally:
        _watch.step = None


def _enter(parent: int) -> None:
    # The parent decides what Ctrl-C means; a worker that died of it would be called a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_supervise, args=(parent,), daemon=True).start()


def _supervise(parent: int) -> None:
    import psutil

    myself = psutil.Process()
    while True:
        time.sleep(0.1)
        step = _watch.step
        # Looking takes a while: the step may have ended meanwhile, and another begun.
        if step and _resident(myself) > step.limit and _watch.step is step:
            os._exit(_OUT_OF_MEMORY)
        # After a kill -9 of the parent nobody else would end this process.
        if os.getppid() != parent and os.name != "nt":
            os._exit(_ORPHANED)


def _resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process and of all that it has started."""
    import psutil

    total = int(process.memory_info().rss)
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            total += int(child.memory_info().rss)
    return total


def _ended(exitcode: int, memory: int) -> PipelineError:
    if exitcode == _OUT_OF_MEMORY:
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The step was ended, since it used more memory than its limit.",
            expected=f"at most {memory // 2**20} MiB resident",
            hint="Raise the memory limit in the config if the step really needs more.",
        )
    if exitcode == TOO_LATE:
        return PipelineError(
            Code.TIME_LIMIT,
            "The step was ended, since a call of it did not return within its time limit.",
            hint="A guest that sleeps or a model that takes too long: raise the limit if need be.",
        )
    if exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = "SIGKILL often means that the machine ran out of memory." if -exitcode == 9 else ""
        return PipelineError(
            Code.WORKER, f"The worker process of this step was ended by {name}.", hint=hint
        )
    return PipelineError(
        Code.WORKER, f"The worker process of this step ended with exit status {exitcode}."
    )
