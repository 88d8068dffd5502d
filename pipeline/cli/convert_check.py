"""The golden check of `wasi-nn convert`: the IR against the source model, on a seeded input."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.progress import ProgressCallback

if TYPE_CHECKING:
    from pipeline.model.convert.request import Request
    from pipeline.verify.check_conversion import ConversionCheck

_SECONDS = 900.0
_LEAST_MEMORY = 8 << 30
# The source model, its optimised copy and the IR are in memory together.
_COPIES = 8


def add_check(parser: argparse.ArgumentParser) -> None:
    """Add the options of the check to the command."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--no-check",
        action="store_true",
        help="do not compare the IR with the source model on a seeded input",
    )
    group.add_argument(
        "--keep",
        action="store_true",
        help="write the IR even if it disagrees with the source, or the check fails to run",
    )


def check(
    request: Request, xml: Path, scratch: Path, progress: ProgressCallback, *, keep: bool
) -> ConversionCheck:
    """Infer one seeded input with an IR and its source model, in a process with limits.

    Raises PipelineError (TIME_LIMIT, MEMORY_LIMIT, WORKER) if that ends early, unless ``keep``.
    """
    from msgspec.structs import replace

    from pipeline.cache.json_decoding import decode_json
    from pipeline.execution.action import Job
    from pipeline.execution.pool.worker_pool import WorkerPool
    from pipeline.verify.check_conversion import ConversionCheck, check_conversion, executor_of
    from pipeline.verify.executors import EXECUTORS

    name = executor_of(request.model.framework)
    executor = EXECUTORS[name]
    python = _python(executor.package, executor.toolchain)
    if python is None:
        return ConversionCheck(skipped=f"{name} is not installed here")
    progress(f"checking the IR against {name}")
    folder = scratch / "check"
    folder.mkdir()
    job = Job(
        inputs={
            "xml": xml,
            **{f"file.{label}": path.absolute() for label, path in request.files.items()},
        },
        outputs={"check": scratch / "check.json"},
        parameters={},
        scratch=folder,
        # Not as plain data: a config's table has at least one input.
        unkeyed={"model": request.model, "python": python},
    )
    size = sum(path.stat().st_size for path in request.files.values())
    started = time.perf_counter()
    try:
        with WorkerPool(1) as workers:
            memory = max(_LEAST_MEMORY, _COPIES * size)
            workers.run(check_conversion, job, seconds=_SECONDS, memory=memory)
    except PipelineError as error:
        if not keep:
            raise PipelineError(
                error.code,
                f"The check of the IR against {name} failed to run: {error.message}",
                where=_files(request),
                expected=error.expected,
                found=error.found,
                hint="--no-check omits the check; --keep writes the IR nevertheless.",
                detail=error.detail,
            ) from None
        return ConversionCheck(skipped=f"{name}: {error.message}")
    found = decode_json(job.outputs["check"].read_bytes(), ConversionCheck)
    return replace(found, seconds=round(time.perf_counter() - started, 3))


def _python(package: str, toolchain: str | None) -> Path | None:
    """Return the interpreter that has an executor, None if none is installed."""
    from pipeline.toolchain.toolchain_python import existing_python

    if toolchain is not None:
        return existing_python(toolchain)
    try:
        version(package)
    except PackageNotFoundError:
        return None
    return Path(sys.executable)


def disagreement(found: ConversionCheck, request: Request) -> PipelineError | None:
    """Return the error of the first output that disagrees, if any."""
    from pipeline.verify.golden import disagreements

    where = _files(request)
    keep = "--keep writes the IR nevertheless."
    if found.failure:
        return PipelineError(
            Code.VERIFY,
            "OpenVINO cannot infer the IR, though the source model can be run.",
            where=where,
            found=found.failure,
            hint=f"Export the model in another format. {keep}",
        )
    if found.golden is None:
        return None
    errors = disagreements(found.golden, where)
    if not errors:
        return None
    first = errors[0]
    half = request.model.precision == "f16"
    what = "f16 weights may be too coarse: use --precision f32" if half else "Export it otherwise"
    first.hint = f"{first.hint if 'unstable' in first.hint else what + '.'} {keep}"
    if others := [name for name, each in found.golden.outputs.items() if not each.agrees][1:]:
        first.detail = "\n".join(f"Output {name} disagrees too." for name in others)
    return first


def _files(request: Request) -> str:
    return ", ".join(path.name for path in request.files.values())


def line(found: ConversionCheck) -> str:
    """Return the result of a check in one line."""
    if found.golden is None:
        reason = found.failure or found.skipped
        return f"not checked against the source model: {printable(reason)}"
    golden = found.golden
    ran = f"{golden.executor} {golden.version}"
    cost = f"checked in {found.seconds:.1f} s; --no-check omits this"
    wrong = [name for name, each in golden.outputs.items() if not each.agrees]
    if wrong:
        return f"disagrees with {ran} at {printable(', '.join(wrong))} ({cost})"
    margin = max((each.margin for each in golden.outputs.values()), default=0.0)
    return f"agrees with {ran} on a seeded input, at {margin:.2g} of the bound ({cost})"


def as_json(found: ConversionCheck) -> Mapping[str, Any]:
    """Return the result of a check for --json."""
    if found.golden is None:
        return {"skipped": found.skipped or found.failure, "seconds": found.seconds}
    golden = found.golden
    return {
        "executor": golden.executor,
        "version": golden.version,
        "agrees": all(each.agrees for each in golden.outputs.values()),
        "outputs": {
            name: {"agrees": each.agrees, "distance": each.distance, "bound": each.bound}
            for name, each in golden.outputs.items()
        },
        "seconds": found.seconds,
    }
