"""Convert ONNX, Paddle, TensorFlow, TFLite and PyTorch to IR with OpenVINO, in a child process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from pipeline.child_python.commands import seeded_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.model.convert.converter_errors import converter_error
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.request import Request
from pipeline.model.convert.torch_archive import check_archive
from pipeline.telemetry import private_home

PROGRAMS = Path(__file__).with_name("programs")


def convert_onnx(request: Request, folder: Path) -> Path:
    """Convert an ONNX file (``model``), with its external data beside it.

    Raises PipelineError (MODEL), also for external data outside of its folder.
    """
    check_external_data(request.files["model"])
    place_files(request.files, folder, {"model": f"{request.name}.onnx"})
    return _convert(request, folder, f"{request.name}.onnx")


def convert_ir(request: Request, folder: Path) -> Path:
    """Prepare an existing IR (``model``, an .xml, and ``weights``, its .bin)."""
    names = {"model": f"{request.name}.xml", "weights": f"{request.name}.bin"}
    place_files(request.files, folder, names)
    return _convert(request, folder, names["model"])


def convert_paddle(request: Request, folder: Path) -> Path:
    """Convert a Paddle inference model (``model``) and its weights (``params``).

    Raises PipelineError (MODEL), also for a program in JSON, the default of Paddle 3.
    """
    with request.files["model"].open("rb") as stream:
        if stream.read(1) == b"{":
            raise PipelineError(
                Code.MODEL,
                "OpenVINO does not read Paddle models in JSON.",
                where=request.files["model"].name,
                expected="a .pdmodel",
                hint="Save it with FLAGS_enable_pir_api=0, or export it to ONNX.",
            )
    names = {"model": f"{request.name}.pdmodel", "params": f"{request.name}.pdiparams"}
    place_files(request.files, folder, names)
    return _convert(request, folder, names["model"])


def convert_pytorch(request: Request, folder: Path) -> Path:
    """Convert a state dict (``weights``), TorchScript, or an exported program."""
    for path in request.files.values():
        check_archive(path)
    return _convert(request, folder, request.name, program="convert_pytorch.py")


def convert_tensorflow(request: Request, folder: Path) -> Path:
    """Convert a frozen graph (``graph``), or a SavedModel folder from its files."""
    if set(request.files) == {"graph"}:
        place_files(request.files, folder, {"graph": f"{request.name}.pb"})
        return _convert(request, folder, f"{request.name}.pb")
    place_files(request.files, folder / request.name, {})
    return _convert(request, folder, request.name)


def convert_tflite(request: Request, folder: Path) -> Path:
    """Convert a TFLite file (``model``)."""
    place_files(request.files, folder, {"model": f"{request.name}.tflite"})
    return _convert(request, folder, f"{request.name}.tflite")


def place_files(files: Mapping[str, Path], folder: Path, names: Mapping[str, str]) -> None:
    """Copy files to a folder, named by ``names[label]``, or by the label, a relative path."""
    for label, path in files.items():
        place = folder.joinpath(*PurePosixPath(names.get(label, label)).parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _convert(request: Request, folder: Path, model: str, program: str = "convert_file.py") -> Path:
    xml = folder / "out" / f"{request.name}.xml"
    xml.parent.mkdir()
    payload = {
        "model": model,
        "files": {label: str(path.absolute()) for label, path in request.files.items()},
        "architecture": request.model.architecture,
        "seed": request.model.seed,
        "inputs": msgspec.to_builtins(request.model.inputs),
        "outputs": msgspec.to_builtins(request.model.outputs),
        "xml": f"out/{xml.name}",
        "half": request.half,
    }
    finished = run_process(
        seeded_command(PROGRAMS / program, json.dumps(payload), python=request.python),
        seconds=request.seconds,
        cwd=folder,
        env=private_home(folder),
    )
    if finished.returncode != 0 or not xml.exists():
        raise converter_error(request, "OpenVINO", finished)
    return xml
