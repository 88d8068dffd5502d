"""Ways to break an environment for one process: what stands earlier on its path."""

from __future__ import annotations

import os
import subprocess
import sys
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


def run(
    command: tuple[str, ...],
    *arguments: str,
    cwd: Path,
    before: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, with the folder ``before`` in front of everything installed."""
    path = os.pathsep.join(str(each) for each in (before, ROOT) if each is not None)
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": path, **(env or {})},
    )
