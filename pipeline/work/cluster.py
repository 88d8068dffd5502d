"""Steps on a Dask cluster: the client's side of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.store.digest import Digest
from pipeline.store.objects import copy
from pipeline.work import cluster_worker
from pipeline.work.action import Job, Portable, Recipe
from pipeline.work.cluster_order import Answer, Order, Sent, check_versions, versions
from pipeline.work.executor import Executor

_CONNECT_SECONDS = 15
_LOOK_SECONDS = 2.0
_NO_WORKER_SECONDS = 60.0
_MOST_LOST = 3
_MOST_ROUNDS = 20
_PIECE = 16 << 20


class _Lost(Exception):
    """A worker, or what it held, is gone."""


class Cluster:
    """A Dask cluster as an executor; a step goes to whichever worker is free.

    A step is sent as the name of its recipe, its parameters and the digests of its inputs. What
    its worker does not hold yet is then sent to it in pieces, and verified there before it is
    used; the outputs come back the same way. A worker that is lost costs its step alone, which is
    run again on another. A step whose ``means`` hold paths of this machine runs in ``local``.
    """

    def __init__(
        self,
        address: str,
        *,
        digest: Callable[[Path], Digest],
        tools: Iterable[str],
        local: Executor,
    ) -> None:
        """Connect; raises PipelineError (CLUSTER) when that cannot be, or a worker is unlike us."""
        self._digest = digest
        self._local = local
        self._closed = False
        self._guard = threading.Lock()
        self._sending: dict[str, threading.Lock] = {}
        self._running: set[Any] = set()
        self._client = _connected(address)
        try:
            self._check_workers(tools)
        except BaseException:
            self._client.close()
            raise

    def threads(self) -> int:
        """Return how many steps the cluster takes at once."""
        return sum(self._client.nthreads().values())

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one step on a worker and wait for it.

        Raises what the recipe raised, and PipelineError (CLUSTER) when no worker is left, or when
        each that took the step was lost.
        """
        if not all(map(_travels, job.means.values())):
            self._local.run(recipe, job, seconds=seconds, memory=memory, tools=tools)
            return
        files, order = self._ordered(recipe, job, seconds, memory, tools)
        lost: list[_Lost] = []
        at = None
        for _ in range(_MOST_ROUNDS):
            try:
                answer = self._answered(order, at)
                if answer.error is not None:
                    raise _told(answer)
                if not answer.lacking:
                    self._take(answer, job)
                    return
                self._send(answer, files)
                at = answer.address
            except _Lost as loss:
                lost.append(loss)
                at = None
                if len(lost) == _MOST_LOST or self._closed:
                    break
        raise PipelineError(
            Code.CLUSTER,
            "The step was given up, since every worker that took it was lost.",
            found=str(lost[-1]) if lost else "they lose what is sent to them",
            hint="It may be what ends them: try it without --cluster.",
        )

    def close(self) -> None:
        """Take back every step that is still running, and leave the cluster; it goes on."""
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
            workers = self._client.run(cluster_worker.versions_here, list(expected))
        except Exception as error:
            raise _unusable(error) from None
        for address, found in workers.items():
            check_versions(expected, found, address)

    def _ordered(
        self, recipe: Recipe, job: Job, seconds: float, memory: int, tools: Sequence[str]
    ) -> tuple[dict[Digest, Path], Order]:
        files: dict[Digest, Path] = {}

        def sent(paths: Mapping[str, Path]) -> dict[str, Sent]:
            folders: dict[Path, int] = {}
            found = {}
            for label, path in paths.items():
                folder = folders.setdefault(path.parent, len(folders))
                found[label] = Sent(folder, path.name, self._digest(path))
                files[found[label].digest] = path
            return found

        portable = {
            label: value for label, value in job.means.items() if isinstance(value, Portable)
        }
        order = Order(
            recipe=f"{recipe.__module__}:{recipe.__qualname__}",
            parameters=dict(job.parameters),
            means=dict(job.means),
            inputs=sent(job.inputs),
            kept={label: sent(value.files()) for label, value in portable.items()},
            outputs={label: path.name for label, path in job.outputs.items()},
            seconds=seconds,
            memory=memory,
            versions=versions(tools),
        )
        return files, order

    def _answered(self, order: Order, at: str | None) -> Answer:
        """Let a worker, if possible the one ``at`` this address, try the step."""
        from distributed import KilledWorker

        try:
            with self._guard:
                if self._closed:
                    raise _Lost("the run has ended")
                future = self._client.submit(
                    cluster_worker.perform,
                    order,
                    key=f"{order.recipe.rpartition(':')[2]}-{uuid.uuid4().hex}",
                    pure=False,
                    workers=[at] if at else None,
                    allow_other_workers=at is not None,
                )
                self._running.add(future)
        except _Lost:
            raise
        except Exception as error:
            raise _Lost(_line(error)) from None
        try:
            answer: Answer = self._awaited(future)
        except PipelineError:
            raise
        except KilledWorker as error:
            raise PipelineError(
                Code.CLUSTER,
                "The step was given up, since every worker that took it was lost.",
                found=_line(error),
                hint="It may be what ends them: try it without --cluster.",
            ) from None
        except (Exception, asyncio.CancelledError) as error:
            raise _Lost(_line(error)) from None
        finally:
            with self._guard:
                self._running.discard(future)
            with suppress(Exception):
                future.cancel(force=True)
        return answer

    def _awaited(self, future: Any) -> Any:
        alone_since = None
        while True:
            with suppress(TimeoutError):
                return future.result(timeout=_LOOK_SECONDS)
            if self._client.nthreads():
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
            elif time.monotonic() - alone_since > _NO_WORKER_SECONDS:
                raise PipelineError(
                    Code.CLUSTER,
                    "The cluster has no worker.",
                    found=f"none for {_NO_WORKER_SECONDS:g} s",
                    hint="Start some: dask worker tcp://SCHEDULER:PORT",
                )

    def _send(self, answer: Answer, files: Mapping[Digest, Path]) -> None:
        with self._guard:
            alone = self._sending.setdefault(answer.address, threading.Lock())
        # Another step that needs the same may have sent it meanwhile.
        with alone:
            for digest in self._call(cluster_worker.lacking, answer, list(answer.lacking)):
                self._send_one(answer, digest, files[digest])

    def _send_one(self, answer: Answer, digest: Digest, path: Path) -> None:
        name, whole = uuid.uuid4().hex, None
        with path.open("rb") as stream:
            for offset in itertools.count(0, _PIECE):
                piece = stream.read(min(_PIECE, digest.size - offset))
                whole = self._call(cluster_worker.receive, answer, name, digest, offset, piece)
                if whole is not None or not piece:
                    break
        if not whole:
            raise PipelineError(
                Code.STORAGE,
                "A file changed while it was sent to a worker of the cluster.",
                where=str(path),
                hint="Run doit again.",
            )

    def _take(self, answer: Answer, job: Job) -> None:
        """Write the outputs; what the worker says of names and bytes is checked."""
        taken: dict[Digest, Path] = {}
        for label, members in answer.outputs.items():
            for name, digest in members.items():
                target = _place(job.outputs[label], name, folder=label.endswith("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                if digest in taken:
                    copy(taken[digest], target)
                    continue
                with target.open("wb") as stream:
                    for offset in range(0, digest.size, _PIECE):
                        count = min(_PIECE, digest.size - offset)
                        stream.write(self._call(cluster_worker.read, answer, digest, offset, count))
                if Digest.of_file(target) != digest:
                    raise _Lost(f"{answer.address} gave other bytes than it had made")
                taken[digest] = target

    def _call(self, function: Callable[..., Any], answer: Answer, *args: object) -> Any:
        address = answer.address
        try:
            return self._client.run(function, *args, workers=[address])[address]
        except Exception as error:
            raise _Lost(f"{address}: {_line(error)}") from None


def _connected(address: str) -> Any:
    try:
        import distributed
    except ImportError:
        raise PipelineError(
            Code.CLUSTER,
            "Dask, which --cluster needs, is not installed.",
            hint="pip install 'wasi-nn-pipeline[dask]'",
        ) from None
    # What it has to say is told as errors of ours.
    for name in [*logging.root.manager.loggerDict, "distributed"]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # Asked before a client is made: one that cannot connect hangs in its end.
    ours, theirs = version("distributed"), _scheduler_version(address)
    if ours != theirs:
        raise PipelineError(
            Code.CLUSTER,
            "The cluster's scheduler has another version of Dask.",
            where=address,
            expected=f"distributed {ours}",
            found=f"distributed {theirs}",
            hint="Install the same version on both sides.",
        )
    connect: Any = distributed.Client
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return connect(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except Exception as error:
        raise _unusable(error) from None


def _scheduler_version(address: str) -> str:
    from distributed import Security
    from distributed.core import rpc

    security: Any = Security
    call: Any = rpc

    async def ask() -> Any:
        arguments = security().get_connection_args("client")
        async with call(address, timeout=_CONNECT_SECONDS, connection_args=arguments) as scheduler:
            return await scheduler.versions(packages=[])

    try:
        told = asyncio.run(asyncio.wait_for(ask(), 2 * _CONNECT_SECONDS))
    except Exception as error:
        raise PipelineError(
            Code.CLUSTER,
            "The cluster's scheduler cannot be reached.",
            where=address,
            found=_line(error),
            hint="Give the address that `dask scheduler` shows, such as tcp://10.0.0.5:8786.",
        ) from None
    try:
        return str(told["packages"]["distributed"])
    except (KeyError, TypeError) as error:
        raise _unusable(error) from None


def _unusable(error: Exception) -> PipelineError:
    return PipelineError(
        Code.CLUSTER,
        "The cluster cannot be used: it lacks this pipeline, or has another Dask.",
        found=_line(error),
        hint="Install the same version of Dask, and of this pipeline, on every machine.",
    )


def _told(answer: Answer) -> Exception:
    """Return the step's error, with the machine that it happened on."""
    error = answer.error
    assert error is not None
    if isinstance(error, PipelineError) and answer.address not in error.where:
        error.where = f"{error.where} (on {answer.address})" if error.where else answer.address
    return error


def _travels(value: object) -> bool:
    """Tell whether a value of ``means`` says the same on another machine."""
    if isinstance(value, (list, tuple)):
        return all(map(_travels, value))
    return value is None or isinstance(value, (Portable, str, int, float))


def _place(output: Path, name: str, *, folder: bool) -> Path:
    parts = PurePosixPath(name).parts
    if folder != bool(parts) or any(
        part in ("..", "/") or "\\" in part or ":" in part for part in parts
    ):
        raise PipelineError(
            Code.CLUSTER, "A worker of the cluster gave a file an impossible name.", found=name
        )
    return output.joinpath(*parts)


def _line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
