"""A tool's environment, made by uv from a requirements file that pins every hash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from pipeline.errors import Code, PipelineError
from pipeline.store.digest import Digest
from pipeline.toolchain.interpreters import Interpreter, find_interpreter
from pipeline.work.action import Job
from pipeline.work.process import run_process

_INSTALL_SECONDS = 900.0


@dataclass(frozen=True)
class Toolchain:
    """A tool that lives apart: its name, and the Python versions it runs on, best first."""

    name: str
    pythons: tuple[str, ...]


# The last release that reads Caffe. Its protobuf has a compiled build only up to Python 3.10.
MODEL_OPTIMIZER = Toolchain("mo", ("3.10", "3.11", "3.12"))
TOOLCHAINS: Mapping[str, Toolchain] = {MODEL_OPTIMIZER.name: MODEL_OPTIMIZER}


def environment_folder(toolchain: Toolchain, lock: Path, folder: Path) -> Path:
    """Return where the environment of this very lock file stands."""
    return folder / f"{toolchain.name}-{Digest.of_file(lock).sha256[:12]}"


def python_of(environment: Path) -> Path:
    """Return the interpreter inside an environment."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return environment.joinpath(*parts)


def make_environment(job: Job) -> None:
    """Recipe: make the environment of a toolchain and write the stamp that vouches for it.

    The input ``lock`` is a requirements file with hashes; the output ``stamp`` is JSON with the
    lock's SHA-256 and the Python version. Only wheels are installed, so nothing that was
    downloaded runs while it is made. Raises PipelineError (TOOLCHAIN) when no Python fits, or
    when the packages cannot be had.
    """
    toolchain = TOOLCHAINS[str(job.parameters["toolchain"])]
    lock = job.inputs["lock"]
    target = Path(str(job.means["environment"]))
    offline = bool(job.means.get("offline"))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        job.say("looking for a Python")
        interpreter = _fitting_python(toolchain, job.scratch, offline)
        job.say(f"installing into an environment of its own, on Python {interpreter.version}")
        _install(toolchain, interpreter, lock, part / "env", job.scratch, offline)
        shutil.rmtree(target, ignore_errors=True)
        (part / "env").replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    stamp = {"lock": Digest.of_file(lock).sha256, "python": interpreter.version}
    job.outputs["stamp"].write_text(json.dumps(stamp, sort_keys=True) + "\n")


def _fitting_python(toolchain: Toolchain, scratch: Path, offline: bool) -> Interpreter:
    found = find_interpreter(toolchain.pythons, scratch)
    if found is not None:
        return found
    best = toolchain.pythons[0]
    if not offline:
        finished = run_process(
            [_uv(), "python", "install", "--no-progress", best],
            seconds=_INSTALL_SECONDS,
            cwd=scratch,
            env=_environment(),
        )
        found = find_interpreter(toolchain.pythons, scratch)
        if found is not None:
            return found
        detail = finished.last_lines(4)
    else:
        detail = ""
    raise PipelineError(
        Code.TOOLCHAIN,
        f"The toolchain {toolchain.name} needs a Python that this machine does not have.",
        expected=f"CPython {', '.join(toolchain.pythons[:-1])} or {toolchain.pythons[-1]}",
        found="none that runs, and uv could not install one" if detail else "none that runs",
        hint=f"Install Python {best}, for example with: uv python install {best}",
        detail=detail,
    )


def _install(
    toolchain: Toolchain,
    interpreter: Interpreter,
    lock: Path,
    environment: Path,
    scratch: Path,
    offline: bool,
) -> None:
    uv = _uv()
    network = ["--offline"] if offline else []
    make: list[str | Path] = [uv, "venv", "--quiet", "--no-config", "--no-project", "--relocatable"]
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-config",
        "--no-deps",
        "--require-hashes",
    ]
    for command in (
        [*make, "--python", interpreter.program, environment],
        [
            *install,
            "--only-binary=:all:",
            *network,
            "--python",
            python_of(environment),
            "-r",
            lock.absolute(),
        ],
    ):
        finished = run_process(command, seconds=_INSTALL_SECONDS, cwd=scratch, env=_environment())
        if finished.returncode != 0:
            raise PipelineError(
                Code.TOOLCHAIN,
                f"The environment of the toolchain {toolchain.name} could not be made.",
                where=lock.name,
                found=f"uv ended with exit status {finished.returncode}",
                hint="See uv's own lines below; a package index must be reachable once."
                if not offline
                else "The project is offline and the packages are not in uv's cache.",
                detail=finished.last_lines(),
            )


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        raise PipelineError(
            Code.TOOLCHAIN,
            "uv, which makes the locked environments, is not installed.",
            hint="Install it: pip install uv",
        ) from None


def _environment() -> dict[str, str]:
    """Return the environment for uv: the caller's, without what points at another Python."""
    dropped = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_VERSION")
    kept = {name: text for name, text in os.environ.items() if name not in dropped}
    if index := kept.get("PIP_INDEX_URL"):
        kept.setdefault("UV_DEFAULT_INDEX", index)
    return kept
