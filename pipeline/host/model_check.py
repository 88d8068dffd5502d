"""Check that a model is of its encoding, before a framework that detects encodings reads it.

OpenVINO reads whatever it recognises, under any name. So a model passed off as another encoding
would evade the checks of its own, such as that of ONNX for files that it names.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.host.backend import BackendError
from pipeline.host.model_types import Encoding

_BOM = b"\xef\xbb\xbf"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
# Fields of a whole message, each with its wire type: tensorflow.GraphDef (graph.proto),
# paddle.framework.proto.ProgramDesc (framework.proto).
_GRAPH_DEF = {1: _BYTES, 2: _BYTES, 3: _VARINT, 4: _BYTES, 5: _BYTES}
_PROGRAM = {1: _BYTES, 4: _BYTES, 5: _BYTES}
# The first tag of a node begins its name, that of a block its number.
_NODE, _BLOCK = 0x0A, 0x08
_ONNX_GRAPH = 7


def check_model(encoding: Encoding, model: bytes | bytearray | mmap) -> None:
    """Raise BackendError unless the bytes are of the encoding, as far as their outline tells."""
    with memoryview(model) as whole:
        try:
            fits = _fits(encoding, whole)
        except ValueError:
            fits = False
    if not fits:
        raise BackendError(f"not a model in {encoding.value}")


def check_model_file(encoding: Encoding, path: Path) -> None:
    """Raise BackendError unless the file is of the encoding."""
    try:
        with path.open("rb") as stream:
            if path.stat().st_size == 0:
                raise BackendError(f"not a model in {encoding.value}: empty")
            with mmap(stream.fileno(), 0, access=ACCESS_READ) as model:
                check_model(encoding, model)
    except OSError as error:
        raise BackendError(f"cannot read a file of the graph: {error}") from None


def _fits(encoding: Encoding, model: memoryview) -> bool:
    if encoding is Encoding.OPENVINO:
        # Not after white space: a line feed could begin a protobuf message.
        return bytes(model[:4]).removeprefix(_BOM)[:1] == b"<"
    if encoding is Encoding.TENSORFLOWLITE:
        return bytes(model[4:8]) == b"TFL3"
    if encoding is Encoding.TENSORFLOW:
        return _is_message(model, _GRAPH_DEF, _NODE)
    if encoding is Encoding.PADDLE:
        return _is_message(model, _PROGRAM, _BLOCK)
    graphs = [wire for number, wire, _ in _fields(model) if number == _ONNX_GRAPH]
    return bool(graphs) and set(graphs) == {_BYTES}


def _is_message(model: memoryview, known: dict[int, int], first: int) -> bool:
    """Return whether a message has but known fields, and all of its field 1 begin with a tag."""
    found = 0
    for number, wire, data in _fields(model):
        if known.get(number) != wire or (number == 1 and bytes(data[:1]) != bytes([first])):
            return False
        found += number == 1
    return found > 0


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, wire type and bytes of each field; raises ValueError if it is malformed."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = (tag & 0xFFFFFFFF) >> 3, tag & 7
        start = at
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire == _BYTES:
            size, start = _varint(message, at)
            at = start + size
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at > len(message):
            raise ValueError("cut off")
        yield number, wire, message[start:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at
    raise ValueError("cut off")
