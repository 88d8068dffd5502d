"""The interpreter of a toolchain for commands that have no config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import ProgressCallback

if TYPE_CHECKING:
    from pipeline.toolchain.environment import Environment


def toolchain_python(toolchain: str | None, scratch: Path, progress: ProgressCallback) -> Path:
    """Return a toolchain's interpreter, or ours for none; creates a missing environment.

    Raises PipelineError (TOOLCHAIN).
    """
    from pipeline.toolchain.environment import ensure_environment, python_of

    environment = _environment(toolchain) if toolchain else None
    if environment is None:
        return Path(sys.executable)
    ensure_environment(environment, scratch, progress)
    return python_of(environment.folder)


def _environment(toolchain: str) -> Environment | None:
    """Return a toolchain's environment, by the lock of the project here or of this checkout."""
    from pipeline.toolchain.environment import (
        TOOLCHAINS,
        Environment,
        environment_folder,
        installed,
    )

    if installed(TOOLCHAINS[toolchain]):
        return None
    roots = (Path.cwd(), Path(__file__).resolve().parents[2])
    locks = [root / "configs" / "toolchains" / f"{toolchain}.lock" for root in roots]
    lock = next((lock for lock in locks if lock.exists()), None)
    if lock is None:
        raise PipelineError(
            Code.TOOLCHAIN,
            f"Lock file of toolchain {toolchain} not found.",
            expected=str(locks[0]),
            hint="Run this in a checkout of the project.",
        )
    folder = lock.parents[2] / "artifacts" / ".cache" / "toolchains"
    return Environment(
        toolchain=toolchain,
        lock=lock,
        folder=environment_folder(TOOLCHAINS[toolchain], lock, folder),
        offline=False,
    )
