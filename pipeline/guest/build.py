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
_DIAGNOSTIC = re.compile(
    r"^(?P<file>[^\s:]+):(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>.*)$", re.M
)


def compile_guest(job: Job) -> None:
    """Recipe: compile a guest and audit what it imports.

    Inputs: ``source.<n>`` and ``header.<n>``. Outputs: ``wasm``, and ``imports`` as a JSON list.
    Parameters: ``modules`` (that it may import from) and ``seconds``. Raises PipelineError
    (GUEST_BUILD, GUEST_IMPORTS, TIME_LIMIT, TOOLCHAIN).
    """
    _check_compiler()
    # Copied side by side under their own names, so that no path gets into the wasm.
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
    sources = [path.name for label, path in job.inputs.items() if label.startswith("source.")]
    wasm = folder / "guest.wasm"
    job.say("compiling; the first time, zig builds its C library")
    finished = run_process(
        [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *sources, "-o", wasm.name],
        seconds=float(str(job.parameters["seconds"])),
        cwd=folder,
        env={
            **_environment(),
            "ZIG_GLOBAL_CACHE_DIR": str(job.means["zig_cache"]),
            "ZIG_LOCAL_CACHE_DIR": str(job.scratch / "zig"),
        },
    )
    if finished.returncode != 0 or not wasm.exists():
        raise _refused(finished, origins)
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


def _environment() -> dict[str, str]:
    """Return what zig needs of our environment; CFLAGS and the like stay out of the bytes."""
    kept = ("PATH", "HOME", "SYSTEMROOT", "LOCALAPPDATA", "TMPDIR", "TEMP", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _refused(finished: Finished, origins: Mapping[str, Path]) -> PipelineError:
    found = _DIAGNOSTIC.search(finished.output)
    where = ""
    if found:
        where = f"{origins.get(found['file'], found['file'])}:{found['line']}"
    return PipelineError(
        Code.GUEST_BUILD,
        "The guest does not compile.",
        where=where,
        found=found["text"] if found else f"exit status {finished.returncode}",
        detail="\n".join(finished.output.splitlines()[:20]),
    )
