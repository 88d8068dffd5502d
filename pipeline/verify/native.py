"""The native check: the same inference without a guest, in a process that imports only openvino."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.child_python.commands import program_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process

_PROGRAM = Path(__file__).with_name("native_program.py")


def infer_natively(
    xml: Path,
    inputs: Sequence[Path],
    shapes: Sequence[Sequence[int]],
    outputs: Sequence[Path],
    seconds: float,
    count: int = 1,
) -> None:
    """Infer an IR with openvino alone; ``inputs`` and ``outputs`` are raw files by index.

    ``shapes`` are those of the inputs, which the IR may leave open. Each file holds ``count``
    tensors, one after the other.

    Raises PipelineError (VERIFY, TIME_LIMIT).
    """
    job = {
        "xml": str(xml.absolute()),
        "count": count,
        "inputs": [str(path.absolute()) for path in inputs],
        "shapes": [list(shape) for shape in shapes],
        "outputs": [str(path.absolute()) for path in outputs],
    }
    finished = run_process(
        program_command(_PROGRAM, json.dumps(job)), seconds=seconds, cwd=outputs[0].parent
    )
    if finished.returncode != 0:
        raise PipelineError(
            Code.VERIFY,
            f"The native inference of {xml.name} failed.",
            found=f"exit status {finished.returncode}",
            detail=finished.last_lines(),
        )
