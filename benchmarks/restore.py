"""Restoring 1 GB of targets from the store, against `cp --reflink=auto` and `sha256sum` of them.

Run `python benchmarks/restore.py [FOLDER]`; FOLDER is on the file system to be measured. Both are
run in turn; the ratio of the medians is what counts. Ours also syncs what it writes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.cache.cache import Cache
from pipeline.execution.action import Action, Job
from pipeline.execution.builder import Builder, BuildOutcome
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.execution.progress import no_progress

RUNS = 5
FILES = 4
SIZE = 2**30 // FILES


def fill(job: Job) -> None:
    """Recipe: write random bytes."""
    job.outputs["file"].write_bytes(os.urandom(SIZE))


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        folder = Path(name)
        builder = Builder(Cache(folder / "store"), WorkerPool(1))
        targets = [folder / "targets" / f"{number}.bin" for number in range(FILES)]
        actions = [
            Action(
                kind="fill",
                label=str(number),
                title="random bytes",
                recipe=fill,
                outputs={"file": target},
                parameters={"number": number},
            )
            for number, target in enumerate(targets)
        ]

        def restore() -> None:
            with ThreadPoolExecutor(4) as threads:
                built = list(threads.map(lambda a: builder.build(a, no_progress), actions))
            assert {each.outcome for each in built} == {BuildOutcome.RESTORED}

        def copy() -> None:
            subprocess.run(["cp", "--reflink=auto", *kept, folder / "copies"], check=True)
            subprocess.run(
                ["sha256sum", *sorted((folder / "copies").iterdir())],
                check=True,
                stdout=subprocess.DEVNULL,
            )

        for action in actions:
            builder.build(action, no_progress)
        kept = sorted(path for path in (folder / "store/cas").rglob("*") if path.is_file())
        ours, theirs = [], []
        for _ in range(RUNS):
            shutil.rmtree(folder / "targets")
            ours.append(seconds(restore))
            shutil.rmtree(folder / "copies", ignore_errors=True)
            (folder / "copies").mkdir()
            theirs.append(seconds(copy))
        mine, other = statistics.median(ours), statistics.median(theirs)
        print(
            f"restore of 1 GiB: {mine:.2f} s; cp and sha256sum {other:.2f} s; "
            f"ratio {mine / other:.2f}"
        )
        builder.close()


if __name__ == "__main__":
    main()
