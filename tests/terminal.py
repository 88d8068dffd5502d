"""A program on a real terminal of a given size, and what a person would see there."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pyte
from pexpect.fdpexpect import fdspawn

LINES = 40
# Makes the terminal the program's own, as a shell's is.
_OWN = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without what would decide how a terminal is used."""
    decides = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    kept = {name: value for name, value in os.environ.items() if name not in decides}
    return {**kept, "TERM": "xterm-256color", **(more or {})}


class Terminal:
    """A program that runs on a terminal of ``columns``."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, LINES, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""
        # pexpect's own spawn forks, and what is forked once wasmtime ran a guest here never starts.
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (LINES, columns))
        self._child = subprocess.Popen(
            [sys.executable, "-c", _OWN, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=clean_environment(env),
            start_new_session=True,
        )
        os.close(slave)
        self.process: Any = fdspawn(master, timeout=60)

    @property
    def screen(self) -> list[str]:
        """The lines that are seen now."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def scroll(self) -> list[str]:
        """The lines that can be scrolled back to, and those that are seen now."""
        columns = range(self._screen.columns)
        above = ["".join(line[x].data for x in columns) for line in self._screen.history.top]
        return [*(line.rstrip() for line in above if line.strip()), *self.screen]

    def read(self) -> bool:
        """Show what came; false when the program has ended."""
        try:
            piece = self.process.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += piece
        self._stream.feed(piece)
        return True

    def until(self, seen: Callable[[list[str]], bool], seconds: float = 60) -> list[str]:
        """Return the first screen of which ``seen`` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            alive = self.read()
            if seen(self.screen):
                return self.screen
            if not alive:
                break
        raise AssertionError("never seen:\n" + "\n".join(self.screen))

    def end(self, seconds: float = 60) -> int:
        """Let it end; return its exit code."""
        end = time.monotonic() + seconds
        while self.read():
            assert time.monotonic() < end, "\n".join(self.screen)
        self.process.close()
        return self._child.wait()

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()
        self.process.close()
