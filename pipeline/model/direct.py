"""ONNX and TensorFlow to IR: OpenVINO's own converter, in a fresh process for each model."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path, PurePosixPath

from pipeline.errors import Code, PipelineError
from pipeline.model.request import Request
from pipeline.work.process import run_process

_PROGRAM = Path(__file__).with_name("direct_program.py")


def convert_onnx(request: Request, folder: Path) -> Path:
    """Convert an ONNX file."""
    model = folder / f"{request.name}.onnx"
    shutil.copyfile(request.files["model"], model)
    return _convert(request, folder, model)


def convert_tensorflow(request: Request, folder: Path) -> Path:
    """Convert a frozen graph (``graph``), or a SavedModel folder made of its files."""
    if set(request.files) == {"graph"}:
        model = folder / f"{request.name}.pb"
        shutil.copyfile(request.files["graph"], model)
        return _convert(request, folder, model)
    model = folder / request.name
    for member, path in request.files.items():
        place = model.joinpath(*PurePosixPath(member).parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    return _convert(request, folder, model)


def _convert(request: Request, folder: Path, model: Path) -> Path:
    xml = folder / "out" / f"{request.name}.xml"
    xml.parent.mkdir()
    order = {
        "model": model.name,
        "xml": f"out/{xml.name}",
        "half": request.half,
        "inputs": {
            name: {"shape": given.shape, "mean": given.mean, "scale": given.scale}
            for name, given in request.inputs.items()
        },
    }
    kept = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH")
    finished = run_process(
        # -s -P and not -I, which would also ignore the hash seed.
        [sys.executable, "-s", "-P", _PROGRAM, json.dumps(order)],
        seconds=request.seconds,
        cwd=folder,
        env={
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(folder),
            "PYTHONHASHSEED": "0",
            "LC_ALL": "C.UTF-8",
        },
    )
    if finished.returncode != 0 or not xml.exists():
        raise PipelineError(
            Code.MODEL,
            f"OpenVINO could not convert {model.name}.",
            where=request.name,
            found=f"exit status {finished.returncode}",
            hint="See its own last lines below.",
            detail=finished.last_lines(),
        )
    return xml
