"""This host for many small guests: a process that has imported it is forked for each of them.

What `wasi-nn run` costs for a guest of the suite is mostly its imports. Each guest has a process of
its own all the same, so that a crash or a hang is a result of one case only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import IO

from pipeline.child_python.commands import module_command
from pipeline.conformance.hosts import THIS
from pipeline.conformance.kit.cases import ConformanceHost
from pipeline.host.sandbox.process_environment import without_secrets

_PROGRAM = "pipeline.cli.warm_host_program"
# Of a number on the socket.
NUMBER = 8


@contextmanager
def warmed(host: ConformanceHost) -> Iterator[ConformanceHost]:
    """Give a host that is started by forks if it is this one, and the system can fork."""
    if host.name != THIS or not hasattr(os, "fork"):
        yield host
        return
    with closing(WarmHost()) as warm:
        yield host._replace(start=warm.start)


class WarmProcess:
    """A forked process; it has what is used of ``subprocess.Popen``."""

    def __init__(self, words: Sequence[str], status: socket.socket, out: int, err: int) -> None:
        self.stdout: IO[bytes] = os.fdopen(out, "rb")
        self.stderr: IO[bytes] = os.fdopen(err, "rb")
        self._words = words
        self._status = status
        self.pid = self._number()
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = self._number()
            except TimeoutError:
                raise subprocess.TimeoutExpired(self._words, timeout or 0) from None
            self._status.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code as far as it is known."""
        return self.returncode

    def kill(self) -> None:
        """End the process."""
        os.kill(self.pid, signal.SIGKILL)

    def _number(self) -> int:
        data = self._status.recv(NUMBER, socket.MSG_WAITALL)
        if len(data) < NUMBER:
            raise OSError("the process that forks the host has ended")
        return int.from_bytes(data, "big", signed=True)


class WarmHost:
    """The process to be forked; it ends with ``close``. For systems that can fork."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                module_command(_PROGRAM, str(other.fileno())),
                env=without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        self._one = threading.Lock()

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait()

    def start(self, command: Sequence[str]) -> WarmProcess:
        """Start a command of this host, `… pipeline.cli.main WORDS`; raises OSError."""
        words = list(command)[list(command).index("pipeline.cli.main") + 1 :]
        data = json.dumps(words).encode()
        status, other = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        with other:
            given = [other.fileno(), out_end, err_end]
            try:
                with self._one:
                    length = len(data).to_bytes(NUMBER, "big")
                    socket.send_fds(self._socket, [length], given)
                    self._socket.sendall(data)
            finally:
                os.close(out_end)
                os.close(err_end)
        return WarmProcess(words, status, out, err)
