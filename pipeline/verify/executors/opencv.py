"""Caffe models in OpenCV's own network engine (OpenCV before 5, which dropped Caffe)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult


def run_opencv(request: InferenceRequest) -> InferenceResult:
    """Run a caffemodel (``weights``) with its prototxt (``topology``) in float32."""
    import cv2
    import numpy

    def read(label: str) -> Any:
        # From memory, since OpenCV cannot open every path that Python can.
        return numpy.frombuffer(request.files[label].read_bytes(), numpy.uint8)

    try:
        net = cv2.dnn.readNetFromCaffe(read("topology"), read("weights"))
        found = [_run(net, request.outputs, inputs) for inputs in request.draws]
        if request.moved is not None:
            net.enableFusion(False)
            net.enableWinograd(False)
            found.append(_run(net, request.outputs, request.inputs))
        return InferenceResult(found[0], cv2.__version__, found[1:])
    except cv2.error as error:
        raise PipelineError(
            Code.VERIFY,
            "OpenCV could not run the Caffe model for the golden check.",
            where=request.files["topology"].name,
            detail="\n".join(str(error).splitlines()[:6]),
        ) from None


def _run(net: Any, outputs: Sequence[str], inputs: Mapping[str, Any]) -> list[Any]:
    for name, array in inputs.items():
        net.setInput(array, name)
    # The arrays are the network's own, which the next run overwrites.
    return [array.copy() for array in net.forward(list(outputs))]
