"""A guest to run: its module, arguments, folders, streams and limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError

# The address space of wasm32, and the page size.
_PAGE, _MOST_MEMORY = 1 << 16, 1 << 32


@dataclass(frozen=True, kw_only=True)
class Preopen:
    """A host folder preopened for the guest as ``guest``; read-only by default."""

    host: Path
    guest: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Command:
    """A guest to run, and everything that it has access to.

    ``seconds`` is wall time, including compilation; ``memory`` is in bytes. ``stdout`` and
    ``stderr`` are files to overwrite, or None for this process's own; stdin is empty unless
    ``inherit_stdin``. ``env`` are its environment variables, and it sees no others. ``fuel`` limits
    the number of instructions, and ``disk`` the bytes by which writable folders, stdout and stderr
    may grow; None is no limit. ``preloads`` are modules by the name that the guest imports them
    from, each an instance of its own with a memory of up to ``memory`` bytes.
    """

    wasm: Path
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    dirs: tuple[Preopen, ...] = ()
    seconds: float = 60.0
    memory: int = 1 << 30
    stdout: Path | None = None
    stderr: Path | None = None
    inherit_stdin: bool = False
    fuel: int | None = None
    disk: int | None = None
    preloads: tuple[tuple[str, Path], ...] = ()

    def check(self) -> None:
        """Raise PipelineError (USAGE) for invalid limits."""
        if not 0 < self.seconds < float("inf"):
            raise PipelineError(
                Code.USAGE,
                "The time limit must be a positive number of seconds.",
                found=f"{self.seconds}",
            )
        if not _PAGE <= self.memory <= _MOST_MEMORY:
            raise PipelineError(
                Code.USAGE,
                "Invalid memory limit.",
                expected=f"{_PAGE} to {_MOST_MEMORY} bytes (64 KiB to 4 GiB)",
                found=f"{self.memory} bytes",
            )
