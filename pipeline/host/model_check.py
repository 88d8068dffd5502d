"""Check that a model is of its encoding, before a framework that detects encodings reads it.

OpenVINO reads whatever it recognises, under any name. So a model passed off as another encoding
would evade the checks of its own, such as that of ONNX for files that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from pipeline.host.backend import BackendError
from pipeline.host.model_types import Encoding
from pipeline.protobuf.wire import Buffer, Wire, WireError, read_fields

_BOM = b"\xef\xbb\xbf"
# Fields of a whole message, each with its wire type: tensorflow.GraphDef (graph.proto),
# paddle.framework.proto.ProgramDesc (framework.proto).
_GRAPH_DEF = {1: Wire.BYTES, 2: Wire.BYTES, 3: Wire.VARINT, 4: Wire.BYTES, 5: Wire.BYTES}
_PROGRAM = {1: Wire.BYTES, 4: Wire.BYTES, 5: Wire.BYTES}
# The first tag of a node begins its name, that of a block its number.
_NODE, _BLOCK = 0x0A, 0x08
_ONNX_GRAPH = 7


def check_model(encoding: Encoding, model: Buffer) -> None:
    """Raise BackendError unless the bytes are of the encoding, as far as their outline tells."""
    try:
        fits = _fits(encoding, model)
    except WireError:
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


def _fits(encoding: Encoding, model: Buffer) -> bool:
    if encoding is Encoding.OPENVINO:
        # Not after white space: a line feed could begin a protobuf message.
        return model[:4].removeprefix(_BOM)[:1] == b"<"
    if encoding is Encoding.TENSORFLOWLITE:
        return model[4:8] == b"TFL3"
    if encoding is Encoding.TENSORFLOW:
        return _is_message(model, _GRAPH_DEF, _NODE)
    if encoding is Encoding.PADDLE:
        return _is_message(model, _PROGRAM, _BLOCK)
    graphs = {field.wire for field in read_fields(model) if field.number == _ONNX_GRAPH}
    return graphs == {Wire.BYTES}


def _is_message(model: Buffer, known: Mapping[int, Wire], first: int) -> bool:
    """Return whether a message has but known fields, and all of its field 1 begin with a tag."""
    found = 0
    for field in read_fields(model):
        begin = model[field.start : min(field.start + 1, field.end)]
        if known.get(field.number) is not field.wire or (
            field.number == 1 and begin != bytes([first])
        ):
            return False
        found += field.number == 1
    return found > 0
