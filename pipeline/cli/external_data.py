"""The files that an ONNX model on the command line keeps its weights in, found beside it."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path

from pipeline.config.addresses import path_fault
from pipeline.errors import Code, PipelineError
from pipeline.host.onnx_references import external_files


def external_data(model: Path) -> Mapping[str, Path]:
    """Return the external data of an ONNX model, by the paths that the model knows it by.

    Of a file that is no ONNX model there are none: its converter tells why. Raises PipelineError
    (MODEL) when a file that is named is not there, or not below the model's own folder.
    """
    found = {}
    for name in sorted(set(_names(model))):
        if fault := path_fault(name):
            raise PipelineError(
                Code.MODEL,
                "The model keeps weights in a file that is not below its own folder.",
                where=str(model),
                expected=fault,
                found=repr(name[:200]),
            )
        path = model.parent / name
        inside = path.resolve().is_relative_to(model.parent.resolve())
        if not path.is_file() or not inside:
            raise PipelineError(
                Code.MODEL,
                "The model keeps weights in a file that is not there.",
                where=str(model),
                expected=str(path),
                found="no file" if inside else "a link that leads out of the folder",
                hint="Put it beside the model, under this name.",
            )
        found[name] = path
    return found


def _names(model: Path) -> list[str]:
    try:
        if model.stat().st_size == 0:
            return []
        with (
            model.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return [name for name in external_files(data) if name]
    except (OSError, ValueError):
        return []
