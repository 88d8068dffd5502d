"""What a converter's own lines mean, as one error: which operation it lacks, what is damaged."""

from __future__ import annotations

import re

from pipeline.errors import Code, PipelineError
from pipeline.model.request import Request
from pipeline.work.process import Finished

_LACKS = (
    re.compile(r"No conversion rule found for operations?: *(?P<names>[^\n]+)"),
    re.compile(r'Found custom layer "(?P<names>[^"]+)"'),
    re.compile(r"unsupported type <(?P<names>[^>]+)>"),
)
_DAMAGED = re.compile(
    r"can't be parsed|is corrupted or malformed|Unexpected end of|Error parsing"
    r"|Cannot recognize input model"
)
# Model Optimizer tells of its successor, and of its own age, in every run.
_NOISE = re.compile(
    r"\[ INFO \]|OpenVINO Model Converter|docs\.openvino\.ai|FAQ|software\.intel\.com"
    r"|^WARNING: All log messages|text_format\.cc"
)


def complaint(request: Request, converter: str, finished: Finished) -> PipelineError:
    """Return the error for a conversion that gave no IR."""
    files = ", ".join(dict.fromkeys(path.name for path in request.files.values()))
    lines = [line for line in finished.last_lines(40).splitlines() if not _NOISE.search(line)]
    for pattern in _LACKS:
        if lacking := pattern.search(finished.output):
            return PipelineError(
                Code.MODEL,
                f"{request.name} has an operation that {converter} cannot convert.",
                where=files,
                found=lacking["names"].strip(),
                hint="Cut the model before it by [model.outputs], or export it without it.",
                detail="\n".join(lines[-6:]),
            )
    if _DAMAGED.search(finished.output):
        return PipelineError(
            Code.MODEL,
            f"The model {request.name} cannot be read: it is damaged, or of another format.",
            where=files,
            hint=f"Is it whole, and really of {request.model.framework}?",
            detail="\n".join(lines[-6:]),
        )
    if len(lines) == 1 and finished.returncode == 1:
        # One line of our own program.
        return PipelineError(
            Code.MODEL,
            f"{converter} could not convert {request.name}.",
            where=files,
            found=lines[0],
            hint="Correct [model] in the config, or --input.",
        )
    return PipelineError(
        Code.MODEL,
        f"{converter} could not convert {request.name}.",
        where=files,
        found=f"exit status {finished.returncode}",
        hint="See its own last lines below.",
        detail="\n".join(lines[-12:]),
    )
