"""Locked environments of toolchains, created by uv from requirements files with hashes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.process import run_process
from pipeline.scratch import part_beside
from pipeline.toolchain.environment_record import USERS, is_recorded, owner, write_record
from pipeline.toolchain.interpreters import Interpreter, find_interpreter, uv_program

_INSTALL_SECONDS = 900.0
_PROBE_SECONDS = 30.0
_STAMP = "environment.json"


@dataclass(frozen=True)
class Toolchain:
    """A tool with an environment of its own: its name and supported Pythons, best first.

    ``package`` is used from the current environment if it is installed there.
    """

    name: str
    pythons: tuple[str, ...]
    package: str | None = None


_RECENT = ("3.12", "3.11", "3.13")
TOOLCHAINS: Mapping[str, Toolchain] = {
    toolchain.name: toolchain
    for toolchain in (
        # Its protobuf has binary wheels only up to Python 3.10.
        Toolchain("mo", ("3.10", "3.11", "3.12")),
        Toolchain("mo-mxnet", ("3.10", "3.9")),
        Toolchain("nncf", _RECENT),
        # For machines without npm.
        Toolchain("npm", _RECENT),
        Toolchain("paddle", _RECENT),
        Toolchain("tensorflow", _RECENT),
        # Its builds differ by accelerator and have gigabytes.
        Toolchain("torch", _RECENT, package="torch"),
        Toolchain("wasm-tools", _RECENT),
    )
}


def environment_folder(toolchain: Toolchain, lock: Path, folder: Path) -> Path:
    """Return the folder of this user's environment for this content of the lock file."""
    return folder / f"{toolchain.name}-{Digest.of_file(lock).sha256[:12]}-{owner()}"


def python_of(environment: Path) -> Path:
    """Return the Python interpreter of an environment."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return environment.joinpath(*parts)


def program_of(environment: Path, name: str) -> Path:
    """Return a program that a package of an environment installs."""
    return python_of(environment).with_name(name + (".exe" if os.name == "nt" else ""))


def installed(toolchain: Toolchain) -> bool:
    """Return whether the toolchain's package is installed in the current environment."""
    return toolchain.package is not None and find_spec(toolchain.package) is not None


def python_for(job: Job, tool: str) -> Path:
    """Return the Python interpreter of a step's tool, such as its ``converter``.

    It is the current one, unless the input ``<tool>.stamp`` and the means ``<tool>.environment``
    name an environment, which is created if it is missing. Raises PipelineError (TOOLCHAIN).
    """
    stamp = job.inputs.get(f"{tool}.stamp")
    if stamp is None:
        return Path(sys.executable)
    environment = cast("Environment", job.unkeyed[f"{tool}.environment"])
    require(environment, stamp.read_bytes(), job.scratch)
    return python_of(environment.folder)


def make_environment(job: Job) -> None:
    """Recipe: create a toolchain's environment if it is missing, and write its stamp.

    The input ``lock`` is a requirements file with hashes; the output ``stamp`` is JSON with the
    lock's SHA-256 and the Python version. Unkeyed: ``environment``, an Environment. Raises
    PipelineError (TOOLCHAIN) without a suitable Python or when the installation fails.
    """
    environment = cast("Environment", job.unkeyed["environment"])
    job.outputs["stamp"].write_bytes(ensure_environment(environment, job.scratch, job.progress))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A toolchain's environment: its lock file and its folder."""

    toolchain: str
    lock: Path
    folder: Path
    offline: bool

    def files(self) -> Mapping[str, Path]:
        """Return the lock file, needed to create the environment on another machine."""
        return {"lock": self.lock}

    def relocated(self, files: Mapping[str, Path], folder: Path) -> Environment:
        """Return the environment of the same lock file on another machine, in ``folder``."""
        lock = files["lock"]
        place = environment_folder(TOOLCHAINS[self.toolchain], lock, folder)
        return replace(self, lock=lock, folder=place)


def is_complete(environment: Environment) -> bool:
    """Return whether an environment exists, as this machine has made it."""
    return is_recorded(environment.folder, Digest.of_file(environment.lock).sha256)


def ensure_environment(
    environment: Environment, scratch: Path, progress: Callable[[str], None]
) -> bytes:
    """Return the stamp of an environment, which is created if it is missing.

    One that this user's commands did not create is replaced. Only wheels are installed, so no
    downloaded code runs during installation. One process creates it while others wait. Raises
    PipelineError (TOOLCHAIN; STORAGE if the user's cache cannot be written).
    """
    from filelock import FileLock

    folder = environment.folder
    lock = Digest.of_file(environment.lock).sha256
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if is_recorded(folder, lock):
            _note_user(environment)
            return (folder / _STAMP).read_bytes()
        with part_beside(folder) as made:
            toolchain = TOOLCHAINS[environment.toolchain]
            progress("finding a Python")
            env = _environment(folder.parent, scratch)
            interpreter = _fitting_python(toolchain, scratch, env, environment.offline)
            progress(f"creating the environment with Python {interpreter.version}")
            python = interpreter.program
            _install(python, environment, made, scratch, env)
            stamp = {"lock": lock, "python": interpreter.version}
            (made / _STAMP).write_text(json.dumps(stamp, sort_keys=True) + "\n")
            write_record(made, lock, folder)
            shutil.rmtree(folder, ignore_errors=True)
            made.replace(folder)
            _note_user(environment)
        return (folder / _STAMP).read_bytes()


def users_of(folder: Path) -> list[Path]:
    """Return the lock files that an environment was made or used for, of whatever project."""
    try:
        return [Path(text) for text in decode_json((folder / USERS).read_bytes(), list[str])]
    except (OSError, msgspec.MsgspecError):
        return []


def _note_user(environment: Environment) -> None:
    users, lock = users_of(environment.folder), environment.lock.absolute()
    if lock not in users:
        with suppress(OSError):
            texts = sorted(str(each) for each in (*users, lock) if each.exists())
            write_bytes(environment.folder / USERS, msgspec.json.encode(texts))


def require(environment: Environment, stamp: bytes, scratch: Path) -> None:
    """Create the environment if it is missing, and check that it matches ``stamp``.

    A stamp from another machine may name another Python; outputs would then differ under the same
    key. Raises PipelineError (TOOLCHAIN).
    """
    found = ensure_environment(environment, scratch, lambda _: None)
    if found != stamp:
        raise PipelineError(
            Code.TOOLCHAIN,
            f"The toolchain {environment.toolchain} does not match its stamp.",
            where=str(environment.folder),
            expected=stamp.decode(errors="replace").strip(),
            found=found.decode(errors="replace").strip(),
            hint="Install that Python and delete the folder, or disable the remote cache.",
        )


def _fitting_python(
    toolchain: Toolchain, scratch: Path, env: Mapping[str, str], offline: bool
) -> Interpreter:
    found = find_interpreter(toolchain.pythons, scratch)
    if found is not None:
        return found
    best = toolchain.pythons[0]
    if not offline:
        finished = run_process(
            [uv_program(), "python", "install", "--no-progress", best],
            seconds=_INSTALL_SECONDS,
            cwd=scratch,
            env=env,
        )
        found = find_interpreter(toolchain.pythons, scratch)
        if found is not None:
            return found
        detail = finished.last_lines(4)
    else:
        detail = ""
    raise PipelineError(
        Code.TOOLCHAIN,
        f"No suitable Python for the toolchain {toolchain.name}.",
        expected=f"CPython {', '.join(toolchain.pythons[:-1])} or {toolchain.pythons[-1]}",
        found="none, and uv could not install one" if detail else "none",
        hint=f"Install Python {best}, for example: uv python install {best}",
        detail=detail,
    )


def _install(
    python: Path, environment: Environment, made: Path, scratch: Path, env: Mapping[str, str]
) -> None:
    uv = uv_program()
    network = ["--offline"] if environment.offline else []
    make: list[str | Path] = [uv, "venv", "--quiet", "--no-config", "--no-project", "--relocatable"]
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-config",
        "--no-deps",
        "--require-hashes",
        # Programs that run later write nothing into the environment.
        "--compile-bytecode",
    ]
    for command in (
        [*make, "--python", python, made],
        [
            *install,
            "--only-binary=:all:",
            *network,
            "--python",
            python_of(made),
            "-r",
            environment.lock.absolute(),
        ],
    ):
        finished = run_process(command, seconds=_INSTALL_SECONDS, cwd=scratch, env=env)
        if finished.returncode != 0:
            raise PipelineError(
                Code.TOOLCHAIN,
                f"Creating the environment of the toolchain {environment.toolchain} failed.",
                where=environment.lock.name,
                found=f"uv exited with status {finished.returncode}",
                hint="See uv's output below; the first installation requires a package index."
                if not environment.offline
                else "The project is offline and the packages are not in uv's cache.",
                detail=finished.last_lines(),
            )


def _environment(toolchains: Path, scratch: Path) -> dict[str, str]:
    """Return the environment variables for uv: ours, without those that select a Python.

    If uv cannot write its cache, as in a read-only HOME, the cache is put beside the environments.
    """
    dropped = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_VERSION")
    kept = {name: text for name, text in os.environ.items() if name not in dropped}
    if index := kept.get("PIP_INDEX_URL"):
        kept.setdefault("UV_DEFAULT_INDEX", index)
    # Else `uv python install` leaves links to its Pythons in ~/.local/bin.
    kept.setdefault("UV_PYTHON_INSTALL_BIN", "0")
    finished = run_process(
        [uv_program(), "cache", "dir", "--no-config"], seconds=_PROBE_SECONDS, cwd=scratch, env=kept
    )
    if finished.returncode != 0 or not _can_write(Path(finished.last_lines(1))):
        kept["UV_CACHE_DIR"] = str(toolchains.absolute() / "uv")
    return kept


def _can_write(folder: Path) -> bool:
    """Return whether files can be made in a folder, which may be missing yet."""
    there = next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))
    return os.access(there, os.W_OK)
