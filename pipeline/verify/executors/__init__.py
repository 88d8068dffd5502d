"""Independent executors of source models: no line of OpenVINO takes part in their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.verify.executors.onnxruntime import run_onnxruntime
from pipeline.verify.executors.opencv import run_opencv


class Executor(Protocol):
    """Runs a source model once."""

    def __call__(
        self, files: Mapping[str, Path], inputs: Mapping[str, Any], outputs: Sequence[str]
    ) -> list[Any]:
        """Return the arrays of the named outputs for the arrays of the named inputs."""
        ...


EXECUTORS: Mapping[str, Executor] = {"onnxruntime": run_onnxruntime, "opencv": run_opencv}
PACKAGES: Mapping[str, str] = {
    "onnxruntime": "onnxruntime",
    "opencv": "opencv-python-headless",
}
