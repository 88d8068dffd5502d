"""Schedulers and workers of Dask for tests, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


@contextmanager
def local_cluster(folder: Path, workers: int = 2) -> Iterator[Any]:
    """Yield a cluster whose workers are processes that share no folder with the tests."""
    import dask
    from distributed import LocalCluster

    start: Any = LocalCluster
    with (
        dask.config.set({"distributed.admin.log-format": "%(message)s"}),
        start(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(folder),
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster


def pids(cluster: Any) -> set[int]:
    """Return the worker processes that there are."""
    return {nanny.pid for nanny in cluster.workers.values()}


def pretend(folder: Path, package: str, version: str) -> Path:
    """Make ``package`` seem to be installed in another version where this is on PYTHONPATH."""
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    (info / "METADATA").write_text(text)
    return folder


@contextmanager
def dask(command: str, *arguments: str, until: str, first: Path | None = None) -> Iterator[str]:
    """Run a scheduler or a worker, and yield what it prints up to a line with ``until``."""
    places = [str(place) for place in (first, ROOT) if place]
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", *arguments],
        # Python takes modules from the working folder before all others.
        cwd=first,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if until in line:
                break
        yield printed
    finally:
        process.terminate()
        process.communicate(timeout=30)
