"""A third result of a quantised network: OpenVINO on the same IR, with f32 kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.verify.bfloat16 import as_array, as_tensor

# OpenVINO's options under which floats stay f32, on processors with bf16 and with VNNI too.
EXACT: Mapping[str, Any] = MappingProxyType(
    {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
)


def is_quantised(xml: Path) -> bool:
    """Return whether an IR has layers that quantise, so that int8 kernels may run it."""
    return b'type="FakeQuantize"' in xml.read_bytes()


def infer_in_floats(xml: Path, inputs: Sequence[Any]) -> list[Any]:
    """Return the outputs of an IR whose int8 weights were widened to floats in memory.

    It then has the same quantised values and nothing that int8 kernels could run, which on
    processors without VNNI lose what does not fit into 16 bits. ``inputs`` and outputs are arrays
    by index.
    """
    import openvino

    compiled = in_f32(openvino.Core().read_model(xml), floats=True)
    request = compiled.create_infer_request()
    for index, array in enumerate(inputs):
        request.set_input_tensor(index, as_tensor(array, compiled.inputs[index]))
    request.infer()
    return [as_array(request.get_output_tensor(i)) for i in range(len(compiled.outputs))]


def in_f32(model: Any, *, floats: bool) -> Any:
    """Return a model compiled for f32; with ``floats`` its int8 weights are widened first."""
    import openvino
    from openvino import opset13

    bytes_ = (openvino.Type.i8, openvino.Type.u8)
    for node in model.get_ops() if floats else ():
        if node.get_type_name() != "Convert":
            continue
        source = node.input_value(0).get_node()
        kind = node.get_element_type()
        if source.get_type_name() == "Constant" and source.get_element_type() in bytes_:
            wide = opset13.constant(source.data.astype(kind.to_dtype()))
            node.output(0).replace(wide.output(0))
    return openvino.Core().compile_model(model, "CPU", dict(EXACT))
