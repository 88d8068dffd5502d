"""The step ``ir``: convert a model of any framework to canonical IR."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.config.model_tables import Framework, Model
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert import mo, ovc
from pipeline.model.convert.request import Converter, Request
from pipeline.model.convert.signatures import with_signature
from pipeline.model.inspect.model_bytes import check_model_bytes
from pipeline.model.ir.canonical_xml import canonical_or_refused, weights_size
from pipeline.model.ir.interface import read_interface
from pipeline.toolchain.environment import python_for

CONVERTERS: Mapping[Framework, Converter] = {
    "caffe": mo.convert_caffe,
    "kaldi": mo.convert_kaldi,
    "mxnet": mo.convert_mxnet,
    "onnx": ovc.convert_onnx,
    "openvino": ovc.convert_ir,
    "paddle": ovc.convert_paddle,
    "pytorch": ovc.convert_pytorch,
    "tensorflow": ovc.convert_tensorflow,
    "tflite": ovc.convert_tflite,
}
# Converters that run in a toolchain's environment.
TOOLCHAINS: Mapping[str, str] = {
    "caffe": "mo",
    "kaldi": "mo",
    "mxnet": "mo-mxnet",
    "pytorch": "torch",
}


def convert(job: Job) -> None:
    """Recipe: convert a model.

    Inputs: the model's files by the framework's labels, and a toolchain's stamp if required (see
    python_for). Outputs: ``xml``, ``bin``, copies ``alias.xml`` and ``alias.bin``, and
    ``interface`` (JSON). Parameters: ``name``, ``model`` (the config's table), ``seconds`` and, if
    a case has shapes of its own, ``cases``: case → input → shape. Raises PipelineError (MODEL,
    TOOLCHAIN, TIME_LIMIT).
    """
    model = convert_value(job.parameters["model"], Model)
    request = Request(
        name=str(job.parameters["name"]),
        model=model,
        files={label: path for label, path in job.inputs.items() if label != "converter.stamp"},
        python=python_for(job, "converter"),
        seconds=float(str(job.parameters["seconds"])),
    )
    xml, weights = make_ir(request, job.scratch)
    job.outputs["xml"].write_bytes(xml)
    shutil.copyfile(weights, job.outputs["bin"])
    # Read as a pair, under the names that hosts will use.
    pair = job.scratch / "pair" / job.outputs["xml"].name
    pair.parent.mkdir()
    pair.write_bytes(xml)
    shutil.copyfile(weights, pair.with_suffix(".bin"))
    interface = read_interface(pair, model, case_shapes(job))
    job.outputs["interface"].write_bytes(msgspec.json.format(msgspec.json.encode(interface)))
    write_aliases(job)


def case_shapes(job: Job) -> Mapping[str, Mapping[str, list[int]]]:
    """Return the shapes of the inputs in each case that has its own."""
    return cast(Mapping[str, Mapping[str, list[int]]], job.parameters.get("cases", {}))


def write_aliases(job: Job) -> None:
    """Copy the IR to the file names that load_by_name expects, if declared as outputs."""
    for label in ("xml", "bin"):
        if alias := job.outputs.get(f"alias.{label}"):
            shutil.copyfile(job.outputs[label], alias)


def make_ir(request: Request, folder: Path) -> tuple[bytes, Path]:
    """Convert inside ``folder``; return the canonical xml and the path of the .bin.

    Raises PipelineError (MODEL, TIME_LIMIT).
    """
    model = request.model
    for label, path in request.files.items():
        # A network without constants has no weights.
        if (model.framework, label) != ("openvino", "weights"):
            check_model_bytes(path)
    files = with_signature(model.framework, request.files, model.signature, folder)
    raw = CONVERTERS[model.framework](replace(request, files=files), folder)
    xml = canonical_or_refused(raw.read_bytes(), request.name)
    weights = raw.with_suffix(".bin")
    if weights_size(xml) != weights.stat().st_size:
        raise PipelineError(
            Code.MODEL,
            f"The converted xml and bin of {request.name} do not match.",
            expected=f"{weights_size(xml)} bytes of weights, as stated in the xml",
            found=f"{weights.stat().st_size} bytes",
        )
    return xml, weights
