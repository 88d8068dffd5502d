"""The step ``ir``: one model to canonical IR, whatever its framework."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from pipeline.config.model_tables import Model
from pipeline.errors import Code, PipelineError
from pipeline.model.caffe import convert_caffe
from pipeline.model.canonical import canonical_xml, weights_size
from pipeline.model.direct import convert_onnx, convert_tensorflow
from pipeline.model.interface import read_interface
from pipeline.model.request import Converter, Interface, Request
from pipeline.toolchain.locked import Environment, require
from pipeline.work.action import Job

CONVERTERS: Mapping[str, Converter] = {
    "caffe": convert_caffe,
    "onnx": convert_onnx,
    "tensorflow": convert_tensorflow,
}


def convert(job: Job) -> None:
    """Recipe: convert a model.

    Inputs: the model's files under their framework's names, and ``stamp`` of the toolchain where
    there is one; then ``means`` has its ``environment``. Outputs: ``xml``, ``bin``, the same
    again as ``alias.xml`` and ``alias.bin``, and ``interface`` (JSON). Parameters: ``name``,
    ``model`` (the config's table) and ``seconds``. Raises PipelineError (MODEL, TOOLCHAIN,
    TIME_LIMIT).
    """
    model = msgspec.convert(job.parameters["model"], Model)
    environment = _environment(job)
    request = Request(
        name=str(job.parameters["name"]),
        files={label: path for label, path in job.inputs.items() if label in model.files},
        inputs=model.inputs,
        half=model.precision == "f16",
        seconds=float(str(job.parameters["seconds"])),
        environment=environment,
    )
    raw = CONVERTERS[model.framework](request, job.scratch)
    xml = canonical_xml(raw.read_bytes())
    weights = raw.with_suffix(".bin")
    if weights_size(xml) != weights.stat().st_size:
        raise PipelineError(
            Code.MODEL,
            f"The converted xml and bin of {request.name} do not belong together.",
            expected=f"{weights_size(xml)} bytes of weights, as the xml says",
            found=f"{weights.stat().st_size} bytes",
        )
    job.outputs["xml"].write_bytes(xml)
    shutil.copyfile(weights, job.outputs["bin"])
    # Read as a pair, with the names that a user's host will see.
    pair = job.scratch / "pair" / job.outputs["xml"].name
    pair.parent.mkdir()
    pair.write_bytes(xml)
    shutil.copyfile(weights, pair.with_suffix(".bin"))
    interface = read_interface(pair)
    _check_inputs(interface, model, request.name)
    job.outputs["interface"].write_bytes(msgspec.json.format(msgspec.json.encode(interface)))
    shutil.copyfile(job.outputs["xml"], job.outputs["alias.xml"])
    shutil.copyfile(job.outputs["bin"], job.outputs["alias.bin"])


def _environment(job: Job) -> Path | None:
    """Return the converter's environment, which is made here if a stamp is all there is of it."""
    if "stamp" not in job.inputs:
        return None
    environment = cast("Environment", job.means["environment"])
    require(environment, job.inputs["stamp"].read_bytes(), job.scratch)
    return environment.folder


def _check_inputs(interface: Interface, model: Model, name: str) -> None:
    for given, spec in model.inputs.items():
        port = next((port for port in interface.inputs if given in port.names), None)
        if port is None:
            raise PipelineError(
                Code.MODEL,
                f"The model {name} has no input {given!r}.",
                found=", ".join(port.name for port in interface.inputs),
                hint="Use one of these names under [model.inputs].",
            )
        if port.shape != spec.shape:
            raise PipelineError(
                Code.MODEL,
                f"Input {given!r} of {name} came out with another shape.",
                expected="x".join(map(str, spec.shape)),
                found="x".join(map(str, port.shape)),
            )
