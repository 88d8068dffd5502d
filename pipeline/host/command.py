"""A guest and all that it may use, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError

# The most that wasm32 can address, and the least that a memory grows by.
_PAGE, _MOST_MEMORY = 1 << 16, 1 << 32


@dataclass(frozen=True, kw_only=True)
class Preopen:
    """A folder of the host that the guest sees as ``guest``; it may only read, unless told."""

    host: Path
    guest: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Command:
    """A guest and all that it may use.

    ``seconds`` are of wall time, compiling included; ``memory`` is in bytes. ``stdout`` and
    ``stderr`` are files that are written anew, or this process's own where there is none; stdin is
    empty unless ``inherit_stdin``. ``fuel`` bounds the number of instructions, where given, and
    ``disk`` the bytes by which writable folders, stdout and stderr may grow.
    """

    wasm: Path
    args: tuple[str, ...] = ()
    dirs: tuple[Preopen, ...] = ()
    seconds: float = 60.0
    memory: int = 1 << 30
    stdout: Path | None = None
    stderr: Path | None = None
    inherit_stdin: bool = False
    fuel: int | None = None
    disk: int | None = None

    def check(self) -> None:
        """Raise PipelineError (USAGE) for limits that make no sense."""
        if not 0 < self.seconds < float("inf"):
            raise PipelineError(
                Code.USAGE,
                "The time limit must be a positive number of seconds.",
                found=f"{self.seconds}",
            )
        if not _PAGE <= self.memory <= _MOST_MEMORY:
            raise PipelineError(
                Code.USAGE,
                "The memory limit is not one that a guest can have.",
                expected=f"{_PAGE} to {_MOST_MEMORY} bytes (64 KiB to 4 GiB)",
                found=f"{self.memory} bytes",
            )
