"""An existing IR in OpenVINO as it was given, where no other framework has its source model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.model.convert.ovc import place_files
from pipeline.verify.bfloat16 import BF16, as_array, as_tensor
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult
from pipeline.verify.float_kernels import in_f32, is_quantised


def run_openvino(request: InferenceRequest) -> InferenceResult:
    """Run the IR ``model`` with its ``weights``, before this project has changed anything in it.

    A quantised one runs without int8 kernels. Raises PipelineError (VERIFY).
    """
    import openvino

    place_files(request.files, request.folder, {"model": "model.xml", "weights": "model.bin"})
    xml = request.folder / "model.xml"
    try:
        model = openvino.Core().read_model(xml)
        ports = _by_name(model.inputs)
        shapes = {ports[name]: a.shape for name, a in request.inputs.items() if name in ports}
        model.reshape(shapes)
        compiled = in_f32(model, floats=is_quantised(xml))
        found = [_infer(compiled, draw, request.outputs) for draw in request.draws]
    except (RuntimeError, KeyError) as error:
        raise PipelineError(
            Code.VERIFY,
            "OpenVINO could not run the IR for the golden check.",
            where=request.files["model"].name,
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=str(error)[-800:],
        ) from None
    return InferenceResult(found[0], openvino.__version__, found[1:])


def _infer(compiled: Any, inputs: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
    given, made = _by_name(compiled.inputs), _by_name(compiled.outputs)
    request = compiled.create_infer_request()
    fed = {}
    for name, array in inputs.items():
        kind = given[name].element_type
        own = array if kind.get_type_name() == BF16 else array.astype(kind.to_dtype())
        fed[given[name]] = as_tensor(own, given[name])
    request.infer(fed)
    return [as_array(request.get_tensor(made[name])) for name in outputs]


def _by_name(ports: Sequence[Any]) -> dict[str, Any]:
    """Return ports by all of their names, and by their layer's where they have none."""
    found: dict[str, Any] = {}
    for port in ports:
        node = port.node
        layer = node.input_value(0).node if node.get_type_name() == "Result" else node
        found |= dict.fromkeys(port.names or {layer.friendly_name}, port)
    return found
