"""ONNX models in ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.ovc import place_files
from pipeline.protobuf.wire import bytes_field
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult

# ONNX Runtime's names of types to NumPy's.
_INTEGERS = {
    "bool": "bool",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_NEAR = 1e-3


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
    found: Sequence[Any] = session.run(list(outputs), {**inputs, **fed})
    return found


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
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
