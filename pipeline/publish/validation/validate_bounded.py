"""Validate a folder in a process of its own, within limits on time and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.bounded_call import BoundedCalls
from pipeline.publish.validation.finding import (
    Finding,
    Validation,
    ValidationVerdict,
    cleaned,
)

_LIMITS = (Code.TIME_LIMIT, Code.MEMORY_LIMIT, Code.WORKER)


class _Result(msgspec.Struct):
    """A validation without its folder, which the caller knows."""

    name: str
    root: str
    verdict: ValidationVerdict
    trusted_by: str
    findings: tuple[Finding, ...]
    evidence: dict[str, str]


def validate_bounded(
    calls: BoundedCalls, validate: Callable[..., Validation], folder: Path, **options: object
) -> Validation:
    """Return ``validate(folder, **options)``, called in a worker process.

    One that exceeds a limit, or ends the process, could not be checked. Raises PipelineError.
    """
    parameters = {"validate": validate, "folder": folder.absolute(), "options": options}
    try:
        data = calls.call(_validate, parameters, "The validation")
    except PipelineError as error:
        if error.code not in _LIMITS:
            raise
        finding = Finding.of("limit", folder.name, error)
        return Validation(
            folder=folder,
            name=folder.name,
            root="",
            verdict=ValidationVerdict.UNCHECKED,
            trusted_by="",
            findings=(finding,),
        )
    found = decode_json(data, _Result)
    return Validation(folder=folder, **msgspec.structs.asdict(found))


def _validate(job: Job) -> None:
    validate = cast("Callable[..., Validation]", job.parameters["validate"])
    options = cast("Mapping[str, object]", job.parameters["options"])
    found = cleaned(validate(cast(Path, job.parameters["folder"]), **options))
    result = _Result(**{name: getattr(found, name) for name in _Result.__struct_fields__})
    job.outputs["result"].write_bytes(msgspec.json.encode(result))
