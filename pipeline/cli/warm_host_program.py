"""As a program: import this host, and fork a process for each command that the socket brings.

A request is its length and three descriptors (of its status, stdout and stderr), then the words of
the command as JSON. The answer on the status is the process's id, and how it ended. This process
itself runs nothing, so it has one thread, and no library in it has begun to work.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from pipeline.conformance.warm_host import NUMBER

# More than this process ever has open.
_DESCRIPTORS = 1024


def main() -> None:
    """Serve the socket of the command line until its other side is closed."""
    _preload()
    gc.collect()
    gc.freeze()
    ended, wake = os.pipe()
    for descriptor in (ended, wake):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    with socket.socket(fileno=int(sys.argv[1])) as requests, selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        ready.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is not requests:
                    with suppress(BlockingIOError):
                        os.read(ended, 4096)
                elif not _serve(requests, running):
                    return
            _report(running)


def _preload() -> None:
    import wasmtime  # noqa: F401

    from pipeline.host.backend_registry import frameworks
    from pipeline.host.openvino_c.library import LibraryMissing, library

    frameworks()
    # Each guest reports it, as without this process.
    with suppress(LibraryMissing):
        library()


def _serve(requests: socket.socket, running: dict[int, socket.socket]) -> bool:
    """Fork a process for one request; return whether there was one."""
    length, descriptors, _, _ = socket.recv_fds(requests, NUMBER, 3)
    if not length:
        return False
    words = json.loads(requests.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    status, out, err = descriptors
    process = os.fork()
    if process == 0:
        _become(words, out, err)
    os.close(out)
    os.close(err)
    running[process] = socket.socket(fileno=status)
    _send(running[process], process)
    return True


def _report(running: dict[int, socket.socket]) -> None:
    """Send the exit code of each process that has ended."""
    with suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            with running.pop(process) as connection:
                _send(connection, os.waitstatus_to_exitcode(status))


def _send(connection: socket.socket, number: int) -> None:
    with suppress(OSError):
        connection.sendall(number.to_bytes(NUMBER, "big", signed=True))


def _become(words: list[str], out: int, err: int) -> NoReturn:
    """Be the process that runs the command."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor, standard in ((out, 1), (err, 2)):
        os.dup2(descriptor, standard)
    # The sockets belong to the process that forks.
    os.closerange(3, _DESCRIPTORS)
    code = 1
    try:
        from pipeline.cli.main import main as command

        code = command(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
