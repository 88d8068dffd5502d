"""Caffe to IR: Model Optimizer, run in its own locked environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.request import Request
from pipeline.toolchain.locked import python_of
from pipeline.work.process import run_process


def convert_caffe(request: Request, folder: Path) -> Path:
    """Convert a caffemodel and its prototxt; mean and scale become the first layers of the IR."""
    assert request.environment is not None
    weights = folder / f"{request.name}.caffemodel"
    topology = folder / f"{request.name}.prototxt"
    shutil.copyfile(request.files["weights"], weights)
    shutil.copyfile(request.files["topology"], topology)
    python = python_of(request.environment)
    finished = run_process(
        [
            *(python, "-W", "ignore", "-m", "openvino.tools.mo"),
            *("--framework", "caffe", "--model_name", request.name),
            *("--input_model", weights.name, "--input_proto", topology.name),
            *("--output_dir", "out", f"--compress_to_fp16={request.half}"),
            *_input_arguments(request),
        ],
        seconds=request.seconds,
        cwd=folder,
        env=_environment(folder),
    )
    xml = folder / "out" / f"{request.name}.xml"
    if finished.returncode != 0 or not xml.exists():
        raise PipelineError(
            Code.MODEL,
            f"Model Optimizer could not convert {request.name}.",
            where=f"{weights.name}, {topology.name}",
            hint="See its own last lines below.",
            detail=finished.last_lines(),
        )
    return xml


def _input_arguments(request: Request) -> list[str]:
    def listed(values: tuple[float, ...] | tuple[int, ...]) -> str:
        return "[" + ",".join(f"{value:.9g}" for value in values) + "]"

    inputs = request.inputs.items()
    arguments = ["--input", ",".join(request.inputs)]
    arguments += ["--input_shape", ",".join(listed(given.shape) for _, given in inputs)]
    for flag, field in (("--mean_values", "mean"), ("--scale_values", "scale")):
        values = [f"{name}{listed(getattr(g, field))}" for name, g in inputs if getattr(g, field)]
        if values:
            arguments += [flag, ",".join(values)]
    return arguments


def _environment(folder: Path) -> dict[str, str]:
    """Return a private environment: mo writes into its HOME and asks the network otherwise."""
    home = folder / "home"
    consent = home / "intel" / "openvino_telemetry"
    consent.parent.mkdir(parents=True)
    consent.write_text("0")
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
    }
