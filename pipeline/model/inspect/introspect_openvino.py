"""Inspect ONNX, Paddle, TensorFlow, TFLite models and IRs with OpenVINO, in a child process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.cache.json_decoding import decode_json
from pipeline.child_python.commands import seeded_command
from pipeline.config.model_tables import Framework, Model
from pipeline.execution.process import run_process
from pipeline.model.convert.converter_errors import converter_error
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.ovc import PROGRAMS, place_files
from pipeline.model.convert.request import Request
from pipeline.model.convert.signatures import with_signature
from pipeline.model.inspect.model_interface import ModelInterface
from pipeline.telemetry import private_home

_SECONDS = 600.0
_FIRST = {
    "onnx": ".onnx",
    "openvino": ".xml",
    "paddle": ".pdmodel",
    "tensorflow": ".pb",
    "tflite": ".tflite",
}
# Frameworks whose weights are a second file beside the first, with this suffix.
_SECOND = {"openvino": ("weights", ".bin"), "paddle": ("params", ".pdiparams")}


def introspect_openvino(
    framework: Framework, files: Mapping[str, Path], folder: Path, signature: str | None
) -> ModelInterface:
    """Return the outline of a model; raises PipelineError (MODEL, TIME_LIMIT)."""
    if framework == "onnx":
        check_external_data(files["model"])
    files = with_signature(framework, files, signature, folder)
    target = folder / "outline.json"
    payload = {"model": str(_model(framework, files, folder)), "outline": str(target)}
    finished = run_process(
        seeded_command(
            PROGRAMS / "introspect_file.py", json.dumps(payload), python=Path(sys.executable)
        ),
        seconds=_SECONDS,
        cwd=folder,
        env=private_home(folder),
    )
    if finished.returncode != 0 or not target.exists():
        name = next(iter(files.values())).name
        model = Model(framework=framework, files={}, inputs={}, precision="f32")
        request = Request(
            name=name, model=model, files=files, python=Path(sys.executable), seconds=_SECONDS
        )
        error = converter_error(request, "OpenVINO", finished)
        if "--input" in error.hint:
            # There is no config or --input yet to correct.
            error.hint = "Check that the model is complete; or export it in another format."
        raise error
    return decode_json(target.read_bytes(), ModelInterface)


def _model(framework: str, files: Mapping[str, Path], folder: Path) -> Path:
    """Return a path of the model with a suffix known to OpenVINO."""
    ending = _FIRST[framework]
    if "saved_model.pb" in files:
        return files["saved_model.pb"].absolute().parent
    label = "graph" if framework == "tensorflow" else "model"
    given = files[label]
    second, suffix = _SECOND.get(framework, ("", ""))
    alone = not second or files[second] == given.with_suffix(suffix)
    # External data is found relative to the original folder.
    if given.suffix == ending and alone:
        return given.absolute()
    names = {label: f"model{ending}", second: f"model{suffix}"}
    place_files(files, folder, names)
    return folder / names[label]
