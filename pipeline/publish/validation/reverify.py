"""The inference run again: in a process of its own, since a model or guest may end it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.cache.json_decoding import decode_json
from pipeline.child_python.commands import module_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.byte_count import byte_count
from pipeline.execution.process import run_process
from pipeline.host.sandbox.process_environment import without_secrets
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.validation.finding import Finding

_START_SECONDS = 60.0
_PROGRAM = "pipeline.publish.validation.reverify_process"


def reverify(folder: Path, manifest: Manifest, scratch: Path) -> Iterator[Finding]:
    """Yield what is wrong with the outputs of each case, or where there are none."""
    try:
        byte_count(manifest.guest.memory)
    except ValueError as error:
        yield Finding(
            kind="guest", message=f"The guest's memory is no limit: {error}", file="manifest.json"
        )
        return
    runs = 2 if manifest.guest.component else 1
    for number, case in enumerate(manifest.tensors):
        place = scratch / str(number)
        place.mkdir()
        written = place / "findings.json"
        try:
            finished = run_process(
                module_command(_PROGRAM, folder.absolute(), case, place.absolute()),
                seconds=runs * manifest.guest.seconds + _START_SECONDS,
                cwd=place,
                env=without_secrets(os.environ),
            )
        except PipelineError as error:
            if error.code is not Code.TIME_LIMIT:
                raise
            yield Finding.of("inference", f"evidence/{case}", error)
            continue
        if finished.returncode == 0 and written.is_file():
            yield from decode_json(written.read_bytes(), list[Finding])
            continue
        yield Finding(
            kind="inference",
            message="The process that infers ended by itself.",
            file=f"evidence/{case}",
            found=f"exit status {finished.returncode}",
            hint=finished.last_lines(3),
        )
