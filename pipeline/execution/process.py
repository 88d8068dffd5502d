"""Run child processes with a time limit; their descendants are killed with them or with us."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.telemetry import SWITCHES

_TAIL = 64 * 1024
_LAST_SECONDS = 2.0
_LOOK_SECONDS = 0.05
_PARENT_DEATH_PROGRAM = Path(__file__).with_name("parent_death_program.py")
_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


@dataclass(frozen=True)
class Finished:
    """A finished process: its exit status and the last 64 KiB of output."""

    returncode: int
    output: str

    def last_lines(self, count: int = 12) -> str:
        """Return the last non-empty lines."""
        lines = [line.rstrip() for line in self.output.splitlines() if line.strip()]
        return "\n".join(lines[-count:])


def run_process(
    command: Sequence[str | Path],
    *,
    seconds: float,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Run a command without standard input; stdout and stderr are combined.

    Raises PipelineError: TOOLCHAIN when the command cannot be started, TIME_LIMIT when it ran
    longer than ``seconds``; it is then killed with its descendants.
    """
    name = Path(command[0]).name
    program = shutil.which(command[0], path=(env or os.environ).get("PATH"))
    if program is None:
        raise PipelineError(
            Code.TOOLCHAIN, f"{name} could not be started.", found=f"no program {command[0]}"
        )
    try:
        process = subprocess.Popen(
            [*_parent_death_command(), program, *(str(part) for part in command[1:])],
            cwd=cwd,
            env=None if env is None else {**SWITCHES, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise PipelineError(
            Code.TOOLCHAIN, f"{name} could not be started.", found=str(error)
        ) from None
    with _guard:
        _running.add(process)
    tail = bytearray()
    reader = threading.Thread(target=_read_tail, args=(process, tail), daemon=True)
    reader.start()
    try:
        _wait(process, reader, seconds)
        reader.join(timeout=5)
    except subprocess.TimeoutExpired:
        raise PipelineError(
            Code.TIME_LIMIT,
            f"{name} exceeded its time limit.",
            expected=f"at most {seconds:g} s",
            hint="Raise the limit in the config if the step is slow.",
            detail=tail.decode(errors="replace")[-2000:],
        ) from None
    finally:
        # The pid of a reaped process may be reused.
        if process.poll() is None:
            end_tree(process.pid)
            process.wait()
        with _guard:
            _running.discard(process)
    return Finished(process.returncode, tail.decode(errors="replace"))


def _wait(process: subprocess.Popen[bytes], reader: threading.Thread, seconds: float) -> None:
    """Wait for a process; raises TimeoutExpired.

    Joining the reader returns as soon as the output ends; Popen.wait polls every 50 ms.
    """
    deadline = time.monotonic() + seconds
    while reader.is_alive() and process.poll() is None and time.monotonic() < deadline:
        reader.join(timeout=min(_LOOK_SECONDS, deadline - time.monotonic()))
    process.wait(timeout=max(0.0, deadline - time.monotonic()))


def _parent_death_command() -> tuple[str, ...]:
    # Only Linux has a parent-death signal; elsewhere end_all is the best effort.
    if not sys.platform.startswith("linux"):
        return ()
    return (sys.executable, "-I", "-S", str(_PARENT_DEATH_PROGRAM), str(os.getpid()))


def end_tree(pid: int) -> None:
    """Kill a child process and all its descendants, and wait for them.

    Processes that ended already are ignored; the wait is at most two seconds.
    """
    import psutil

    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        # Suspended, it cannot start further children.
        with contextlib.suppress(psutil.Error, AttributeError):
            top.suspend()
        family = [*top.children(recursive=True), top]
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        # Our own child stays a zombie until its Popen is reaped.
        psutil.wait_procs(family[:-1], timeout=_LAST_SECONDS)


def end_all() -> None:
    """Kill every running child process; called at exit."""
    with _guard:
        processes = list(_running)
    for process in processes:
        if process.poll() is None:
            end_tree(process.pid)


atexit.register(end_all)


def _read_tail(process: subprocess.Popen[bytes], tail: bytearray) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        while chunk := os.read(stream.fileno(), _TAIL):
            tail += chunk
            del tail[:-_TAIL]
