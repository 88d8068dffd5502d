"""A whole run on a Dask cluster is the run that it is without one, also when a worker is killed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.execution.dask.clusters import local_cluster, pids
from tests.tiny import Project

pytest.importorskip("distributed")

# Long enough to be seen at work, and stopped, before it is killed.
BUSY = """
#undef main
int main(int argc, char **argv) {
    for (volatile unsigned i = 0; i < 1000000000u; i++);
    return honest(argc, argv);
}
"""


def published(project: Project) -> dict[str, bytes]:
    """Return the files of the fixture but those that tell of the machine and of time."""
    return {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in project.folder.rglob("*")
        if path.is_file()
        and path.name not in ("report.json", "manifest.json")
        # It has the digests of the reports.
        and path.parent.name != "evidence"
    }


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_ends_as_an_undisturbed_one(
    project: Project, tmp_path: Path
) -> None:
    guest = project.root / "guests/classify/classify.c"
    guest.write_text("#define main honest\n" + guest.read_text() + BUSY)
    project.edit("seconds = 20", "seconds = 200")
    shutil.rmtree(project.root / "artifacts")
    undisturbed = Project(tmp_path / "undisturbed")
    shutil.copytree(project.root, undisturbed.root)

    with local_cluster(tmp_path / "dask") as cluster:
        process = subprocess.Popen(
            [sys.executable, "-m", "doit", "--cluster", cluster.scheduler_address],
            cwd=project.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        killed = busy_worker(cluster, process, project.root / "artifacts")
        assert killed in pids(cluster)
        psutil.Process(killed).kill()
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        steps = re.findall(r"^\[.*\] (\S+) built", output, re.M)
        assert len(steps) == len(set(steps)) == 11
        assert "nothing to do" in project.doit("--cluster", cluster.scheduler_address).output
    run = undisturbed.doit()
    assert run.returncode == 0, run.output
    assert published(project) == published(undisturbed)
    assert "nothing to do" in project.doit().output


def any_of(folder: Path, pattern: str) -> bool:
    """Return whether there is such a file; a folder that goes while one looks has none."""
    with suppress(FileNotFoundError):
        return any(folder.glob(pattern))
    return False


def is_busy(folder: Path, artifacts: Path) -> bool:
    """Tell whether a guest runs in the worker that keeps its steps in ``folder``."""
    # The workers see our files, so what the guest writes lies there.
    writes = any_of(artifacts, ".cache/tmp/*/*/scratch/*/*/0/red")
    return writes and any_of(folder, "step-*/scratch/*")


def busy_worker(cluster: object, process: subprocess.Popen[str], artifacts: Path) -> int:
    """Return the process id of a worker that was stopped while a guest runs in it."""
    for _ in range(1200):
        for nanny in cluster.workers.values():  # type: ignore[attr-defined] # Dask has few types
            folder = Path(str(nanny.worker_dir)) / "wasi-nn"
            if is_busy(folder, artifacts):
                worker = psutil.Process(int(nanny.pid))
                worker.suspend()
                if is_busy(folder, artifacts):
                    return worker.pid
                worker.resume()
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"the guest did not start: {process.communicate()[0]}")


def test_a_cluster_that_is_not_there_ends_the_run_with_1(project: Project) -> None:
    run = project.doit("run", "--cluster", "tcp://127.0.0.1:1")
    assert run.returncode == 1
    assert run.output.startswith("error[cluster]: The cluster's scheduler cannot be reached.")
    assert "Traceback" not in run.output
