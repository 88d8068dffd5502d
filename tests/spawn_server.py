"""Processes that multiprocessing spawns in a forked command, forked too: they import nothing again.

A command's process has a child that waits for its requests and has one thread, so it may fork at
any time. What it forks becomes a child of the command's process, as a spawned one is: of a process
whose parent has ended, the nearest ancestor that asked for such processes is the parent.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import util
from types import ModuleType
from typing import Any, NoReturn

_PR_SET_CHILD_SUBREAPER = 36
_MOST_FDS = 64
_MOST_BYTES = 1 << 20
# Above the numbers of what a command has open as it spawns.
_FIRST_FREE = 600


def fork_what_is_spawned(end: Callable[[Callable[[], object]], NoReturn]) -> None:
    """From now on, fork what multiprocessing spawns; ``end`` runs a function and ends the process.

    For a process with one thread. Elsewhere than on Linux, nothing changes.
    """
    if sys.platform != "linux":
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for each in (ours, theirs):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST_BYTES)
    if os.fork() == 0:
        ours.close()
        _serve(theirs, end)
    theirs.close()
    guard, library = threading.Lock(), ctypes.CDLL(None)

    def spawn(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
        numbers = sorted(set(passfds))
        request = {
            "arguments": [os.fsdecode(each) for each in args],
            "descriptors": numbers,
            "folder": os.getcwd(),  # noqa: PTH109 - as the system knows it
            "environment": dict(os.environ),
        }
        with guard:
            library.prctl(_PR_SET_CHILD_SUBREAPER, 1)
            socket.send_fds(ours, [json.dumps(request).encode()], numbers)
            process = int(ours.recv(_MOST_BYTES))
            library.prctl(_PR_SET_CHILD_SUBREAPER, 0)
        return process

    # Which both the processes and their resource tracker are started with.
    util.spawnv_passfds = spawn


def _serve(requests: socket.socket, end: Callable[[Callable[[], object]], NoReturn]) -> NoReturn:
    """Fork what is asked for until the command's process ends."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, _MOST_BYTES, _MOST_FDS)
        if not data:
            os._exit(0)
        told, telling = os.pipe()
        held, holding = os.pipe()
        between = os.fork()
        if between == 0:
            process = os.fork()
            if process == 0:
                requests.close()
                for each in (told, telling, holding):
                    os.close(each)
                # It begins when it is a child of the command's process.
                os.read(held, 1)
                os.close(held)
                _become(json.loads(data), descriptors, end)
            os.write(telling, str(process).encode())
            os._exit(0)
        os.waitpid(between, 0)
        answer = os.read(told, 100)
        for each in (told, telling, held, holding, *descriptors):
            os.close(each)
        requests.send(answer)


def _become(
    request: dict[str, Any], received: list[int], end: Callable[[Callable[[], object]], NoReturn]
) -> NoReturn:
    """Be the process that ``python -c CODE`` would start, with the descriptors that it is given."""
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for each in received]
    for each in received:
        os.close(each)
    for each, number in zip(moved, request["descriptors"], strict=True):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    words = request["arguments"]
    at = words.index("-c") + 1
    sys.argv[:] = ["-c", *words[at + 1 :]]
    command = sys.modules["__main__"]
    # multiprocessing runs the command's module again, and runpy warns if it is imported already.
    sys.modules.pop(getattr(command.__spec__, "name", ""), None)
    sys.modules["__main__"] = ModuleType("__main__")
    code = compile(words[at], "<string>", "exec")
    end(lambda: exec(code, {"__name__": "__main__"}))
