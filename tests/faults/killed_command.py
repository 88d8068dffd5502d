"""Run doit or wasi-nn, and end the process at its n-th change of files: ``NTH LOG PROGRAM …``.

Counted are files opened for writing, renames, removals, links, new folders and children. The count
is written to the log by a run that is not ended, for which NTH is 0. FAULTS_CLOCK is by how many
seconds its clock is wrong.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

_CHANGES = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("subprocess.Popen", "os.exec", "os.posix_spawn"),
}


def main() -> int:
    """Run the command; return its exit code."""
    nth, log, program, *arguments = sys.argv[1:]
    count, guard, own = 0, threading.Lock(), os.getpid()

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and bool(given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if (writes or event in _CHANGES) and os.getpid() == own:
            with guard:
                count += 1
                if count == int(nth):
                    os.kill(own, signal.SIGKILL)

    if wrong := int(os.environ.get("FAULTS_CLOCK", "0")):
        now, now_ns = time.time, time.time_ns
        time.time = lambda: now() + wrong
        time.time_ns = lambda: now_ns() + wrong * 10**9
    sys.argv[1:] = arguments
    run = import_module("doit.__main__" if program == "doit" else "pipeline.cli.main").main
    sys.addaudithook(hook)
    try:
        return int(run() or 0)
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        if nth == "0":
            Path(log).write_text(str(count))


if __name__ == "__main__":
    sys.exit(main())
