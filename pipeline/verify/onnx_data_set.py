"""A case in the form of ONNX's tests: input_0.pb, output_0.pb… in a folder test_data_set_0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.element_types import ELEMENT_TYPES
from pipeline.model.convert.request import Port
from pipeline.protobuf.wire import bytes_field, varint_field

# Fields of onnx.proto's TensorProto.
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9


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
    return b"".join(
        (
            *(varint_field(_DIMS, size) for size in port.shape),
            varint_field(_DATA_TYPE, ELEMENT_TYPES[port.type].onnx),
            bytes_field(_NAME, port.name.encode()),
            bytes_field(_RAW_DATA, data),
        )
    )
