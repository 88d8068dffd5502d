"""fixture.txt: a few plain lines that tell a guest its files, inputs and outputs.

A guest cannot ask every host for the sizes of outputs, so they stand here::

    encoding openvino
    file squeezenet.xml
    file squeezenet.bin
    case cat
    input 0 cat-1x3x227x227-f32.bgr f32 1x3x227x227
    output 0 cat-1x1000x1x1-f32.raw f32 1x1000x1x1

``output`` names the file that the guest writes into its preopen ``out``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pipeline.cache.json_decoding import decode_json
from pipeline.config.case_rules import file_parts
from pipeline.config.model_tables import CARRIED
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.host.abi.enums import TENSOR_TYPES
from pipeline.model.convert.request import Interface, Port
from pipeline.tensor.spec import TensorSpec, file_name

_FIELD_TYPES = TENSOR_TYPES[2023]


def describe(job: Job) -> None:
    """Recipe: write ``descriptor`` and put the ``guest`` beside it, and its ``component``.

    Inputs: ``interface`` (of the IR), ``guest`` (wasm), ``component`` if there is one, and what
    outputs are compared with, ``expected.<case>.<kind>``.
    Parameters: ``files`` (names of xml and bin) and ``cases``: case → model input → tensor file
    name.
    """
    interface = decode_json(job.inputs["interface"].read_bytes(), Interface)
    cases = cast(Mapping[str, Mapping[str, str]], job.parameters["cases"])
    files = cast(list[str], job.parameters["files"])
    job.outputs["descriptor"].write_text(descriptor_text(interface, files, cases))
    for label in job.inputs.keys() - {"interface"}:
        shutil.copyfile(job.inputs[label], job.outputs[label])


def descriptor_text(
    interface: Interface, files: Sequence[str], cases: Mapping[str, Mapping[str, str]]
) -> str:
    """Return the text of fixture.txt; ``cases`` is case → model input → tensor file name."""
    lines = ["encoding openvino", *(f"file {name}" for name in files)]
    for case, tensors in cases.items():
        lines.append(f"case {case}")
        shaped = interface.of_case(case)
        for index, port in enumerate(shaped.inputs):
            name = next(given for given in port.names if given in tensors)
            lines.append(f"input {index} {tensors[name]} {_type(port)} {_dims(port)}")
        for index, (port, file) in enumerate(
            zip(shaped.outputs, output_files(shaped, case), strict=True)
        ):
            lines.append(f"output {index} {file} {_type(port)} {_dims(port)}")
    return "\n".join(lines) + "\n"


def output_files(interface: Interface, case: str) -> list[str]:
    """Return the name of each output's raw file, in the order of the outputs.

    ``interface`` has the shapes of the case.
    """
    several = len(interface.outputs) > 1
    parts = file_parts([port.name for port in interface.outputs])
    return [
        file_name(output_spec(port), case, parts[port.name] if several else None)
        for port in interface.outputs
    ]


def output_spec(port: Port) -> TensorSpec:
    """Return the spec of an output as a raw tensor."""
    return TensorSpec(dims=port.shape, type=cast(Any, _type(port)), colour=None, layout=None)


def _type(port: Port) -> str:
    if port.type not in _FIELD_TYPES:
        raise PipelineError(
            Code.MODEL,
            f"{port.name} has an element type that wasi-nn cannot carry.",
            expected=", ".join(_FIELD_TYPES),
            found=port.type,
            hint=f'Set type = "{CARRIED[port.type]}" of that input or output in [model].'
            if port.type in CARRIED
            else "Convert a model without it.",
        )
    return port.type


def _dims(port: Port) -> str:
    return "x".join(map(str, port.shape))
