"""Find the external data files of an ONNX model, before a converter or a framework reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.cache.confined_path import path_fault
from pipeline.errors import Code, PipelineError
from pipeline.host.onnx_external_data import is_memory_address, mapped_external_files
from pipeline.protobuf.wire import WireError


def external_data(model: Path) -> Mapping[str, Path]:
    """Return an ONNX model's external data files, by the names in the model.

    A file may be a link, as in the cache of huggingface_hub: whoever names the model owns its
    folder. Raises PipelineError (MODEL) if the model is damaged, or a file is missing, or its name
    leads out of the folder.
    """
    found = {}
    for name in sorted(check_external_data(model)):
        path = model.parent / name
        if not path.is_file():
            raise PipelineError(
                Code.MODEL,
                "The model's external data file is missing.",
                where=str(model),
                expected=str(path),
                found="no file",
                hint="Put it beside the model, under this name.",
            )
        found[name] = path
    return found


def check_external_data(model: Path) -> set[str]:
    """Return the names of an ONNX model's external data files, which may be missing.

    Raises PipelineError (MODEL) if the model is damaged, or a name leads out of its folder.
    """
    try:
        names = {name for name in mapped_external_files(model) if name}
    except OSError as error:
        raise _damaged(model, error.strerror or str(error)) from None
    except WireError as error:
        with model.open("rb") as stream:
            begin = stream.read(16)
        raise _damaged(model, f"{error}; it starts with {begin!r}") from None
    for name in sorted(names):
        memory = "a file, not an address in memory" if is_memory_address(name) else ""
        if fault := memory or path_fault(name):
            raise PipelineError(
                Code.MODEL,
                "The model's external data is outside its folder.",
                where=str(model),
                expected=fault,
                found=repr(name[:200]),
            )
    return names


def _damaged(model: Path, found: str) -> PipelineError:
    return PipelineError(
        Code.MODEL,
        "The model is damaged or in another format.",
        where=str(model),
        found=found,
        hint="Check that it is complete and an ONNX model.",
    )
