"""Read ONNX's TensorProto, such as input_0.pb of a test data set, from hostile bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.protobuf.wire import Field, Wire, WireError, read_fields, read_varints

# Fields of onnx.proto's TensorProto.
_DIMS, _DATA_TYPE, _SEGMENT, _RAW_DATA, _DATA_LOCATION = 1, 2, 3, 9, 14
_FLOATS, _INT32, _INT64, _DOUBLES, _UINT64 = 4, 5, 7, 10, 11
_BF16 = 16
# By TensorProto.DataType: NumPy's type of the raw data, and the field that may have it instead.
_TYPES: Mapping[int, tuple[str, int]] = {
    1: ("<f4", _FLOATS),
    2: ("u1", _INT32),
    3: ("i1", _INT32),
    4: ("<u2", _INT32),
    5: ("<i2", _INT32),
    6: ("<i4", _INT32),
    7: ("<i8", _INT64),
    9: ("u1", _INT32),
    10: ("<f2", _INT32),
    11: ("<f8", _DOUBLES),
    12: ("<u4", _UINT64),
    13: ("<u8", _UINT64),
    _BF16: ("<u2", _INT32),
}
_VALUES = (_FLOATS, _INT32, _INT64, _DOUBLES, _UINT64, _RAW_DATA)
# An element of a repeated field is a varint of at most so many bytes, and a tag.
_LONGEST = 11
_SPARE = 1 << 16


def largest_proto(count: int) -> int:
    """Return the most bytes that a TensorProto of so many elements may have."""
    return count * _LONGEST + _SPARE


def read_tensor_proto(data: bytes, dims: Sequence[int]) -> Any:
    """Return the elements of a TensorProto of shape ``dims``; those of bf16 as float32.

    Raises ValueError, in a few words, for another shape, a type that is not one of numbers, and
    values that are elsewhere or too few.

    >>> read_tensor_proto(bytes.fromhex("0802 1002 4a02 0708"), [2]).tolist()
    [7, 8]
    """
    import numpy

    fields = list(read_fields(data))
    shape = [value for field in fields if field.number == _DIMS for value in _signed(data, field)]
    kind = next((field.value for field in reversed(fields) if field.number == _DATA_TYPE), 0)
    if any(field.number == _SEGMENT for field in fields):
        raise ValueError("a TensorProto in segments")
    if any(field.number == _DATA_LOCATION and field.value for field in fields):
        raise ValueError("a TensorProto whose data is in another file")
    if kind not in _TYPES:
        raise ValueError(f"no TensorProto of numbers: its data_type is {kind}")
    if shape != list(dims):
        raise ValueError(f"a TensorProto of shape {'x'.join(map(str, shape)) or 'a scalar'}")
    dtype, stored = _TYPES[kind]
    wrong = {field.number for field in fields if field.number in _VALUES} - {stored, _RAW_DATA}
    if wrong:
        raise ValueError(f"a TensorProto of data_type {kind} with values in field {wrong.pop()}")
    array = _values(data, fields, stored, dtype)
    if array.size != int(numpy.prod(dims)):
        raise ValueError(f"a TensorProto with {array.size} values")
    if kind == _BF16:
        array = (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.reshape(list(dims))


def _values(data: bytes, fields: Sequence[Field], stored: int, dtype: str) -> Any:
    """Return the flat values: the raw data if there is some, else those of the repeated field."""
    import numpy

    raw = [field for field in fields if field.number == _RAW_DATA and field.end > field.start]
    held = [field for field in fields if field.number == stored]
    if raw and held:
        raise ValueError("a TensorProto with raw and other values")
    if raw:
        # Of a field that is not repeated the last one counts.
        return _flat(data[raw[-1].start : raw[-1].end], dtype)
    if stored in (_FLOATS, _DOUBLES):
        return _flat(b"".join(data[field.start : field.end] for field in held), dtype)
    numbers = [value for field in held for value in read_varints(data, field)]
    # A negative int32 is a varint of 64 bits; of smaller types and floats these are the bits.
    bits = numpy.array(numbers, numpy.uint64)
    target = numpy.dtype(dtype)
    if target.kind == "i":
        limits, signed = numpy.iinfo(target), bits.view(numpy.int64)
        outside = (signed < limits.min) | (signed > limits.max)
    else:
        outside = bits > numpy.iinfo(f"u{target.itemsize}").max
    if outside.any():
        raise ValueError(f"a TensorProto with a value beyond {target.name}")
    return bits.astype(f"<u{target.itemsize}").view(target)


def _flat(data: bytes, dtype: str) -> Any:
    import numpy

    if len(data) % numpy.dtype(dtype).itemsize:
        raise ValueError(f"a TensorProto with {len(data)} bytes of {numpy.dtype(dtype).name}")
    return numpy.frombuffer(data, dtype)


def _signed(data: bytes, field: Field) -> list[int]:
    if field.wire not in (Wire.VARINT, Wire.BYTES):
        raise WireError("a dimension that is not a varint")
    return [value - (1 << 64) if value >> 63 else value for value in read_varints(data, field)]
