"""The interpreter of a toolchain for commands that have no config."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import builtin
from pipeline.cache.user_cache import user_cache_folder
from pipeline.execution.progress import ProgressCallback

if TYPE_CHECKING:
    from pipeline.toolchain.environment import Environment


def toolchain_python(toolchain: str | None, scratch: Path, progress: ProgressCallback) -> Path:
    """Return a toolchain's interpreter, or ours for none; creates a missing environment.

    Raises PipelineError (TOOLCHAIN).
    """
    from pipeline.toolchain.environment import ensure_environment, python_of

    environment = _unless_installed(toolchain) if toolchain else None
    if environment is None:
        return Path(sys.executable)
    ensure_environment(environment, scratch, progress)
    return python_of(environment.folder)


def existing_python(toolchain: str) -> Path | None:
    """Return the interpreter of a toolchain that exists already, or None."""
    from pipeline.toolchain.environment import is_complete, python_of

    environment = _unless_installed(toolchain)
    if environment is None:
        return Path(sys.executable)
    return python_of(environment.folder) if is_complete(environment) else None


def locked_environment(toolchain: str) -> Environment:
    """Return a toolchain's environment, by the built-in lock file and in the user's cache.

    The folder that a command runs in may be a stranger's: neither its lock file nor its
    environments are looked for.
    """
    from pipeline.toolchain.environment import TOOLCHAINS, Environment, environment_folder

    lock = builtin.FOLDER / "configs" / "toolchains" / f"{toolchain}.lock"
    named = os.environ.get("WASI_NN_TOOLCHAINS")
    folder = Path(named) if named else user_cache_folder() / "toolchains"
    return Environment(
        toolchain=toolchain,
        lock=lock,
        folder=environment_folder(TOOLCHAINS[toolchain], lock, folder),
        offline=False,
    )


def _unless_installed(toolchain: str) -> Environment | None:
    from pipeline.toolchain.environment import TOOLCHAINS, installed

    return None if installed(TOOLCHAINS[toolchain]) else locked_environment(toolchain)
