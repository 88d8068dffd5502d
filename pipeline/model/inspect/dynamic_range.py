"""Find TFLite models of dynamic-range quantisation, whose runtime rounds activations to int8."""

from __future__ import annotations

from pathlib import Path

from pipeline.model.convert.flatbuffer import (
    Buffer,
    FlatBufferError,
    read_field,
    read_number,
    read_offset,
    read_vector,
)

# TFLite's Model, SubGraph, Operator and Tensor in schema.fbs.
_SUBGRAPHS, _TENSORS, _OPERATORS, _INPUTS, _TYPE = 2, 0, 3, 1, 1
_FLOAT32, _UINT8, _INT8, _INT4 = 0, 3, 9, 17


def rounds_activations(path: Path) -> bool:
    """Return whether an operation takes a float activation and integer weights.

    TFLite's kernels then quantise the activation at run time; OpenVINO widens the weights instead.
    """
    data = path.read_bytes()
    try:
        model = read_offset(data, 0)
        return any(
            _is_hybrid(data, read_offset(data, subgraph))
            for subgraph in read_vector(data, model, _SUBGRAPHS)
        )
    except FlatBufferError:
        return False


def _is_hybrid(data: Buffer, subgraph: int) -> bool:
    tensors = read_vector(data, subgraph, _TENSORS)
    types = [_type(data, read_offset(data, at)) for at in tensors]
    for at in read_vector(data, subgraph, _OPERATORS):
        given = [
            read_number(data, place, "i")
            for place in read_vector(data, read_offset(data, at), _INPUTS)[:2]
        ]
        if len(given) == 2 and all(0 <= index < len(types) for index in given):
            activation, weights = (types[index] for index in given)
            if activation == _FLOAT32 and weights in (_UINT8, _INT8, _INT4):
                return True
    return False


def _type(data: Buffer, tensor: int) -> int:
    place = read_field(data, tensor, _TYPE)
    return _FLOAT32 if place is None else read_number(data, place, "B")
