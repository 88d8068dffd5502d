"""ONNX models in ONNX Runtime, on its CPU provider."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.ovc import place_files
from pipeline.protobuf.wire import bytes_field
from pipeline.tensor.element_values import as_floats, as_type
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult

# ONNX Runtime's names of types to NumPy's.
_INTEGERS = {
    "bool": "bool",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_NEAR = 1e-3
_BF16 = "tensor(bfloat16)"
_NO_KERNEL = re.compile(r"Could not find an implementation for (?P<name>\w+)\((?P<opset>\d+)\)")


def run_onnxruntime(request: InferenceRequest) -> InferenceResult:
    """Run the ONNX file ``model``, with its external data beside it.

    Raises PipelineError: MODEL for external data outside of its folder, VERIFY.
    """
    import onnxruntime

    check_external_data(request.files["model"])
    options = onnxruntime.SessionOptions()
    # It also raises what it would print.
    options.log_severity_level = 4
    # Threads that wait without sleeping take the processor from other steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    place_files(request.files, request.folder, {"model": "model.onnx"})
    try:
        session = _session(request, options, ())
        known = {given.name for given in session.get_outputs()}
        if inner := [name for name in request.outputs if name not in known]:
            session = _session(request, options, inner)
        found = [_run(session, request.outputs, inputs) for inputs in request.draws]
        if request.moved is not None:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            plain = _session(request, options, ())
            found.append(_run(plain, request.outputs, request.inputs))
    except Exception as error:  # its exceptions share no class but this
        if missing := _NO_KERNEL.search(str(error)):
            raise PipelineError(
                Code.VERIFY,
                "ONNX Runtime's CPU provider has no kernel for an operation of the model.",
                where=request.files["model"].name,
                found=f"{missing['name']} of opset {missing['opset']} in the types of this model "
                "(of bfloat16, it has few)",
                hint="Name an export in float32 in [golden.files].",
            ) from None
        raise PipelineError(
            Code.VERIFY,
            "ONNX Runtime could not run the model for the golden check.",
            where=request.files["model"].name,
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=str(error)[-800:],
        ) from None
    return InferenceResult(found[0], onnxruntime.__version__, found[1:])


def _run(session: Any, outputs: Sequence[str], inputs: Mapping[str, Any]) -> Sequence[Any]:
    fed = {
        given.name: _as_declared(array, given)
        for given in session.get_inputs()
        if (array := inputs.get(given.name)) is not None
    }
    fed = {**inputs, **fed}
    ports = {port.name: port.type for port in (*session.get_inputs(), *session.get_outputs())}
    if _BF16 in ports.values():
        return _run_with_bf16(session, outputs, fed, ports)
    found: Sequence[Any] = session.run(list(outputs), fed)
    return found


def _run_with_bf16(
    session: Any, outputs: Sequence[str], inputs: Mapping[str, Any], types: Mapping[str, str]
) -> Sequence[Any]:
    """Run a model with inputs or outputs of bf16, which its arrays of NumPy do not have."""
    from onnxruntime import OrtValue

    # A value does not keep the array of its elements.
    bits = {name: as_type(a, "bf16")[0] for name, a in inputs.items() if types.get(name) == _BF16}
    number = ELEMENT_TYPES["bf16"].onnx
    values = {
        name: OrtValue.ortvalue_from_numpy_with_onnx_type(bits[name], number)
        if name in bits
        else OrtValue.ortvalue_from_numpy(array)
        for name, array in inputs.items()
    }
    return [_array(each) for each in session.run_with_ort_values(list(outputs), values)]


def _array(value: Any) -> Any:
    import numpy

    if value.data_type() != _BF16:
        return value.numpy()
    shape = value.shape()
    count = math.prod(shape)
    data = ctypes.string_at(value.data_ptr(), 2 * count) if count else b""
    return as_floats(numpy.frombuffer(data, "<u2"), "bf16").reshape(shape)


def _as_declared(array: Any, given: Any) -> Any:
    """Return an input in the model's own type and shape, where the IR's has another one.

    Floats become integers as in the IR, towards zero; those that a draw moved by rounding error
    stay the integers that they were.
    """
    import numpy

    if not given.shape:
        # A scalar: the IR's has one axis.
        array = array.reshape(())
    own = _INTEGERS.get(given.type.removeprefix("tensor(").removesuffix(")"))
    if own is None or array.dtype == own:
        return array
    if array.dtype.kind == "f":
        whole = numpy.rint(array)
        array = numpy.where(numpy.abs(array - whole) < _NEAR, whole, numpy.trunc(array))
    return array.astype(own)


def _session(request: InferenceRequest, options: Any, more: Sequence[str]) -> Any:
    """Return a session whose outputs are the model's, and more tensors inside of it.

    Of two messages of protobuf one behind the other, the second adds to the first: fields are
    ModelProto.graph (7), GraphProto.output (12) and ValueInfoProto.name (1).
    """
    import onnxruntime

    path = request.folder / "model.onnx"
    with path.open("ab") as stream:
        for name in more:
            stream.write(bytes_field(7, bytes_field(12, bytes_field(1, name.encode()))))
    # Falling back to the same provider only prints.
    return onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"], enable_fallback=0
    )
