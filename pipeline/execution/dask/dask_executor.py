"""Run steps on a Dask cluster: the client."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.cache.file_version import version_of
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job, Portable, Recipe
from pipeline.execution.dask import dask_worker
from pipeline.execution.dask.connection import connected, line, unusable
from pipeline.execution.dask.sent_files import PIECE, SentFiles
from pipeline.execution.dask.task_spec import (
    PROBE,
    FileRef,
    OutputFile,
    TaskResult,
    TaskSpec,
    check_versions,
    versions,
)
from pipeline.execution.executor import Executor

_LOOK_SECONDS = 2.0
_NO_WORKER_SECONDS = 60.0
_CLOSE_SECONDS = 2.0
_RETRIES = 2
_ATTEMPTS = 3


class _Lost(Exception):
    """A worker or its files were lost."""


class DaskExecutor:
    """An executor on a Dask cluster; Dask chooses the worker of a step.

    A step is sent as the name of its recipe, its parameters and the digests of its inputs. A worker
    that shares a file system with this machine reads and writes files in place. For others, the
    files are Dask data that the step depends on, verified before use, and outputs are read back in
    pieces. If a worker is lost, Dask runs its steps again on another one; if their files were lost
    with it, they are sent again. A step whose ``unkeyed`` contain local paths runs in ``local``.
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
        # Whether a worker was found that does not see our files: then all steps carry them.
        self._apart = False
        self._address = address
        self._client = connected(address)
        self._sent = SentFiles(self._client)
        try:
            self._check_workers(tools)
        except BaseException:
            self._client.close()
            raise

    def max_concurrency(self) -> int:
        """Return the number of concurrent steps: one running and one being sent per thread."""
        try:
            return 2 * int(sum(self._client.nthreads().values()))
        except Exception:
            return 0

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
        send = self._apart
        for last in (*[False] * (_ATTEMPTS - 1), True):
            try:
                if not self._attempt(task, job, files if send else None):
                    self._attempt(task, job, files)
                return
            except _Lost as loss:
                self._require_scheduler(loss)
                if last:
                    raise _all_lost(loss) from None
                send, task = True, replace(task, probe="")

    def close(self) -> None:
        """Disconnect, which cancels running steps; the cluster keeps running."""
        with suppress(Exception):
            self._client.close(timeout=_CLOSE_SECONDS)
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
                files[digest] = path
            return found

        portable = {
            label: value for label, value in job.unkeyed.items() if isinstance(value, Portable)
        }
        shared, probe = job.scratch.absolute() / uuid.uuid4().hex, uuid.uuid4().hex
        shared.mkdir()
        (shared / PROBE).write_text(probe)
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
            shared_folder=str(shared),
            probe=probe,
        )
        return files, task

    def _attempt(self, task: TaskSpec, job: Job, files: Mapping[Digest, Path] | None) -> bool:
        """Run the step with its ``files`` or without; return whether the worker had all of them."""
        future = self._submitted(task, files)
        try:
            result = self._result(future)
            if result.error is not None:
                raise _step_error(result)
            if result.missing:
                self._apart |= not result.shares
                return False
            self._receive_outputs(result, task, job)
            return True
        finally:
            # Then the worker removes the outputs.
            future.release()

    def _submitted(self, task: TaskSpec, files: Mapping[Digest, Path] | None) -> Any:
        try:
            pieces = None
            if files is not None:
                # They cannot be sent to nobody.
                self._require_worker()
                pieces = self._sent.send(files)
            return self._client.submit(
                dask_worker.perform,
                task,
                pieces,
                key=f"{task.recipe.rpartition(':')[2]}-{uuid.uuid4().hex}",
                pure=False,
                retries=_RETRIES,
            )
        except PipelineError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise _Lost(line(error)) from None

    def _result(self, future: Any) -> TaskResult:
        from distributed import KilledWorker

        try:
            while True:
                with suppress(TimeoutError):
                    result: TaskResult = future.result(timeout=_LOOK_SECONDS)
                    return result
                self._require_worker()
        except PipelineError:
            raise
        except KilledWorker as error:
            raise _all_lost(error) from None
        except (Exception, asyncio.CancelledError) as error:
            if future.status != "error":
                raise _Lost(line(error)) from None
            raise PipelineError(
                Code.CLUSTER,
                "The cluster's workers could not prepare the step.",
                found=line(error),
                hint="See the workers' logs: a disk may be full, or the pipeline missing.",
            ) from None

    def _require_scheduler(self, loss: _Lost) -> None:
        """Wait for the client to connect again if its connection was lost."""
        while self._client.status == "connecting":
            time.sleep(0.1)
        if self._client.status != "running":
            raise PipelineError(
                Code.CLUSTER,
                "The connection to the cluster's scheduler was lost.",
                where=self._address,
                found=str(loss),
                hint="Start it again, then run the command again: finished steps are kept.",
            )

    def _require_worker(self) -> None:
        until = time.monotonic() + _NO_WORKER_SECONDS
        while not self._client.nthreads():
            if time.monotonic() > until:
                raise PipelineError(
                    Code.CLUSTER,
                    "The cluster has no workers.",
                    found=f"none for {_NO_WORKER_SECONDS:g} s",
                    hint="Start some: dask worker tcp://SCHEDULER:PORT",
                )
            time.sleep(0.1)

    def _receive_outputs(self, result: TaskResult, task: TaskSpec, job: Job) -> None:
        """Write the outputs, checking names and digests from the worker."""
        if result.written:
            written = _place(Path(task.shared_folder), result.written, folder=True)
            if not written.is_dir():
                raise _Lost(f"{result.address} wrote its outputs elsewhere")
            _take(task.targets(written), job.outputs)
            return
        for label, members in result.outputs.items():
            for name, output in members.items():
                target = _place(job.outputs[label], name, folder=label.endswith("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                self._receive(result.address, output, target)

    def _receive(self, address: str, output: OutputFile, target: Path) -> None:
        size = output.digest.size
        with target.open("wb") as stream:
            for offset in range(0, size, PIECE):
                count = min(PIECE, size - offset)
                try:
                    answers = self._client.run(
                        dask_worker.read, output.place, offset, count, workers=[address]
                    )
                except Exception as error:
                    raise _Lost(f"{address}: {line(error)}") from None
                stream.write(answers[address])
        if Digest.of_file(target) != output.digest:
            raise _Lost(f"{address} sent bytes that do not match their digest")


def _take(written: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """Move files that a worker wrote; the step may have written none."""
    for label, target in outputs.items():
        if label.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            for entry in written[label].iterdir():
                entry.replace(target / entry.name)
        else:
            with suppress(FileNotFoundError):
                written[label].replace(target)


def _all_lost(error: Exception) -> PipelineError:
    return PipelineError(
        Code.CLUSTER,
        "Every worker that ran the step was lost.",
        found=str(error) if isinstance(error, _Lost) else line(error),
        hint="The step may crash them: run it without --cluster.",
    )


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
