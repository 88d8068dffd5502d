"""Find the external data files that an ONNX model names, before a runtime reads it.

For a model from memory, OpenVINO opens such a file wherever it is, and ONNX Runtime opens it below
the current folder.
Field numbers are those of onnx.proto; the wire format is protobuf's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.host.backend import BackendError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEPTH = 100

# The messages that can contain a tensor: field number → type of message.
_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
}


def external_files(model: bytes | bytearray | mmap) -> list[str]:
    """Return the locations in all tensors' external_data, '' for one without a location.

    Raises ValueError for invalid protobuf.
    """
    # Released at once: a mapped file cannot be closed while a view of it exists.
    with memoryview(model) as whole:
        return list(_walk(whole, "Model", 0))


def check_parts(model: bytes | bytearray) -> None:
    """Raise BackendError for a model from memory with external data."""
    names = _references(model)
    if names:
        raise BackendError(
            f"the ONNX model has external data ({max(names)!r}), which guests may not "
            "load; save it with its weights embedded"
        )


def check_file(path: Path) -> None:
    """Raise BackendError for a model file with external data outside its folder."""
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise BackendError("not an ONNX model: empty")
            with mmap(stream.fileno(), 0, access=ACCESS_READ) as model:
                names = _references(model)
    except OSError as error:
        raise BackendError(f"cannot read a file of the graph: {error}") from None
    folder = path.parent.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder):
            raise BackendError(f"the ONNX model's external data {name!r} is outside its folder")


def _references(model: bytes | bytearray | mmap) -> list[str]:
    try:
        return external_files(model)
    except ValueError as error:
        raise BackendError(f"not an ONNX model: {error}") from None


def _walk(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        raise ValueError("messages nested too deep")
    if kind == "Entry":
        yield _location(message)
        return
    inner = _MESSAGES[kind]
    for number, value in _fields(message):
        if number in inner and isinstance(value, memoryview):
            yield from _walk(value, inner[number], depth + 1)
        elif kind == "Tensor" and number == 14 and value == 1:
            yield ""


def _location(entry: memoryview) -> str:
    texts = {
        number: bytes(value).decode(errors="replace")
        for number, value in _fields(entry)
        if isinstance(value, memoryview)
    }
    return texts.get(2, "") if texts.get(1) == "location" else ""


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire}")
        if length > len(message) - at:
            raise ValueError("truncated field")
        if wire == _BYTES:
            yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("truncated varint")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("varint of more than 64 bits")
