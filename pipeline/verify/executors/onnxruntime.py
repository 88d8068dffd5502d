"""ONNX models in ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError


def run_onnxruntime(
    files: Mapping[str, Path], inputs: Mapping[str, Any], outputs: Sequence[str]
) -> list[Any]:
    """Run the ONNX file ``model``."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            files["model"].read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(list(outputs), dict(inputs)))
    except Exception as error:  # its exceptions share no class but this
        raise PipelineError(
            Code.VERIFY,
            "ONNX Runtime could not run the model for the golden check.",
            where=files["model"].name,
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=str(error)[-800:],
        ) from None
