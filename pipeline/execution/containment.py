"""Run a program that works on a stranger's files: few files, no network, limits.

Landlock and namespaces do most of it, on a Linux that has them. What every system does: few
variables, a home of its own, and a time limit.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.child_python.commands import program_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.contained_program import DISK_EXCEEDED
from pipeline.execution.process import Finished, run_process

_PROGRAM = Path(__file__).with_name("contained_program.py")
# What programs and their libraries are loaded from, and what they ask about the machine.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/openssl.cnf"),
    *("/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup"),
    *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"),
)
_DEVICES = ("/dev/null",)
_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")


@dataclass(frozen=True, kw_only=True)
class Containment:
    """What a program may use: paths, and bytes of memory, of a file and of all files.

    ``folder`` is its own: its temporary files and its home are there, and count for ``disk``.
    """

    folder: Path
    readable: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    memory: int = 8 << 30
    file: int = 1 << 30
    disk: int = 2 << 30


def run_contained(
    command: Sequence[str],
    allowed: Containment,
    *,
    seconds: float,
    cwd: Path,
    env: Mapping[str, str],
) -> Finished:
    """Run a command with these variables and a few of ours; see :func:`run_process`.

    Raises PipelineError also with STORAGE, if it exceeded its disk limit.
    """
    program = _program(command[0])
    home, temporary = allowed.folder / "home", allowed.folder / "tmp"
    for folder in (home, temporary):
        folder.mkdir(exist_ok=True)
    words = [str(program), *command[1:]]
    if sys.platform.startswith("linux"):
        limits = {
            "readable": [*_SYSTEM, *map(str, (program, program.resolve(), *allowed.readable))],
            "writable": [str(allowed.folder), *map(str, allowed.writable), *_DEVICES],
            "watched": [str(allowed.folder)],
            **{name: getattr(allowed, name) for name in ("memory", "file", "disk")},
        }
        words = program_command(_PROGRAM, json.dumps(limits), *words)
    finished = run_process(
        words, seconds=seconds, cwd=cwd, env={**_variables(program, home, temporary), **env}
    )
    if finished.returncode == DISK_EXCEEDED:
        raise PipelineError(
            Code.STORAGE,
            f"{program.name} exceeded its disk limit.",
            expected=f"at most {allowed.disk >> 20} MiB of files",
            detail=finished.last_lines(4),
        )
    return finished


def _program(name: str) -> Path:
    """Return the path of a program, which is never one of the working folder."""
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if Path(folder).is_absolute()
    ]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise PipelineError(
            Code.TOOLCHAIN, f"{name} could not be started.", found=f"no program {name}"
        )
    return Path(found)


def _variables(program: Path, home: Path, temporary: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join([str(program.parent), *_FOLDERS]),
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home),
        "TMPDIR": str(temporary),
        "TEMP": str(temporary),
        "TMP": str(temporary),
    }
