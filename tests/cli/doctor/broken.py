"""Ways to break an environment of a process and its children: what stands earlier on the path."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from tests.tiny import ROOT

WASI_NN = (sys.executable, "-m", "pipeline.cli.main")
DOIT = (sys.executable, "-m", "doit")


def module(folder: Path, name: str, text: str) -> None:
    """Put a module before the installed one of that name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)


def package(folder: Path, name: str, version: str, *needs: str, points: str = "") -> None:
    """Say that a package is installed in this version, whatever is."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    (about / "METADATA").write_text("\n".join(lines) + "\n")
    (about / "entry_points.txt").write_text(points)


def python_after(folder: Path) -> str:
    """Return a Python that has ``folder``, this checkout, and then everything installed here.

    It has them from its environment, so that its isolated children have them too.
    """
    environment = folder.with_name("environment")
    if not environment.exists():
        venv.EnvBuilder(symlinks=True).create(environment)
        [installed] = environment.glob("lib/python*/site-packages")
        here = [path for path in sys.path if path.endswith("-packages")]
        further = [f"import site; site.addsitedir({path!r})" for path in here]
        (installed / "further.pth").write_text("\n".join([str(folder), str(ROOT), *further]) + "\n")
    return str(environment / "bin" / "python")


def run(
    command: tuple[str, ...],
    *arguments: str,
    cwd: Path,
    before: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python, with the folder ``before`` in front of everything installed."""
    python, *words = command
    if before is not None:
        python = python_after(before)
    return subprocess.run(
        [python, *words, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": "" if before else str(ROOT), **(env or {})},
    )
