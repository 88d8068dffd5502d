"""What it costs to hand a step to a worker, against a process for each that imports openvino.

Run `python benchmarks/dispatch.py`. The job is a small inference; the same one runs in this
process, in a worker that stands ready, and in a process of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.execution.action import Job
from pipeline.execution.pool.worker_pool import WorkerPool

RUNS = 300
PROCESSES = 7


@cache
def compiled() -> Any:
    """Return a small network, compiled once in each process."""
    import numpy
    import openvino
    from openvino import opset8

    given = opset8.parameter([1, 256], numpy.float32)
    weights = numpy.ones((256, 256), numpy.float32)
    model = openvino.Model([opset8.matmul(given, weights, False, False)], [given], "small")
    return openvino.Core().compile_model(model, "CPU")


def infer(job: Job) -> None:  # noqa: ARG001 - what a recipe is given
    """Recipe: one inference."""
    import numpy

    compiled()(numpy.ones((1, 256), numpy.float32))


def milliseconds(work: Callable[[], object], count: int) -> float:
    """Return the median time of one call."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main() -> None:
    """Print the three times."""
    with tempfile.TemporaryDirectory() as name, WorkerPool(1) as workers:
        job = Job(inputs={}, outputs={}, parameters={}, scratch=Path(name))
        workers.run(infer, job, seconds=60, memory=2**32)
        infer(job)
        here = milliseconds(lambda: infer(job), RUNS)
        worker = milliseconds(lambda: workers.run(infer, job, seconds=60, memory=2**32), RUNS)
        code = "from benchmarks.dispatch import infer; infer(None)"
        process = milliseconds(
            lambda: subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True), PROCESSES
        )
    print(
        f"inference {here:.2f} ms here, {worker:.2f} ms in a worker "
        f"({worker - here:.2f} ms over), {process:.0f} ms in a process of its own; "
        f"ratio {process / worker:.0f}"
    )


if __name__ == "__main__":
    main()
