"""A run that is ended leaves nobody running and nothing half-written, and the next goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from tests.processes import ended
from tests.tiny import ROOT, Project

LOOP = "int main(void) { for (volatile unsigned i = 0;; i++); }"


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def start(project: Project, *options: str) -> subprocess.Popen[str]:
    """Start a run and wait until a guest that loops for ever runs in a worker."""
    process = subprocess.Popen(
        [sys.executable, "-m", "doit", *options],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Started from a background shell it would ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    temporary = project.root / "artifacts/.cache/tmp"
    for _ in range(600):
        # A folder may go while one looks.
        with suppress(FileNotFoundError):
            if any(temporary.glob("*/*/out/evidence/*")):
                time.sleep(1.5)
                return process
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the guest did not start: {process.communicate()[0]}")


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if not ended(process.pid)]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["ctrl-c", "sigterm", "kill -9"],
)
def test_an_ended_run(project: Project, number: signal.Signals, code: int) -> None:
    guest = project.root / "guests/classify/classify.c"
    honest = guest.read_text()
    guest.write_text(LOOP)
    project.edit("seconds = 20", "seconds = 600")
    process = start(project)
    family = descendants(process)
    assert family
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert alive(family) == []
    assert not (project.folder / "manifest.json").exists()
    if number is not signal.SIGKILL:
        assert "interrupted" in output
        assert list((project.root / "artifacts/.cache/tmp").iterdir()) == []

    guest.write_text(honest)
    project.edit("seconds = 600", "seconds = 20")
    run = project.doit()
    assert run.returncode == 0, run.output
    assert "nothing to do" in project.doit().output
    assert list((project.root / "artifacts/.cache/tmp").iterdir()) == []
    assert list(project.root.rglob("*.part")) == []
