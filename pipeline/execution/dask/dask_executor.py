"""Run steps on a Dask cluster: the client."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.cache.file_version import version_of
from pipeline.cache.objects import copy
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Portable, Recipe
from pipeline.execution.dask import dask_worker
from pipeline.execution.dask.connection import connected, line, unusable
from pipeline.execution.dask.placement import WorkerSlots
from pipeline.execution.dask.shared_files import SharedFiles, take_in_place
from pipeline.execution.dask.task_spec import (
    FileRef,
    TaskResult,
    TaskSpec,
    check_versions,
    versions,
)
from pipeline.execution.executor import Executor

_LOOK_SECONDS = 2.0
_NO_WORKER_SECONDS = 60.0
_MOST_LOST = 3
_MOST_ROUNDS = 20
_PIECE = 16 << 20
_SMALL = 1 << 20


class _Lost(Exception):
    """A worker or its files were lost."""


class DaskExecutor:
    """An executor on a Dask cluster; a step runs on the first free worker.

    A step is sent as the name of its recipe, its parameters and the digests of its inputs. Missing
    files are sent in pieces and verified on the worker before use; outputs are returned the same
    way. A worker that shares a file system with this machine reads and writes files in place. If a
    worker is lost, its step runs again on another one. A step whose ``unkeyed`` contain local paths
    runs in ``local``.
    """

    def __init__(
        self,
        address: str,
        *,
        digest: Callable[[Path], Digest],
        tools: Iterable[str],
        local: Executor,
    ) -> None:
        """Connect; raises PipelineError (CLUSTER), also for a worker with other versions."""
        self._digest = digest
        self._local = local
        self._closed = False
        self._guard = threading.Lock()
        self._sending: dict[str, threading.Lock] = {}
        self._running: set[Any] = set()
        self._slots = WorkerSlots(self._threads)
        self._client = connected(address)
        self._shared = SharedFiles(self._client)
        try:
            self._check_workers(tools)
        except BaseException:
            self._client.close()
            raise

    def max_concurrency(self) -> int:
        """Return the number of concurrent steps: one running and one being sent per thread."""
        return 2 * sum(self._threads().values())

    def _threads(self) -> dict[str, int]:
        try:
            return dict(self._client.nthreads())
        except Exception:
            return {}

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one step on a worker and wait for it.

        Raises the recipe's exception, and PipelineError (CLUSTER) without workers, or when every
        worker that ran the step was lost.
        """
        if not all(map(_is_portable, job.unkeyed.values())):
            self._local.run(recipe, job, seconds=seconds, memory=memory, tools=tools)
            return
        files, task = self._task_spec(recipe, job, seconds, memory, tools)
        lost: list[_Lost] = []
        chosen = self._slots.choose()
        if chosen is not None and not self._shared.with_worker(chosen, job.scratch):
            # On failure, the worker reports missing files or is lost.
            with suppress(_Lost):
                self._send(TaskResult(address=chosen, missing=tuple(task.digests())), files)
        with self._slots.taken(chosen) as slot:
            at = slot.worker
            if at is not None and self._shared.with_worker(at, job.scratch):
                task = replace(task, shared_folder=str(job.scratch / uuid.uuid4().hex))
            for _ in range(_MOST_ROUNDS):
                try:
                    result = self._attempt(task, at)
                    if result.error is not None:
                        raise _step_error(result)
                    if not result.missing:
                        slot.end()
                        self._receive_outputs(result, task, job)
                        return
                    # If it does not see all files, send all of them.
                    task = replace(task, shared_folder="")
                    self._send(result, files)
                    at = result.address
                except _Lost as loss:
                    lost.append(loss)
                    # The lost worker may still be writing: use another folder.
                    at, task = None, replace(task, shared_folder="")
                    if len(lost) == _MOST_LOST or self._closed:
                        break
        raise PipelineError(
            Code.CLUSTER,
            "Every worker that ran the step was lost.",
            found=str(lost[-1]) if lost else "workers lose the files sent to them",
            hint="The step may crash them: run it without --cluster.",
        )

    def close(self) -> None:
        """Cancel running steps and disconnect; the cluster keeps running."""
        self._slots.close()
        with self._guard:
            self._closed = True
            running = list(self._running)
        with suppress(Exception):
            self._client.cancel(running, force=True)
        with suppress(Exception):
            self._client.close(timeout=_LOOK_SECONDS)
        self._local.close()

    def _check_workers(self, tools: Iterable[str]) -> None:
        expected = versions(sorted(set(tools)))
        try:
            workers = self._client.run(dask_worker.versions_here, list(expected))
        except Exception as error:
            raise unusable(error) from None
        for address, found in workers.items():
            check_versions(expected, found, address)

    def _task_spec(
        self, recipe: Recipe, job: Job, seconds: float, memory: int, tools: Sequence[str]
    ) -> tuple[dict[Digest, Path], TaskSpec]:
        files: dict[Digest, Path] = {}

        def sent(paths: Mapping[str, Path]) -> dict[str, FileRef]:
            folders: dict[Path, int] = {}
            found = {}
            for label, path in paths.items():
                folder = folders.setdefault(path.parent, len(folders))
                # Before hashing: if the file changes meanwhile, the worker hashes it again.
                version = version_of(path.stat())
                digest = self._digest(path)
                found[label] = FileRef(folder, path.name, digest, str(path.absolute()), version)
                files[found[label].digest] = path
            return found

        portable = {
            label: value for label, value in job.unkeyed.items() if isinstance(value, Portable)
        }
        task = TaskSpec(
            recipe=f"{recipe.__module__}:{recipe.__qualname__}",
            parameters=dict(job.parameters),
            unkeyed=dict(job.unkeyed),
            inputs=sent(job.inputs),
            portable_files={label: sent(value.files()) for label, value in portable.items()},
            outputs={label: path.name for label, path in job.outputs.items()},
            seconds=seconds,
            memory=memory,
            versions=versions(tools),
        )
        return files, task

    def _attempt(self, task: TaskSpec, at: str | None) -> TaskResult:
        """Run the step on any worker, or on the one ``at`` this address."""
        from distributed import KilledWorker

        try:
            with self._guard:
                if self._closed:
                    raise _Lost("the run has ended")
                future = self._client.submit(
                    dask_worker.perform,
                    task,
                    key=f"{task.recipe.rpartition(':')[2]}-{uuid.uuid4().hex}",
                    pure=False,
                    workers=[at] if at else None,
                )
                self._running.add(future)
        except _Lost:
            raise
        except Exception as error:
            raise _Lost(line(error)) from None
        try:
            result: TaskResult = self._wait(future, at)
        except PipelineError:
            raise
        except KilledWorker as error:
            raise PipelineError(
                Code.CLUSTER,
                "Every worker that ran the step was lost.",
                found=line(error),
                hint="The step may crash them: run it without --cluster.",
            ) from None
        except (Exception, asyncio.CancelledError) as error:
            raise _Lost(line(error)) from None
        finally:
            with self._guard:
                self._running.discard(future)
            with suppress(Exception):
                future.cancel(force=True)
        return result

    def _wait(self, future: Any, at: str | None) -> Any:
        alone_since = None
        while True:
            with suppress(TimeoutError):
                return future.result(timeout=_LOOK_SECONDS)
            threads = self._threads()
            # Dask keeps a task for a lost worker waiting.
            if at is not None and threads and at not in threads:
                raise _Lost(f"{at} is gone")
            if threads:
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since > _NO_WORKER_SECONDS:
                raise PipelineError(
                    Code.CLUSTER,
                    "The cluster has no workers.",
                    found=f"none for {_NO_WORKER_SECONDS:g} s",
                    hint="Start some: dask worker tcp://SCHEDULER:PORT",
                )

    def _send(self, result: TaskResult, files: Mapping[Digest, Path]) -> None:
        with self._guard:
            alone = self._sending.setdefault(result.address, threading.Lock())
        # Another step may have sent the same files meanwhile.
        with alone:
            missing = self._call(dask_worker.missing, result, list(result.missing))
            small = [digest for digest in missing if digest.size <= _SMALL]
            for some in _batched(small, _PIECE):
                self._send_whole(result, {digest: files[digest] for digest in some})
            for digest in missing:
                if digest.size > _SMALL:
                    self._send_one(result, digest, files[digest])

    def _send_whole(self, result: TaskResult, files: Mapping[Digest, Path]) -> None:
        """Send small files in one message, to save round trips."""
        read = []
        for digest, path in files.items():
            with path.open("rb") as stream:
                read.append((digest, stream.read(digest.size + 1)))
        for digest, good in self._call(dask_worker.receive_whole, result, read):
            if not good:
                raise _changed(files[digest])

    def _send_one(self, result: TaskResult, digest: Digest, path: Path) -> None:
        name, whole = uuid.uuid4().hex, None
        with path.open("rb") as stream:
            for offset in itertools.count(0, _PIECE):
                piece = stream.read(min(_PIECE, digest.size - offset))
                whole = self._call(dask_worker.receive, result, name, digest, offset, piece)
                if whole is not None or not piece:
                    break
        if not whole:
            raise _changed(path)

    def _receive_outputs(self, result: TaskResult, task: TaskSpec, job: Job) -> None:
        """Write the outputs, checking names and digests from the worker."""
        if task.shared_folder:
            try:
                take_in_place(task.targets(Path(task.shared_folder)), job.outputs)
            except OSError as error:
                raise _Lost(f"{result.address}: {line(error)}") from None
            return
        taken: dict[Digest, Path] = {}
        for label, members in result.outputs.items():
            for name, digest in members.items():
                target = _place(job.outputs[label], name, folder=label.endswith("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                if digest in taken:
                    copy(taken[digest], target)
                    continue
                with target.open("wb") as stream:
                    for offset in range(0, digest.size, _PIECE):
                        count = min(_PIECE, digest.size - offset)
                        stream.write(self._call(dask_worker.read, result, digest, offset, count))
                if Digest.of_file(target) != digest:
                    raise _Lost(f"{result.address} sent bytes that do not match their digest")
                taken[digest] = target

    def _call(self, function: Callable[..., Any], result: TaskResult, *args: object) -> Any:
        address = result.address
        try:
            return self._client.run(function, *args, workers=[address])[address]
        except Exception as error:
            raise _Lost(f"{address}: {line(error)}") from None


def _changed(path: Path) -> PipelineError:
    return PipelineError(
        Code.STORAGE,
        "A file changed while it was sent to a worker of the cluster.",
        where=str(path),
        hint="Run doit again.",
    )


def _batched(digests: Iterable[Digest], most: int) -> Iterator[list[Digest]]:
    """Yield the digests in order, in groups of at most ``most`` bytes."""
    group: list[Digest] = []
    for digest in digests:
        if group and sum(each.size for each in group) + digest.size > most:
            yield group
            group = []
        group.append(digest)
    if group:
        yield group


def _step_error(result: TaskResult) -> Exception:
    """Return the step's error with the worker's address added."""
    error = result.error
    assert error is not None
    if isinstance(error, PipelineError) and result.address not in error.where:
        error.where = f"{error.where} (on {result.address})" if error.where else result.address
    return error


def _is_portable(value: object) -> bool:
    """Return whether a value of ``unkeyed`` is valid on another machine."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_portable, value))
    return value is None or isinstance(value, (Portable, str, int, float))


def _place(output: Path, name: str, *, folder: bool) -> Path:
    parts = PurePosixPath(name).parts
    if folder != bool(parts) or any(
        part in ("..", "/") or "\\" in part or ":" in part for part in parts
    ):
        raise PipelineError(
            Code.CLUSTER, "A worker of the cluster returned an invalid file name.", found=name
        )
    return output.joinpath(*parts)
