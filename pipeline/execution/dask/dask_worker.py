"""The worker's side of a Dask cluster: run steps in supervised processes, store their files.

A worker stores files by digest in its Dask folder, which is removed when it ends. Locked
environments are shared per machine in ``WASI_NN_TOOLCHAINS`` or
``~/.cache/wasi-nn-pipeline/toolchains``.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing.process
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.cache.file_version import version_of
from pipeline.cache.objects import Objects
from pipeline.execution.action import Job, Portable, Recipe
from pipeline.execution.dask.task_spec import (
    FileRef,
    TaskResult,
    TaskSpec,
    check_versions,
    versions,
)
from pipeline.execution.machine import home
from pipeline.execution.pool.worker_pool import WorkerPool

_LOOK_SECONDS = 0.25
_idle: LifoQueue[WorkerPool] = LifoQueue()
# The loaded code may be older than the files on disk.
_LOADED = versions(())


class _Damaged(Exception):
    """An object did not match its digest and was removed."""

    def __init__(self, digest: Digest) -> None:
        super().__init__()
        self.digest = digest


def perform(task: TaskSpec) -> TaskResult:
    """Run a step as a Dask task."""
    from distributed import get_worker

    worker = get_worker()
    address = str(worker.address)
    try:
        found = versions(task.versions)
        check_versions(task.versions, found, address)
        check_versions(task.versions, found | _LOADED, address)
        objects = _objects(worker)
        if task.shared_folder and not all(map(_is_there, task.files())):
            return TaskResult(address=address, missing=tuple(task.digests()))
        if not task.shared_folder and (missing := _missing(objects, task.digests())):
            return TaskResult(address=address, missing=tuple(missing))
        with TemporaryDirectory(dir=_folder(worker), prefix="step-") as name:
            job = _laid_out(task, objects, Path(name))
            with _ended_with_its_task(worker) as workers:
                workers.run(_recipe(task.recipe), job, seconds=task.seconds, memory=task.memory)
            outputs = {} if task.shared_folder else _kept(job.outputs, objects)
            return TaskResult(address=address, outputs=outputs)
    except _Damaged as damaged:
        return TaskResult(address=address, missing=(damaged.digest,))
    except Exception as error:
        # Returned as a value, since Dask logs exceptions of tasks.
        return TaskResult(address=address, error=error)


async def versions_here(tools: Iterable[str]) -> dict[str, str]:
    """Return this worker's versions."""
    return await asyncio.to_thread(lambda: versions(tools) | _LOADED)


async def can_read(probe: str, written: str) -> bool:
    """Return whether the client's probe file is visible; if so, write a copy beside it."""
    return await asyncio.to_thread(_can_read, Path(probe), written)


async def missing(digests: Iterable[Digest], dask_worker: Any) -> list[Digest]:
    """Return the digests that this worker does not have."""
    return await asyncio.to_thread(_missing, _objects(dask_worker), digests)


async def receive(
    name: str, digest: Digest, offset: int, piece: bytes, dask_worker: Any
) -> bool | None:
    """Receive a piece of an object; after the last one, return whether the digest matches."""
    return await asyncio.to_thread(_receive, dask_worker, name, digest, offset, piece)


async def receive_whole(
    files: Sequence[tuple[Digest, bytes]], dask_worker: Any
) -> list[tuple[Digest, bool]]:
    """Receive small objects in one message; return for each whether the digest matches."""
    return await asyncio.to_thread(_receive_whole, _objects(dask_worker), files)


async def read(digest: Digest, offset: int, count: int, dask_worker: Any) -> bytes:
    """Return a piece of an object; raises OSError."""
    return await asyncio.to_thread(_read, _objects(dask_worker).path(digest), offset, count)


def _can_read(probe: Path, written: str) -> bool:
    try:
        if probe.read_text() != written:
            return False
        beside(probe).write_text(written)
    except (OSError, ValueError):
        return False
    return True


def beside(probe: Path) -> Path:
    """Return the path of the copy that a worker writes beside ``probe``."""
    return probe.with_name(f"{probe.name}.seen")


def _is_there(file: FileRef) -> bool:
    place = Path(file.place)
    try:
        # Same version: this is the file that the client hashed.
        return version_of(place.stat()) == file.version or Digest.of_file(place) == file.digest
    except OSError:
        return False


def _folder(worker: Any) -> Path:
    folder = Path(worker.local_directory) / "wasi-nn"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _objects(worker: Any) -> Objects:
    return Objects(_folder(worker) / "cas", _atomic_write)


@contextmanager
def _atomic_write(target: Path) -> Iterator[Path]:
    """Write ``target`` atomically, without fsync, since the folder is removed with the worker."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _keep(objects: Objects, digest: Digest, file: Path) -> None:
    """Move a file to the objects; copy it if it has other hard links."""
    if file.stat().st_nlink > 1:
        objects.put(file, digest)
        return
    with objects.receive(digest) as part:
        file.replace(part)


def _fetched(objects: Objects, digest: Digest, target: Path) -> bool:
    """Link ``target`` to the object; False if it is missing or corrupt, then it is removed.

    A step that writes to its input damages the object, which is detected at the next fetch.
    """
    place = objects.path(digest)
    try:
        target.hardlink_to(place)
    except FileNotFoundError:
        return False
    except OSError:
        return objects.fetch(digest, target)
    if Digest.of_file(target) == digest:
        return True
    place.unlink(missing_ok=True)
    return False


def _missing(objects: Objects, digests: Iterable[Digest]) -> list[Digest]:
    return [digest for digest in digests if not objects.path(digest).exists()]


def _receive(worker: Any, name: str, digest: Digest, offset: int, piece: bytes) -> bool | None:
    part = _folder(worker) / f"{name}.part"
    with part.open("r+b" if offset else "wb") as stream:
        stream.seek(offset)
        stream.write(piece)
    if offset + len(piece) < digest.size:
        return None
    try:
        if Digest.of_file(part) != digest:
            return False
        _keep(_objects(worker), digest, part)
        return True
    finally:
        part.unlink(missing_ok=True)


def _receive_whole(
    objects: Objects, files: Sequence[tuple[Digest, bytes]]
) -> list[tuple[Digest, bool]]:
    received = []
    for digest, data in files:
        good = Digest.of_bytes(data) == digest
        if good:
            with objects.receive(digest) as part:
                part.write_bytes(data)
        received.append((digest, good))
    return received


def _read(path: Path, offset: int, count: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(count)


def _laid_out(task: TaskSpec, objects: Objects, folder: Path) -> Job:
    def placed(files: Mapping[str, FileRef], name: str) -> dict[str, Path]:
        if task.shared_folder:
            return {label: Path(file.place) for label, file in files.items()}
        return _placed(files, objects, folder / name)

    inputs = placed(task.inputs, "in")
    unkeyed = dict(task.unkeyed)
    for label, files in task.portable_files.items():
        value = unkeyed[label]
        assert isinstance(value, Portable)
        unkeyed[label] = value.relocated(placed(files, f"means/{label}"), _toolchains())
    outputs = task.targets(Path(task.shared_folder) if task.shared_folder else folder / "out")
    for label, output in outputs.items():
        (output if label.endswith("/") else output.parent).mkdir(parents=True)
    (folder / "scratch").mkdir()
    return Job(
        inputs=inputs,
        outputs=outputs,
        parameters=task.parameters,
        unkeyed=unkeyed,
        scratch=folder / "scratch",
    )


def _placed(files: Mapping[str, FileRef], objects: Objects, folder: Path) -> dict[str, Path]:
    """Place each object under its name; each is verified."""
    placed = {}
    for label, file in files.items():
        placed[label] = folder / str(file.folder) / file.name
        placed[label].parent.mkdir(parents=True, exist_ok=True)
        if not _fetched(objects, file.digest, placed[label]):
            raise _Damaged(file.digest)
    return placed


def _kept(outputs: Mapping[str, Path], objects: Objects) -> dict[str, dict[str, Digest]]:
    kept: dict[str, dict[str, Digest]] = {}
    for label, path in outputs.items():
        kept[label] = {}
        files = sorted(path.rglob("*")) if label.endswith("/") else [path]
        for file in files:
            if file.is_file() and not file.is_symlink():
                digest = Digest.of_file(file)
                _keep(objects, digest, file)
                kept[label][file.relative_to(path).as_posix() if file != path else ""] = digest
    return kept


def _toolchains() -> Path:
    named = os.environ.get("WASI_NN_TOOLCHAINS")
    return Path(named) if named else home() / ".cache" / "wasi-nn-pipeline" / "toolchains"


def _recipe(name: str) -> Recipe:
    module, _, path = name.partition(":")
    recipe: Recipe = getattr(importlib.import_module(module), path)
    return recipe


@contextmanager
def _ended_with_its_task(worker: Any) -> Iterator[WorkerPool]:
    """Yield a supervised process, which is killed when the task is cancelled.

    Dask cannot interrupt a task: it only changes the task's state when the client cancels it or
    disconnects.
    """
    # Dask's nanny starts workers as daemons, which multiprocessing forbids to have children. Ours
    # end with their parent anyway.
    multiprocessing.process.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    try:
        workers = _idle.get_nowait()
    except Empty:
        # Set by Dask for its own process. It makes image decoding allocate memory anew for each
        # image, a quarter of the time.
        os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)
        workers = WorkerPool(1)
    task = worker.state.tasks.get(worker.get_current_task())
    done = threading.Event()

    def poll() -> None:
        while not done.wait(_LOOK_SECONDS):
            if task is None or task.state != "executing":
                workers.close()
                return

    watch = threading.Thread(target=poll, daemon=True)
    watch.start()
    try:
        yield workers
    finally:
        done.set()
        watch.join()
        if task is not None and task.state == "executing":
            _idle.put(workers)
        else:
            workers.close()
