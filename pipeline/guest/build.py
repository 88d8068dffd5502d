"""The step ``guest``: C to wasm by the ziglang package, with nothing else installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pipeline.errors import Code, PipelineError
from pipeline.guest.audit import audit
from pipeline.work.action import Job
from pipeline.work.process import Finished, run_process

_FLAGS = ("--target=wasm32-wasi", "-std=c11", "-O2", "-s", "-Wall", "-Wextra", "-Wpedantic")
# Clang names a header as it found it: `./descriptor.h`.
_DIAGNOSTIC = re.compile(
    r"^(?:\./)?(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?:fatal )?error: (?P<text>.*)$",
    re.M,
)
_LINKER = re.compile(
    r"^wasm-ld: error: (?:[^\n]*[/\\](?P<stem>[^/\\\n]+)\.o: )?(?P<text>.*)$", re.M
)
_DETAIL_LINES = 20
_DETAIL_WIDTH = 200


def compile_guest(job: Job) -> None:
    """Recipe: compile a guest and audit what it imports.

    Inputs: ``source.<n>`` and ``header.<n>``, which are compiled side by side, so that a header
    is included by its name alone. Outputs: ``wasm``, and ``imports`` as a JSON list.
    Parameters: ``modules`` (that it may import from) and ``seconds``. Means: ``zig_cache``, a
    folder for what zig builds once. Raises PipelineError: GUEST_BUILD with the first error of
    the compiler, GUEST_IMPORTS, TIME_LIMIT, TOOLCHAIN.
    """
    _check_compiler()
    # Copied under their own names, so that no path gets into the wasm.
    folder = job.scratch / "guest"
    folder.mkdir()
    origins: dict[str, Path] = {}
    for path in job.inputs.values():
        if path.name in origins:
            raise PipelineError(
                Code.GUEST_BUILD,
                "Two files of the guest have the same name.",
                where=str(path),
                found=str(origins[path.name]),
                hint="Rename one: they are compiled side by side.",
            )
        origins[path.name] = path
        shutil.copyfile(path, folder / path.name)
    sources = [path for label, path in job.inputs.items() if label.startswith("source.")]
    wasm = folder / "guest.wasm"
    job.say("compiling; the first time, zig builds its C library")
    # With ./ before it, no name is taken for an option.
    finished = _run_compiler(job, [f"./{path.name}" for path in sources], wasm)
    if finished.returncode != 0 or not wasm.exists():
        raise _refused(finished, origins, sources)
    data = wasm.read_bytes()
    modules = cast(list[str], job.parameters["modules"])
    imports = audit(data, modules, job.outputs["wasm"].name)
    job.outputs["wasm"].write_bytes(data)
    job.outputs["imports"].write_text(json.dumps(imports) + "\n")


def _check_compiler() -> None:
    if importlib.util.find_spec("ziglang") is None:
        raise PipelineError(
            Code.TOOLCHAIN,
            "ziglang, which compiles the guests, is not installed.",
            hint="Install it: pip install ziglang",
        )


def _run_compiler(job: Job, sources: list[str], wasm: Path) -> Finished:
    seconds = float(str(job.parameters["seconds"]))
    try:
        return run_process(
            [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *sources, "-o", wasm.name],
            seconds=seconds,
            cwd=wasm.parent,
            env={
                **_environment(),
                "ZIG_GLOBAL_CACHE_DIR": str(job.means["zig_cache"]),
                "ZIG_LOCAL_CACHE_DIR": str(job.scratch / "zig"),
            },
        )
    except PipelineError as error:
        if error.code is not Code.TIME_LIMIT:
            raise
        raise PipelineError(
            Code.TIME_LIMIT,
            "The compiler was ended, since it ran longer than its time limit.",
            where=job.outputs["wasm"].name,
            expected=f"at most {seconds:g} s",
            hint="Raise seconds in the guest's config if the machine is merely slow.",
            detail=_bounded(error.detail),
        ) from None


def _environment() -> dict[str, str]:
    """Return what zig needs of our environment; CFLAGS and the like stay out of the bytes."""
    kept = ("PATH", "HOME", "SYSTEMROOT", "LOCALAPPDATA", "TMPDIR", "TEMP", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _refused(finished: Finished, origins: Mapping[str, Path], sources: list[Path]) -> PipelineError:
    where, found, hint = str(sources[0]), f"exit status {finished.returncode}", ""
    if diagnostic := _DIAGNOSTIC.search(finished.output):
        file = origins.get(diagnostic["file"], diagnostic["file"])
        where = f"{file}:{diagnostic['line']}:{diagnostic['column']}"
        found = diagnostic["text"]
        if found.endswith("file not found"):
            hint = "List every file that is included as a header; it is included by its name alone."
    elif complaint := _LINKER.search(finished.output):
        found = complaint["text"]
        where = next((str(path) for path in sources if path.stem == complaint["stem"]), where)
    return PipelineError(
        Code.GUEST_BUILD,
        "The guest does not compile.",
        where=where,
        found=found[:_DETAIL_WIDTH],
        hint=hint,
        detail=_bounded(finished.output),
    )


def _bounded(output: str) -> str:
    return "\n".join(line[:_DETAIL_WIDTH] for line in output.splitlines()[:_DETAIL_LINES])
