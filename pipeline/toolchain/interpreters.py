"""Find Python interpreters on this machine with ``uv python find``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.execution.machine import entries, home
from pipeline.execution.process import run_process

_SECONDS = 60.0


@dataclass(frozen=True)
class Interpreter:
    """A working Python: its executable and its version, such as ``3.10``."""

    program: Path
    version: str


def find_interpreter(versions: Sequence[str], scratch: Path) -> Interpreter | None:
    """Return a CPython of the first available version of ``versions``, or None.

    It is one of uv's own, or in PATH, or of pyenv, or the one that this environment is of. Raises
    PipelineError (TOOLCHAIN) without uv.
    """
    program = uv_program()
    # Neither a config nor a read-only cache of the user may change what is found.
    find = [program, "python", "find", "--no-config", "--no-project", "--no-cache", "--system"]
    for version in versions:
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_further_folders(version)])
        command = [*find, "--no-python-downloads", f"cpython-{version}"]
        # Without its own Pythons, since uv gives up where it cannot read their folder.
        for attempt in (command, [*command, "--no-managed-python"]):
            with suppress(PipelineError):
                finished = run_process(
                    attempt, seconds=_SECONDS, cwd=scratch, env={**os.environ, "PATH": path}
                )
                if finished.returncode == 0:
                    return Interpreter(Path(finished.last_lines(1)), version)
    return None


def uv_program() -> str:
    """Return the path of uv; raises PipelineError (TOOLCHAIN)."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        raise PipelineError(
            Code.TOOLCHAIN,
            "uv, required for locked environments, is not installed.",
            hint="Install it: pip install uv",
        ) from None


def _further_folders(version: str) -> Iterator[str]:
    """Yield folders that uv does not look into; a shim of pyenv runs the chosen version only."""
    pyenv = Path(os.environ.get("PYENV_ROOT", home() / ".pyenv"))
    for folder in (
        *reversed(entries(pyenv, f"versions/{version}.*/bin")),
        *reversed(entries(pyenv, f"pyenv-win/versions/{version}.*")),
    ):
        yield str(folder)
    yield str(Path(sys.base_prefix, "bin"))
