"""Threads that make their first calls of a framework at the same time do not wait for ever."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.conftest import Ir
from tests.tiny import ROOT

HOSTS = 50


def fresh_hosts(folder: Path, models: dict[str, Ir], count: int) -> int:
    """Return how many of the hosts of a new process answered all threads rightly."""
    if not (folder / "add").exists():
        shutil.copytree(models["add"].folder, folder / "add")
    # Threads that wait for each other could not be ended in this process.
    done = subprocess.run(
        [sys.executable, "-m", "tests.host.eight_threads", str(folder), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_eight_threads_on_a_fresh_host(tmp_path: Path, models: dict[str, Ir]) -> None:
    for _ in range(3):
        assert fresh_hosts(tmp_path, models, 5) == 5


@pytest.mark.slow
@pytest.mark.parametrize("part", range(1000 // HOSTS))
def test_eight_threads_on_a_thousand_fresh_hosts(
    tmp_path: Path, models: dict[str, Ir], part: int
) -> None:
    assert fresh_hosts(tmp_path, models, HOSTS) == HOSTS, f"process {part}"
