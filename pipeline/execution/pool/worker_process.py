"""Inside a worker process: run one step at a time, with a thread that enforces its limits."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Recipe

if TYPE_CHECKING:
    import psutil

# Exit statuses for the pool.
OUT_OF_MEMORY = 86
ORPHANED = 87
CALL_OVERDUE = 88
OVERDUE = 89

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class _RunningStep:
    """The memory limit in bytes, the deadline (time.monotonic) and the exit status for that."""

    limit: int
    until: float
    overdue: int = OVERDUE


@dataclass
class _Watch:
    """State shared with the supervisor thread."""

    step: _RunningStep | None = None


_watch = _Watch()


def initialize_worker() -> None:
    """Initialize a worker process: signal handlers and supervisor thread."""
    # The parent handles Ctrl-C; a worker killed by it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_supervise, daemon=True).start()


def perform(recipe: Recipe, job: Job, seconds: float, memory: int) -> None:
    """Run a step within its limits; raises the recipe's exception, if it can be pickled."""
    _watch.step = _RunningStep(memory, time.monotonic() + seconds)
    try:
        recipe(job)
    except Exception as error:
        if not _is_picklable(error):
            raise _picklable_error(error) from None
        raise
    except BaseException as error:
        # In the parent it would end the waiting thread.
        raise PipelineError(
            Code.WORKER,
            "The step tried to exit Python.",
            found=f"{type(error).__name__}: {error}",
        ) from None
    finally:
        _watch.step = None


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Exit this worker if the block takes longer than ``seconds``.

    For a part of a step that cannot be stopped in any other way, such as a sleeping guest. Outside
    a worker, there is no limit.
    """
    step = _watch.step
    if step is not None:
        until = min(step.until, time.monotonic() + seconds)
        _watch.step = replace(step, until=until, overdue=CALL_OVERDUE)
    try:
        yield
    finally:
        _watch.step = step


def _supervise() -> None:
    import psutil

    parent = multiprocessing.parent_process()
    myself = psutil.Process()
    while True:
        time.sleep(_LOOK_SECONDS)
        step = _watch.step
        if step and (code := _broken_limit(step, myself)) and _watch.step is step:
            # Checked again: measuring takes time, and another step may be running by now.
            _end(code)
        # Nothing else ends this process after a kill -9 of the parent.
        if parent is not None and not parent.is_alive():
            _end(ORPHANED)


def _broken_limit(step: _RunningStep, myself: psutil.Process) -> int:
    if time.monotonic() > step.until:
        return step.overdue
    return OUT_OF_MEMORY if _resident(myself) > step.limit else 0


def _resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process and its descendants."""
    import psutil

    total = int(process.memory_info().rss)
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            total += int(child.memory_info().rss)
    return total


def _end(code: int) -> None:
    _end_children()
    os._exit(code)


def _end_children() -> None:
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()


def _terminated(number: int, _frame: FrameType | None) -> None:
    _end_children()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _is_picklable(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 - our own bytes
    except Exception:
        return False


def _picklable_error(error: Exception) -> PipelineError:
    return PipelineError(
        Code.INTERNAL,
        "The step failed with an exception that cannot be pickled.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
