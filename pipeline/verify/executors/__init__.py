"""Independent executors of source models: no line of OpenVINO takes part in their answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipeline.config.model_tables import ExecutorName
from pipeline.verify.executors.kaldi import run_kaldi
from pipeline.verify.executors.opencv import run_opencv
from pipeline.verify.executors.ort import run_onnxruntime
from pipeline.verify.executors.reference_executor import Executor
from pipeline.verify.executors.subprocess_executor import run_apart

EXECUTORS: Mapping[ExecutorName, Executor] = {
    "litert": Executor("tflite", partial(run_apart, "litert"), "ai-edge-litert"),
    "mxnet": Executor("mxnet", partial(run_apart, "mxnet"), "mxnet", "mo-mxnet"),
    "numpy": Executor("kaldi", run_kaldi, "numpy"),
    "onnxruntime": Executor("onnx", run_onnxruntime, "onnxruntime"),
    "opencv": Executor("caffe", run_opencv, "opencv-python-headless"),
    "paddle": Executor("paddle", partial(run_apart, "paddle"), "paddlepaddle", "paddle"),
    "tensorflow": Executor(
        "tensorflow", partial(run_apart, "tensorflow"), "tensorflow", "tensorflow"
    ),
    "torch": Executor("pytorch", partial(run_apart, "torch"), "torch", "torch"),
}
