"""Find the external data files of an ONNX model given on the command line."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path

from pipeline.config.address_rules import path_fault
from pipeline.errors import Code, PipelineError
from pipeline.host.onnx_external_data import external_files


def external_data(model: Path) -> Mapping[str, Path]:
    """Return an ONNX model's external data files, by the names in the model.

    A file that is not an ONNX model has none: its converter reports the error. Raises PipelineError
    (MODEL) if a file is missing, or outside the model's folder.
    """
    found = {}
    for name in sorted(set(_names(model))):
        if fault := path_fault(name):
            raise PipelineError(
                Code.MODEL,
                "The model's external data is outside its folder.",
                where=str(model),
                expected=fault,
                found=repr(name[:200]),
            )
        path = model.parent / name
        inside = path.resolve().is_relative_to(model.parent.resolve())
        if not path.is_file() or not inside:
            raise PipelineError(
                Code.MODEL,
                "The model's external data file is missing.",
                where=str(model),
                expected=str(path),
                found="no file" if inside else "a link to outside the folder",
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
