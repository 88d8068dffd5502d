"""Frameworks that run in a process of their own, on the Python that has them."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.child_python.commands import seeded_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.model.convert.ovc import PROGRAMS as MODEL_PROGRAMS
from pipeline.telemetry import private_home
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult

_PROGRAMS = Path(__file__).with_name("programs")


def run_in_subprocess(framework: str, request: InferenceRequest) -> InferenceResult:
    """Run a model by the program ``infer_<framework>.py``; arrays travel as .npz files."""
    import numpy

    folder = request.folder
    numpy.savez(folder / "inputs.npz", *(a for draw in request.draws for a in draw.values()))
    payload = {
        "files": {label: str(path.absolute()) for label, path in request.files.items()},
        "inputs": list(request.inputs),
        "outputs": list(request.outputs),
        "draws": len(request.draws),
        "measure": request.moved is not None,
        "architecture": request.architecture,
        "seed": request.seed,
    }
    finished = run_process(
        seeded_command(
            _PROGRAMS / f"infer_{framework}.py", json.dumps(payload), python=request.python
        ),
        seconds=request.seconds,
        cwd=folder,
        env={
            **private_home(folder),
            "PYTHONPATH": str(MODEL_PROGRAMS),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    if finished.returncode < 0:
        raise PipelineError(
            Code.WORKER,
            f"{framework} crashed as it ran the model for the golden check.",
            where=", ".join(path.name for path in request.files.values()),
            found=f"signal {-finished.returncode}",
            detail=finished.last_lines(),
        )
    written = folder / "outputs.npz"
    if finished.returncode != 0 or not written.exists():
        raise PipelineError(
            Code.VERIFY,
            f"{framework} could not run the model for the golden check.",
            where=", ".join(path.name for path in request.files.values())
            or str(request.architecture),
            found=f"exit status {finished.returncode}",
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=finished.last_lines(),
        )
    with numpy.load(written, allow_pickle=False) as stored:
        count = len(request.outputs)
        arrays = [stored[f"arr_{index}"] for index in range(int(stored["count"]))]
        found = [arrays[start : start + count] for start in range(0, len(arrays), count)]
        levels = [bool(level) for level in stored["levels"]]
        return InferenceResult(found[0], str(stored["version"]), found[1:], levels)
