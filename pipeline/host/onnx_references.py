"""The files that an ONNX model names as the place of its weights, found before it is read.

OpenVINO opens such a file on the model's word, wherever it is, when the model comes from memory;
ONNX Runtime does so below the folder that it runs in.
Field numbers are those of onnx.proto; the wire format is protobuf's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.host.backend import BackendFailure

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEPTH = 100

# The messages on the way to a tensor: field number → the message it holds.
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
    """Return the locations in every tensor's external_data, '' for one without a location.

    Raises ValueError for bytes that are no protobuf message.
    """
    # Released at once: a file that is mapped cannot be closed while a part of it is looked at.
    with memoryview(model) as whole:
        return list(_walk(whole, "Model", 0))


def check_parts(model: bytes | bytearray) -> None:
    """Raise BackendFailure for a model from memory that keeps weights in a file."""
    names = _references(model)
    if names:
        raise BackendFailure(
            f"the ONNX model keeps weights in another file ({max(names)!r}), which no guest may "
            "open; save it with its weights inside"
        )


def check_file(path: Path) -> None:
    """Raise BackendFailure for a model's file that keeps weights outside its own folder."""
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise BackendFailure("these bytes are no ONNX model: there are none")
            with mmap(stream.fileno(), 0, access=ACCESS_READ) as model:
                names = _references(model)
    except OSError as error:
        raise BackendFailure(f"a file of the graph cannot be read: {error}") from None
    folder = path.parent.resolve()
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder):
            raise BackendFailure(
                f"the ONNX model keeps weights in {name!r}, which is not below its own folder"
            )


def _references(model: bytes | bytearray | mmap) -> list[str]:
    try:
        return external_files(model)
    except ValueError as error:
        raise BackendFailure(f"these bytes are no ONNX model: {error}") from None


def _walk(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        raise ValueError("its messages are nested too deep")
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
            raise ValueError(f"there is no wire type {wire}")
        if length > len(message) - at:
            raise ValueError("it ends inside a field")
        if wire == _BYTES:
            yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends inside a number")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("it has a number of more than 64 bits")
