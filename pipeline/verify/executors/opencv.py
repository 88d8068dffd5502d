"""Caffe models in OpenCV's own network engine (OpenCV before 5, which dropped Caffe)."""

from __future__ import annotations

from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.verify.executors.executor import Answer, Question


def run_opencv(question: Question) -> Answer:
    """Run a caffemodel (``weights``) with its prototxt (``topology``) in float32."""
    import cv2
    import numpy

    def read(label: str) -> Any:
        # From memory, since OpenCV cannot open every path that Python can.
        return numpy.frombuffer(question.files[label].read_bytes(), numpy.uint8)

    try:
        net = cv2.dnn.readNetFromCaffe(read("topology"), read("weights"))
        for name, array in question.inputs.items():
            net.setInput(array, name)
        return Answer(list(net.forward(list(question.outputs))), cv2.__version__)
    except cv2.error as error:
        raise PipelineError(
            Code.VERIFY,
            "OpenCV could not run the Caffe model for the golden check.",
            where=question.files["topology"].name,
            detail="\n".join(str(error).splitlines()[:6]),
        ) from None
