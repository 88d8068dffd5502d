"""Executors of source models: of other frameworks, and of an IR that has no source model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipeline.config.model_tables import ExecutorName
from pipeline.verify.executors.existing_ir import run_openvino
from pipeline.verify.executors.kaldi import run_kaldi
from pipeline.verify.executors.opencv import run_opencv
from pipeline.verify.executors.ort import run_onnxruntime
from pipeline.verify.executors.reference_executor import ReferenceExecutor
from pipeline.verify.executors.subprocess_executor import run_in_subprocess

EXECUTORS: Mapping[ExecutorName, ReferenceExecutor] = {
    "litert": ReferenceExecutor("tflite", partial(run_in_subprocess, "litert"), "ai-edge-litert"),
    "mxnet": ReferenceExecutor("mxnet", partial(run_in_subprocess, "mxnet"), "mxnet", "mo-mxnet"),
    "numpy": ReferenceExecutor("kaldi", run_kaldi, "numpy"),
    "onnxruntime": ReferenceExecutor("onnx", run_onnxruntime, "onnxruntime"),
    "opencv": ReferenceExecutor("caffe", run_opencv, "opencv-python-headless"),
    "openvino": ReferenceExecutor("openvino", run_openvino, "openvino"),
    "paddle": ReferenceExecutor(
        "paddle", partial(run_in_subprocess, "paddle"), "paddlepaddle", "paddle"
    ),
    "tensorflow": ReferenceExecutor(
        "tensorflow", partial(run_in_subprocess, "tensorflow"), "tensorflow", "tensorflow"
    ),
    "torch": ReferenceExecutor("pytorch", partial(run_in_subprocess, "torch"), "torch", "torch"),
}
