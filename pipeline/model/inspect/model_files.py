"""The files of a model that is named on the command line, with those that it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.config.model_tables import Framework


def model_files(
    paths: Sequence[Path], given: Framework | None
) -> tuple[Framework, Mapping[str, Path]]:
    """Return the framework, and the model's files including those that it refers to.

    These are external data of an ONNX model, and the .bin of an IR; they may be named too. Raises
    PipelineError (USAGE, MODEL).
    """
    from pipeline.model.convert.external_data import external_data
    from pipeline.model.inspect.detect_framework import detect_framework

    paths = _with_weights(_without_external_data(paths))
    framework, files = detect_framework(paths, given)
    if framework == "onnx":
        return framework, {**files, **external_data(files["model"])}
    return framework, files


def _without_external_data(paths: Sequence[Path]) -> Sequence[Path]:
    """Return the files without those that the only ONNX model among them refers to."""
    from pipeline.model.convert.external_data import external_data

    models = [path for path in paths if path.suffix.lower() == ".onnx" and path.is_file()]
    if len(paths) == 1 or len(models) != 1:
        return paths
    own = {path.absolute() for path in external_data(models[0]).values()}
    return [path for path in paths if path.absolute() not in own]


def _with_weights(paths: Sequence[Path]) -> Sequence[Path]:
    """Return an IR's .xml with the .bin beside it; other files as they are."""
    if len(paths) == 1 and paths[0].suffix.lower() == ".xml":
        weights = paths[0].with_suffix(".bin")
        return [*paths, *([weights] if weights.is_file() else [])]
    return paths
