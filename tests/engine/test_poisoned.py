"""A worker that is killed in the middle of a run fails its own step, and nothing waits for it."""

from __future__ import annotations

import contextlib

import psutil

from tests.engine.test_interrupts import LOOP, alive, descendants, start
from tests.tiny import Project


def test_a_killed_worker_fails_its_step_alone(project: Project) -> None:
    (project.root / "guests/classify/classify.c").write_text(LOOP)
    project.edit("seconds = 20", "seconds = 5")
    process = start(project, "-n", "4")
    family = descendants(process)
    workers = [each for each in family if is_worker(each)]
    # Both cases run, each in a worker of its own.
    assert len(workers) >= 2
    max(workers, key=lambda worker: worker.cpu_times().user).kill()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    errors = sorted(line for line in output.splitlines() if line.startswith("error["))
    assert [error.partition(":")[0] for error in errors] == ["error[time-limit]", "error[worker]"]
    assert errors[1].endswith("was ended by SIGKILL.")
    assert "not run manifest:tiny" in output
    assert alive(family) == []


def is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False
