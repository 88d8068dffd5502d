"""The adapter of WASI preview 1 to WASI 0.2, for commands, pinned by its digest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.source.fetch_source import fetch_source
from pipeline.toolchain.environment import Environment, ensure_environment, program_of

PREVIEW1 = "wasi_snapshot_preview1"
# Apache-2.0 WITH LLVM-exception; Wasmtime publishes it, and this package has a copy.
_URLS = ("npm:@bytecodealliance/jco==1.35.0#lib/wasi_snapshot_preview1.command.wasm",)
_SHA256 = "2a652d711c1fff34f9d5a0e073e50ef7eeb8fe7d8a6d559eae643a4c049a7b94"
_SIZE = 51826


def fetch_preview1(job: Job, path: Path) -> None:
    """Write the adapter to ``path``.

    ``job`` has the unkeyed inputs ``downloads``, ``offline`` and ``root`` of ``source.fetch``, and
    ``npm.environment``, which is created where npm is needed and missing. Raises the errors of
    ``source.fetch`` and PipelineError (TOOLCHAIN).
    """
    try:
        _fetch(job, path, "npm")
    except PipelineError as error:
        there = shutil.which("npm") is not None
        if error.code is not Code.SOURCE_UNREACHABLE or there or job.unkeyed["offline"]:
            raise
        environment = cast(Environment, job.unkeyed["npm.environment"])
        ensure_environment(environment, job.scratch, job.progress)
        _fetch(job, path, str(program_of(environment.folder, "npm")))


def _fetch(job: Job, path: Path, npm: str) -> None:
    pinned = {"sha256": _SHA256, "sha384": None, "sha1": None, "size": _SIZE}
    fetch_source(
        replace(
            job,
            inputs={},
            outputs={"file": path},
            parameters={"name": PREVIEW1, **pinned},
            unkeyed={**job.unkeyed, "urls": _URLS, "npm": npm},
        )
    )
