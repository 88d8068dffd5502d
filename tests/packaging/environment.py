"""An environment that the wheel is installed in, and its programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from tests.tiny import ROOT, Run


@dataclass(frozen=True)
class Installed:
    """A virtual environment, without this checkout on any path."""

    folder: Path

    def run(self, *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
        """Run a program of the environment, as after its activation."""
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [shutil.which(str(command[0]), path=path) or str(command[0]), *map(str, command[1:])],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            env={**kept, "PATH": path, "NO_COLOR": "1", **(env or {})},
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def packages(self) -> set[str]:
        """Return the names of the installed packages."""
        site = next(self.folder.glob("lib/python*/site-packages"))
        found = (path.name for path in site.glob("*.dist-info"))
        return {name.partition("-")[0].lower().replace("_", "-") for name in found}


def install(folder: Path, wheel: Path, extra: str, *more: str) -> None:
    """Make an environment with the wheel, and the versions that this checkout is built with."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--no-config", "-p", sys.executable, folder], check=True)
    named = f"wasi-nn-pipeline[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
    options = ["-q", "--no-config", "-p", str(folder), "-c", str(ROOT / "constraints.txt")]
    subprocess.run([uv, "pip", "install", *options, named, *more], check=True)
