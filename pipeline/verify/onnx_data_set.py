"""A case in the form of ONNX's tests: input_0.pb, output_0.pb… in a folder test_data_set_0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.model.convert.request import Port

# TensorProto.DataType of onnx.proto.
_TYPES = {"f32": 1, "u8": 2, "i32": 6, "i64": 7, "f16": 10, "f64": 11}
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
_VARINT, _BYTES = 0, 2


def write_data_set(
    folder: Path,
    inputs: Sequence[tuple[Port, Path]],
    outputs: Sequence[tuple[Port, Path]],
) -> None:
    """Write ``folder/test_data_set_0`` from raw files, each with its port of the model."""
    target = folder / "test_data_set_0"
    target.mkdir()
    for kind, files in (("input", inputs), ("output", outputs)):
        for index, (port, path) in enumerate(files):
            (target / f"{kind}_{index}.pb").write_bytes(tensor_proto(port, path.read_bytes()))


def tensor_proto(port: Port, data: bytes) -> bytes:
    """Return a TensorProto in protobuf's wire format; ``data`` is raw and little-endian.

    >>> port = Port(name="x", names=("x",), shape=(2,), type="u8")
    >>> tensor_proto(port, bytes([7, 8])).hex(" ")
    '08 02 10 02 42 01 78 4a 02 07 08'
    """
    name = port.name.encode()
    return b"".join(
        (
            *(_tag(_DIMS, _VARINT) + _varint(size) for size in port.shape),
            _tag(_DATA_TYPE, _VARINT) + _varint(_TYPES[port.type]),
            _tag(_NAME, _BYTES) + _varint(len(name)) + name,
            _tag(_RAW_DATA, _BYTES) + _varint(len(data)) + data,
        )
    )


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    """Return seven bits a byte, the lowest first; the top bit says that more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
