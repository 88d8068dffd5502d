"""The files of a model that is named on the command line, with those that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.model_tables import Framework


def model_files(
    paths: Sequence[Path], given: Framework | None
) -> tuple[Framework, Mapping[str, Path]]:
    """Return the framework, and the model's files including external data of an ONNX model.

    Raises PipelineError (USAGE, MODEL).
    """
    from pipeline.model.convert.external_data import external_data
    from pipeline.model.inspect.detect_framework import detect_framework

    framework, files = detect_framework(paths, given)
    if framework == "onnx":
        return framework, {**files, **external_data(files["model"])}
    return framework, files
