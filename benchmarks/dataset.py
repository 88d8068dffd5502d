"""A folder of pictures to tensors, against a bare cv2 loop that does the same work.

Run `python benchmarks/dataset.py [COUNT]`; without a count it takes 10,000 pictures of 1 megapixel,
which need some 20 GB of disk in the folder for temporary files. The loop reads, resizes, reorders
and writes each picture as we do, and takes its digest, in as many processes as there are workers.
It prints the throughput as a ratio, that of processor time, the most memory that all processes of a
run held together, what a run that was killed half-way repeats, and how a Dask cluster of two
workers compares.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.standin import CASE, FIXTURE

COUNT = 10_000
PROCESSES = max(2, os.cpu_count() or 1)
DATASET = """\
[dataset.photos]
folder = {folder!r}
bad = "fail"
shards = {shards}
[dataset.photos.tensor]
resize = "opencv-linear"
colour = "BGR"
range = "0-255"
type = "f32"
layout = "NCHW"
"""
BARE = """\
import hashlib, sys, cv2, numpy
cv2.setNumThreads(1)
with open(sys.argv[1], "wb") as tensors, open(sys.argv[1] + ".sha256", "w") as index:
    for name in sys.stdin.read().splitlines():
        pixels = cv2.imread(name)
        pixels = cv2.resize(pixels, (227, 227), interpolation=cv2.INTER_LINEAR)
        data = numpy.ascontiguousarray(pixels.astype(numpy.float32).transpose(2, 0, 1)).tobytes()
        index.write(hashlib.sha256(data).hexdigest() + "\\n")
        tensors.write(data)
"""


@dataclass
class Peak:
    """The most that a process and its children held together, in bytes: proportional sets."""

    bytes: int = 0


def write_pictures(folder: Path, count: int) -> None:
    """Write JPEGs of 1152 by 864 pixels, all of different bytes: 40 scenes, each with a tail."""
    import cv2
    import numpy

    scenes = []
    random = numpy.random.default_rng(1)
    for _ in range(40):
        rough = random.integers(0, 255, (18, 24, 3)).astype(numpy.uint8)
        scene = cv2.resize(rough, (1152, 864), interpolation=cv2.INTER_CUBIC).astype(numpy.int16)
        scene += random.integers(-12, 12, scene.shape, dtype=numpy.int16)
        _, data = cv2.imencode(".jpg", scene.clip(0, 255).astype(numpy.uint8))
        scenes.append(data.tobytes())
    folder.mkdir()
    for number in range(count):
        tail = f"{number}".encode()
        (folder / f"{number:05}.jpg").write_bytes(scenes[number % len(scenes)] + tail)


def make_project(root: Path, folder: Path, count: int) -> Path:
    """Write a project with one dataset of 100 pictures a shard."""
    (root / "configs/fixtures").mkdir(parents=True)
    shutil.copy(ROOT / "dodo.py", root)
    dataset = DATASET.format(folder=str(folder), shards=max(1, count // 100))
    text = (FIXTURE + CASE.format(number=0) + dataset).replace("8, 8]", "227, 227]")
    (root / "configs/fixtures/f.toml").write_text(text)
    return root


@contextmanager
def watched(process: subprocess.Popen[bytes]) -> Iterator[Peak]:
    """Look at the memory of a process and its children until the block ends."""
    import psutil

    peak, done = Peak(), threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            total = 0
            try:
                top = psutil.Process(process.pid)
                for each in (top, *top.children(recursive=True)):
                    total += each.memory_full_info().pss
            except psutil.Error:
                continue
            peak.bytes = max(peak.bytes, total)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start doit in a project."""
    command = [sys.executable, "-m", "doit", "run", *arguments, "dataset:f.photos"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, env=environment)


def ended(process: subprocess.Popen[bytes], started: float) -> float:
    """Wait for a process that must end well; return the seconds since ``started``."""
    if process.wait():
        raise SystemExit(f"a run ended with {process.returncode}")
    return time.perf_counter() - started


def bare(folder: Path, out: Path, processes: int) -> float:
    """Run the loop; return its seconds."""
    out.mkdir()
    names = sorted(map(str, folder.iterdir()))
    started = time.perf_counter()
    running = []
    for number in range(processes):
        command = [sys.executable, "-c", BARE, str(out / str(number))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write("\n".join(names[number::processes]).encode())
        process.stdin.close()
        running.append(process)
    seconds = max(ended(process, started) for process in running)
    shutil.rmtree(out)
    return seconds


def processor_seconds() -> float:
    """Return what all processes that have ended spent, which other work beside changes less."""
    times = os.times()
    return times.children_user + times.children_system


def finished(root: Path) -> set[str]:
    """Return the shards whose tensors are in place."""
    return {path.name for path in (root / "artifacts/f").rglob("*.tensors")}


def killed(root: Path, count: int) -> None:
    """Kill a run half-way, and tell how many of its pictures the next one makes again."""
    process = start(root)
    shards = max(1, count // 100)
    while len(done := finished(root)) < shards // 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = finished(root)
    times = {
        name: (root / "artifacts/f/datasets/photos" / name).stat().st_mtime_ns for name in done
    }
    ended(start(root), time.perf_counter())
    again = [
        name
        for name, before in times.items()
        if (root / "artifacts/f/datasets/photos" / name).stat().st_mtime_ns != before
    ]
    print(f"killed with {len(done)} of {shards} shards in place: {len(again)} of these made again")


def main() -> None:
    """Print the ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name, "pictures")
        write_pictures(folder, count)
        bare(folder, Path(name, "warm"), PROCESSES)
        spent = processor_seconds()
        loop = bare(folder, Path(name, "bare"), PROCESSES)
        loop_spent = processor_seconds() - spent
        root = make_project(Path(name, "pool"), folder, count)
        began = time.perf_counter()
        spent = processor_seconds()
        process = start(root)
        with watched(process) as peak:
            pool = ended(process, began)
        pool_spent = processor_seconds() - spent
        print(
            f"{count} pictures: {count / pool:.0f}/s, a bare loop in {PROCESSES} processes "
            f"{count / loop:.0f}/s, ratio {loop / pool:.2f}, of processor time "
            f"{loop_spent / pool_spent:.2f}; memory {peak.bytes / 1e6:.0f} MB",
            flush=True,
        )
        shutil.rmtree(root)
        killed(make_project(Path(name, "killed"), folder, count), count)
        shutil.rmtree(Path(name, "killed"))
        print(f"Dask cluster of 2 workers: {_on_cluster(Path(name), folder, count, pool)}")


def _on_cluster(place: Path, folder: Path, count: int, pool: float) -> str:
    from tests.execution.dask.clusters import local_cluster

    with local_cluster(place / "dask") as cluster:
        root = make_project(place / "cluster", folder, count)
        began = time.perf_counter()
        seconds = ended(start(root, "--cluster", cluster.scheduler_address), began)
    return f"{count / seconds:.0f}/s, ratio {pool / seconds:.2f} to the local pool"


if __name__ == "__main__":
    main()
