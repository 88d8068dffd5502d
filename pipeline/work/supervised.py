"""Inside a worker process: one step at a time, and a thread that watches over it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.work.action import Job, Recipe

if TYPE_CHECKING:
    import psutil

# The exit statuses by which the pool tells these ends from others; 88 is last_resort.TOO_LATE.
OUT_OF_MEMORY = 86
ORPHANED = 87
OVERDUE = 89

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class _Step:
    """The step that this worker is busy with: its memory limit in bytes, and when it must end."""

    limit: int
    until: float


@dataclass
class _Watch:
    """What the watching thread looks at."""

    step: _Step | None = None


_watch = _Watch()


def enter() -> None:
    """Begin to watch; the first thing that a worker process does."""
    # The parent decides what Ctrl-C means; a worker that died of it would be called a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_supervise, daemon=True).start()


def perform(recipe: Recipe, job: Job, seconds: float, memory: int) -> None:
    """Run a step within its limits; raises what the recipe raises, if that can leave a process."""
    _watch.step = _Step(memory, time.monotonic() + seconds)
    try:
        recipe(job)
    except Exception as error:
        if not _travels(error):
            raise _replaced(error) from None
        raise
    except BaseException as error:
        # In the parent it would end the thread that waits for the step.
        raise PipelineError(
            Code.WORKER,
            "The step asked Python to end.",
            found=f"{type(error).__name__}: {error}",
        ) from None
    finally:
        _watch.step = None


def _supervise() -> None:
    import psutil

    parent = multiprocessing.parent_process()
    myself = psutil.Process()
    while True:
        time.sleep(_LOOK_SECONDS)
        step = _watch.step
        if step and (code := _broken_limit(step, myself)) and _watch.step is step:
            # Looking takes a while: had the step ended meanwhile, another may have begun.
            _end(code)
        # After a kill -9 of the parent nobody else would end this process.
        if parent is not None and not parent.is_alive():
            _end(ORPHANED)


def _broken_limit(step: _Step, myself: psutil.Process) -> int:
    if time.monotonic() > step.until:
        return OVERDUE
    return OUT_OF_MEMORY if _resident(myself) > step.limit else 0


def _resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process and of all that it has started."""
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


def _travels(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 - our own bytes
    except Exception:
        return False


def _replaced(error: Exception) -> PipelineError:
    return PipelineError(
        Code.INTERNAL,
        "The step failed with an error that cannot leave its process.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
