"""Recipes for the tests of workers and builds; a worker process imports them by name."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.pool.worker_process import limited
from pipeline.execution.process import run_process
from pipeline.execution.progress import Progress


def shout(job: Job) -> None:
    text = "".join(path.read_text() for _, path in sorted(job.inputs.items()))
    job.outputs["out"].write_text(text.upper() + str(job.parameters.get("tail", "")))


def count_slowly(job: Job) -> None:
    for number in range(1, 9):
        job.progress(f"{number} of 8 pictures", Progress(number, 8, "pictures"))
        time.sleep(0.25)
    job.outputs["out"].write_text("done")


def refuse(job: Job) -> None:
    job.outputs["out"].write_text("half")
    raise PipelineError(Code.TENSOR, "It cannot be.", where="here", detail="line")


def hang(job: Job) -> None:
    time.sleep(600)


def hold_the_interpreter(job: Job) -> None:
    # Unlike CDLL, this lets no other thread of Python run meanwhile.
    ctypes.PyDLL(None).sleep(600)


def hang_in_a_part(job: Job) -> None:
    with limited(0.5):
        pass
    with limited(0.5):
        time.sleep(600)


def time_out(job: Job) -> None:
    raise TimeoutError("a server did not answer")


def segfault(job: Job) -> None:
    ctypes.string_at(0)


def abort(job: Job) -> None:
    os.abort()


def die(job: Job) -> None:
    os.kill(os.getpid(), int(str(job.parameters["signal"])))
    time.sleep(600)


def leave_quietly(job: Job) -> None:
    os._exit(0)


def ask_to_end(job: Job) -> None:
    sys.exit("enough")


class Unpicklable(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


class Unloadable(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def raise_unpicklable(job: Job) -> None:
    raise Unpicklable("it holds a lock")


def raise_unloadable(job: Job) -> None:
    raise Unloadable("two ", "arguments")


def hang_with_family(job: Job) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('pid').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    run_process([sys.executable, "-c", code], seconds=600, cwd=job.scratch)


def fault(job: Job) -> None:
    raise RuntimeError("a fault of the recipe")


def leave(job: Job) -> None:
    os._exit(3)


def eat(job: Job) -> None:
    hoard = []
    while True:
        hoard.append(bytearray(os.urandom(16) * 2**20))


def eat_in_a_child(job: Job) -> None:
    code = "import os; hoard = []\nwhile True: hoard.append(bytearray(os.urandom(16) * 2**20))"
    run_process([sys.executable, "-c", code], seconds=60, cwd=job.scratch)


def nap(job: Job) -> None:
    time.sleep(0.002)


def tell_pid(job: Job) -> None:
    job.outputs["out"].write_text(str(os.getpid()))


def write_nothing(job: Job) -> None:
    pass


def write_folder(job: Job) -> None:
    folder = job.outputs["folder/"]
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "b.txt").write_text(str(job.parameters["b"]))


def tell_place(job: Job) -> None:
    paths = [str(path) for _, path in sorted(job.inputs.items())]
    job.outputs["out"].write_text("\n".join([str(os.getppid()), str(job.scratch), *paths]))


def tell_trimming(job: Job) -> None:
    """Say below which size this process gives memory back that it has freed."""
    job.outputs["out"].write_text(os.environ.get("MALLOC_TRIM_THRESHOLD_", "as usual"))


def mark_and_wait(job: Job) -> None:
    """Add a line to a log that only tests have, then wait until they say go."""
    folder = Path(str(job.parameters["folder"]))
    with (folder / "log").open("a") as log:
        log.write(f"{job.parameters['name']} {os.getppid()} {os.getpid()}\n")
    while not (folder / "go").exists():
        time.sleep(0.05)
    shout(job)


@dataclass(frozen=True)
class Kept:
    """Something of this machine that a step reads, and that another machine can have too."""

    file: Path

    def files(self) -> Mapping[str, Path]:
        return {"kept": self.file}

    def relocated(self, files: Mapping[str, Path], folder: Path) -> Kept:
        return replace(self, file=files["kept"])


def read_kept(job: Job) -> None:
    kept = job.unkeyed["kept"]
    assert isinstance(kept, Kept)
    job.outputs["out"].write_text(f"{kept.file}\n{kept.file.read_text()}")


def end_parent(job: Job) -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
