"""What an ONNX model states about itself, read without its weights.

Field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.host.backend import BackendError
from pipeline.protobuf.wire import Buffer, Field, Wire, WireError, read_fields

_GRAPH, _OPSETS = 7, 8
_INPUT, _NAME, _TYPE, _TENSOR_TYPE, _SHAPE = 11, 1, 2, 1, 2


def check_whole(model: Buffer) -> None:
    """Raise BackendError for a model without a graph or the versions of its operators.

    Both are required, but OpenVINO guesses the versions, so it would read a model that was cut off
    before them.
    """
    try:
        found = {field.number for field in read_fields(model)}
    except WireError as error:
        raise BackendError(f"not an ONNX model: {error}") from None
    for number, what in ((_GRAPH, "graph"), (_OPSETS, "opset")):
        if number not in found:
            raise BackendError(f"not an ONNX model, or not all of one: it has no {what}")


def unranked_inputs(model: Buffer) -> frozenset[str]:
    """Return the names of the inputs of unknown rank: those without a shape, not of an empty one.

    Raises BackendError for what is not protobuf.
    """
    try:
        return frozenset(_unranked(model))
    except WireError as error:
        raise BackendError(f"not an ONNX model: {error}") from None


def _unranked(model: Buffer) -> Iterator[str]:
    for graph in _messages(model, None, _GRAPH):
        for value in _messages(model, graph, _INPUT):
            name = [model[each.start : each.end] for each in _messages(model, value, _NAME)]
            shapes = [
                shape
                for kind in _messages(model, value, _TYPE)
                for tensor in _messages(model, kind, _TENSOR_TYPE)
                for shape in _messages(model, tensor, _SHAPE)
            ]
            if name and not shapes:
                yield name[-1].decode(errors="replace")


def _messages(model: Buffer, outer: Field | None, number: int) -> Iterator[Field]:
    start, end = (0, len(model)) if outer is None else (outer.start, outer.end)
    for field in read_fields(model, start, end):
        if field.number == number and field.wire is Wire.BYTES:
            yield field
