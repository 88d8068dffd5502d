"""A worker that is killed in the middle of a run fails its own step, and nothing waits for it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil
import pytest

from tests.doit_plugin.test_interrupts import LOOP, alive, descendants, start
from tests.tiny import Project


def test_a_killed_worker_fails_its_step_alone(project: Project) -> None:
    (project.root / "guests/classify/classify.c").write_text(LOOP)
    # A guest that only a kill can end, beside one that meets its limit, whenever that is.
    config = project.config.read_text()
    red, blue = "[expect.red]\ntop1 = 0\n", "[expect.blue]\ntop1 = 2\n"
    hasty = without(config, "blue").replace(blue, "").replace("seconds = 20", "seconds = 5")
    patient = without(config, "red").replace(red, "").replace("seconds = 20", "seconds = 600")
    project.config.write_text(hasty)
    project.config.with_name("patient.toml").write_text(patient)
    process = start(project, "-n", "4")
    killed = worker_of("patient", process.pid)
    family = descendants(process)
    killed.kill()
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    errors = sorted(line for line in output.splitlines() if line.startswith("error["))
    assert [error.partition(":")[0] for error in errors] == ["error[time-limit]", "error[worker]"]
    assert errors[1].endswith("was killed by SIGKILL.")
    assert "not run manifest:tiny" in output
    assert "not run manifest:patient" in output
    assert alive(family) == []


def without(config: str, case: str) -> str:
    """Return a config without the tensor of a case."""
    before, _, rest = config.partition(f"[tensor.{case}.x]")
    return before + rest[rest.index("\n[") + 1 :]


def worker_of(fixture: str, run: int) -> psutil.Process:
    """Return the worker in which a fixture's guest runs: it has the model before it."""
    for _ in range(1200):
        for worker in psutil.Process(run).children():
            with contextlib.suppress(OSError):
                for descriptor in Path(f"/proc/{worker.pid}/fd").iterdir():
                    folder = descriptor.readlink()
                    if folder.name == "fixture" and (folder / f"{fixture}.xml").exists():
                        return worker
        time.sleep(0.1)
    pytest.fail(f"no worker has {fixture}")
