"""Recognise files that no converter reads by their first bytes, and say what to do instead."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.source.expected_file import kind_of

_HEAD = 256
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_HEADER = 100 << 20
_KERAS = "Export it as a SavedModel (model.export), or as TFLite or ONNX."


def check_model_bytes(path: Path) -> None:
    """Raise PipelineError (MODEL) for a file that is known not to be a model of a converter.

    These are empty files, Git LFS pointers, HTML pages, Keras and HDF5 files, and safetensors.
    """
    if not path.is_file():
        return
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    what, hint = "", ""
    if kind := kind_of(head):
        what, hint = f"The file is a {kind}, not a model.", "Download the file itself."
        if kind == "Git LFS pointer":
            hint = "Run `git lfs pull` in its repository, or download the file itself."
    elif not head:
        what, hint = "The file is empty.", "Fetch or export it again."
    elif head.startswith(_HDF5):
        what, hint = "OpenVINO does not read Keras or other HDF5 files.", _KERAS
    elif _is_keras(path, head):
        what, hint = "OpenVINO does not read Keras archives.", _KERAS
    elif _is_safetensors(path, head):
        what = "A safetensors file holds only weights, without the network."
        hint = "Export the model as ONNX or TorchScript; or save its state dict with torch.save."
    if what:
        raise PipelineError(Code.MODEL, what, where=str(path), expected="a model's file", hint=hint)


def _is_keras(path: Path, head: bytes) -> bool:
    if not head.startswith(b"PK\x03\x04") or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "model.weights.h5"} <= set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Return whether a file begins with the size of a JSON object and the object."""
    size = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 2 <= size <= min(_LARGEST_HEADER, path.stat().st_size - 8):
        return False
    with path.open("rb") as stream:
        stream.seek(8)
        try:
            return isinstance(json.loads(stream.read(size)), dict)
        except (ValueError, RecursionError):
            return False
