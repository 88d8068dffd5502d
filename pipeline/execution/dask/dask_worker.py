"""The worker's side of a Dask cluster: run steps in supervised processes.

Locked environments are shared per machine in ``WASI_NN_TOOLCHAINS`` or
``~/.cache/wasi-nn-pipeline/toolchains``.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.cache.file_version import version_of
from pipeline.errors import PipelineError
from pipeline.execution.action import Job, Portable, Recipe
from pipeline.execution.dask.task_spec import (
    PROBE,
    FileRef,
    OutputFile,
    TaskResult,
    TaskSpec,
    check_versions,
    versions,
)
from pipeline.execution.machine import home

Pieces = Sequence[Mapping[str, bytes]]

# The loaded code may be older than the files on disk.
_LOADED = versions(())


def perform(task: TaskSpec, pieces: Pieces | None) -> TaskResult:
    """Run a step as a Dask task, with the ``pieces`` of its files unless they are to be seen here.

    The step's errors are part of the result; a failure of this worker is raised, and Dask retries.
    """
    from distributed import get_worker

    from pipeline.execution.dask.step_plugin import step_plugin

    worker = get_worker()
    result = TaskResult(address=str(worker.address), shares=False)
    found = versions(task.versions)
    try:
        check_versions(task.versions, found, result.address)
        check_versions(task.versions, found | _LOADED, result.address)
    except PipelineError as error:
        return replace(result, error=error)
    shared = _shared_folder(task)
    result = replace(result, shares=shared is not None)
    if shared is not None and not all(map(_is_there, task.files())):
        shared = None
    if shared is None and pieces is None:
        return replace(result, missing=True)
    plugin, key = step_plugin(worker), worker.get_current_task()
    folder = plugin.step_folder(key)
    try:
        job = _job(task, folder, shared or folder / "out", None if shared else pieces)
        with plugin.pool(key) as pool:
            try:
                recipe = _recipe(task.recipe)
                pool.run(recipe, job, seconds=task.seconds, memory=task.memory)
            except Exception as error:
                return replace(result, error=error)
        if shared is not None:
            return replace(result, written=shared.name)
        return replace(result, outputs={label: _files(path) for label, path in job.outputs.items()})
    finally:
        for name in ("in", "scratch"):
            shutil.rmtree(folder / name, ignore_errors=True)


async def versions_here(tools: Iterable[str]) -> dict[str, str]:
    """Return this worker's versions."""
    return await asyncio.to_thread(lambda: versions(tools) | _LOADED)


async def read(place: str, offset: int, count: int) -> bytes:
    """Return a piece of an output; raises OSError."""
    return await asyncio.to_thread(_read, place, offset, count)


def _read(place: str, offset: int, count: int) -> bytes:
    with Path(place).open("rb") as stream:
        stream.seek(offset)
        return stream.read(count)


def _shared_folder(task: TaskSpec) -> Path | None:
    """Return a new folder in the client's shared folder, if this worker sees that.

    The path is not enough: another machine may have another folder there.
    """
    folder = Path(task.shared_folder)
    try:
        if (folder / PROBE).read_text() != task.probe:
            return None
        # Of this attempt alone: one on a worker that seems lost may still be writing.
        attempt = folder / uuid.uuid4().hex
        attempt.mkdir()
    except (OSError, ValueError):
        return None
    return attempt


def _is_there(file: FileRef) -> bool:
    place = Path(file.place)
    try:
        # Same version: this is the file that the client hashed.
        return version_of(place.stat()) == file.version or Digest.of_file(place) == file.digest
    except OSError:
        return False


def _job(task: TaskSpec, folder: Path, out: Path, pieces: Pieces | None) -> Job:
    def placed(files: Mapping[str, FileRef], name: str) -> dict[str, Path]:
        if pieces is None:
            return {label: Path(file.place) for label, file in files.items()}
        paths = {
            label: folder / "in" / name / str(file.folder) / file.name
            for label, file in files.items()
        }
        for label, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _join(pieces, files[label].digest, path)
        return paths

    unkeyed = dict(task.unkeyed)
    for label, files in task.portable_files.items():
        value = unkeyed[label]
        assert isinstance(value, Portable)
        unkeyed[label] = value.relocated(placed(files, f"unkeyed/{label}"), _toolchains())
    outputs = task.targets(out)
    for label, output in outputs.items():
        (output if label.endswith("/") else output.parent).mkdir(parents=True)
    (folder / "scratch").mkdir()
    return Job(
        inputs=placed(task.inputs, "inputs"),
        outputs=outputs,
        parameters=task.parameters,
        unkeyed=unkeyed,
        scratch=folder / "scratch",
    )


def _join(pieces: Pieces, digest: Digest, target: Path) -> None:
    """Write a file from its pieces; raises ValueError if they do not match its digest."""
    found = hashlib.sha256()
    with target.open("wb") as stream:
        for piece in pieces:
            if digest.sha256 in piece:
                stream.write(piece[digest.sha256])
                found.update(piece[digest.sha256])
    if found.hexdigest() != digest.sha256:
        raise ValueError(f"the bytes of {target.name} do not match its digest")


def _files(output: Path) -> dict[str, OutputFile]:
    members = sorted(output.rglob("*")) if output.is_dir() else [output]
    return {
        path.relative_to(output).as_posix() if path != output else "": OutputFile(
            str(path), Digest.of_file(path)
        )
        for path in members
        if path.is_file() and not path.is_symlink()
    }


def _toolchains() -> Path:
    named = os.environ.get("WASI_NN_TOOLCHAINS")
    return Path(named) if named else home() / ".cache" / "wasi-nn-pipeline" / "toolchains"


def _recipe(name: str) -> Recipe:
    module, _, path = name.partition(":")
    recipe: Recipe = getattr(importlib.import_module(module), path)
    return recipe
