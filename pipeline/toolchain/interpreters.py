"""Find Python interpreters on this machine by running candidates."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.execution.machine import entries, home, is_program, programs_named
from pipeline.execution.process import run_process

_PROBE = (
    "import json,platform,sys;"
    "print(json.dumps([sys.implementation.name,list(sys.version_info[:2]),"
    "sys.maxsize>2**32,sys.base_prefix]))"
)


@dataclass(frozen=True)
class Interpreter:
    """A working Python: its executable and its version, such as ``3.10``."""

    program: Path
    version: str


def find_interpreter(versions: Sequence[str], scratch: Path) -> Interpreter | None:
    """Return a 64-bit CPython of the first available version of ``versions``, or None."""
    found: dict[str, Interpreter] = {}
    for program in _candidates(versions):
        interpreter = _run(program, scratch)
        if interpreter is None:
            continue
        found.setdefault(interpreter.version, interpreter)
        if interpreter.version == versions[0]:
            break
    return next((found[version] for version in versions if version in found), None)


def _run(program: Path, scratch: Path) -> Interpreter | None:
    try:
        # -I: ignore PYTHONPATH and the user's site-packages.
        finished = run_process([program, "-I", "-c", _PROBE], seconds=20, cwd=scratch)
        implementation, version, wide, _ = json.loads(finished.output.splitlines()[-1])
    except (PipelineError, ValueError, IndexError):
        return None
    if finished.returncode != 0 or implementation != "cpython" or not wide:
        return None
    return Interpreter(program, f"{version[0]}.{version[1]}")


def _candidates(versions: Sequence[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for program in _places(versions):
        if program not in seen and is_program(program):
            seen.add(program)
            yield program


def _places(versions: Sequence[str]) -> Iterator[Path]:
    user = home()
    program = "python.exe" if os.name == "nt" else "bin/python3"
    for version in versions:
        # A shim may precede a real interpreter in PATH: try every folder.
        yield from programs_named(f"python{version}")
        pyenv = Path(os.environ.get("PYENV_ROOT", user / ".pyenv"))
        for folder in (
            *reversed(entries(pyenv, f"versions/{version}.*")),
            *reversed(entries(pyenv, f"pyenv-win/versions/{version}.*")),
            *reversed(entries(_uv_pythons(user), f"cpython-{version}.*")),
            user / f"miniconda3/envs/py{version.replace('.', '')}",
            Path(os.environ.get("LOCALAPPDATA", user))
            / f"Programs/Python/Python{version.replace('.', '')}",
        ):
            yield folder / program
        for prefix in ("/usr", "/usr/local", f"/opt/python/{version}", "/opt/homebrew"):
            yield Path(prefix, "bin", f"python{version}")
        yield Path(f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python3")
    yield Path(sys.executable)


def _uv_pythons(user: Path) -> Path:
    if explicit := os.environ.get("UV_PYTHON_INSTALL_DIR"):
        return Path(explicit)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", user)) / "uv/python"
    return Path(os.environ.get("XDG_DATA_HOME", user / ".local/share")) / "uv/python"
